# ruff: noqa: E402 - bench and src are put on the path first
"""Write ``vocabulary.txt``: the words of APIs, from the teaching providers only.

Usage: ``python bench/discovery/mine.py PACKAGE_DIRECTORY CACHE_FILE``
"""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "src")]

from discovery.corpus import read_directory, split_of
from levo.satellite.learn.paths.segments import words
from levo.satellite.learn.paths.vocabulary import Word, encode_vocabulary

TARGET = Path(__file__).parents[2] / "src/levo/satellite/learn/paths/vocabulary.txt"


def main() -> None:
    """Count and write."""
    providers: dict[str, set[str]] = defaultdict(set)
    follows: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for description in read_directory(Path(sys.argv[1]), Path(sys.argv[2])):
        if split_of(description.provider) != "teach":
            continue
        nodes: dict[tuple[str, ...], set[bool]] = defaultdict(set)
        for operation in description.operations:
            segments = tuple(operation.template.strip("/").split("/"))
            for i, segment in enumerate(segments):
                if "{" in segment:
                    continue
                found = words(segment)
                for word in found:
                    providers[word].add(description.provider)
                if found:
                    after = nodes[segments[: i + 1]]
                    if i + 1 < len(segments):
                        after.add("{" in segments[i + 1])
        for prefix, after in nodes.items():
            counts = follows[words(prefix[-1])[-1]][description.provider]
            counts[0] += True in after
            counts[1] += True not in after
    entries: dict[str, Word] = {}
    for word, users in sorted(providers.items()):
        if not 3 - (len(users) > 2) <= len(word) <= 24 or not word.isascii():
            continue
        p = sum(a / (a + b) for a, b in follows[word].values())
        n = len(follows[word])
        rate = (p + 0.6) / (n + 2)
        follow = "-" if n < 2 else "p" if rate > 0.5 else "l" if rate < 0.2 else "-"
        entries[word] = Word(min(9, int(math.log2(len(users)))), follow)
    TARGET.write_text(encode_vocabulary(entries))
    print(len(entries), "words")


if __name__ == "__main__":
    main()
