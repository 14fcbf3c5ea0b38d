"""Words that APIs use as fixed path segments.

``vocabulary.txt`` holds them; ``bench/discovery/mine.py`` writes that file.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

FILE = "vocabulary.txt"
_HEADER = """\
# Words that APIs use as fixed path segments. Written by bench/discovery/mine.py; do not edit.
# A line: word, log2 of the number of providers that use it (0 to 9), and what follows it where it ends a
# segment: p mostly a parameter, l mostly another word or nothing, - undecided or unknown.
"""


class Word(NamedTuple):
    """What is known of one word."""

    rank: int
    """log2 of the number of providers that use it."""
    follow: str
    """What follows it: ``p`` a parameter, ``l`` a literal or nothing, ``-`` undecided."""


@cache
def vocabulary() -> Mapping[str, Word]:
    """Return the words of this release, read once."""
    text = files(__package__).joinpath(FILE).read_text(encoding="utf-8")
    lines = (line.split() for line in text.splitlines() if not line.startswith("#"))
    return {word: Word(int(rank), follow) for word, rank, follow in lines}


def encode_vocabulary(words: Mapping[str, Word]) -> str:
    """Return *words* as the file holds them."""
    return _HEADER + "".join(f"{word} {rank} {follow}\n" for word, (rank, follow) in sorted(words.items()))
