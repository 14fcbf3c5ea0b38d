"""Which described operation a learned one is, below which server path."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from urllib.parse import urlsplit

from levo.satellite.learn.schema import MATRIX, Knowledge, Node
from levo.satellite.learn.schema.merging import absorb
from levo.satellite.openapi.comparison.description import Described, Description, server_urls
from levo.satellite.openapi.operation import VARIABLE, Operation, comparable

LONGEST_PREFIX = 4
"""Segments of a server path that nobody described."""


@dataclass(slots=True)
class Matched:
    """A described operation with everything that was learned of it."""

    described: Described
    knowledge: Knowledge = field(default_factory=Knowledge)
    segments: dict[str, Node] = field(default_factory=dict)
    """Values of path parameters, by their number."""
    count: int = 0


class Matching:
    """Learned operations told apart by what is described."""

    def __init__(self, description: Description, learned: list[Operation]) -> None:
        self._described = description.operations
        self._by_shape: dict[tuple[str, int], list[tuple[tuple[str, str], list[str]]]] = {}
        for key in self._described:
            parts = key[1].split("/")
            self._by_shape.setdefault((key[0], len(parts)), []).append((key, parts))
        self.shadow: set[tuple[str, str]] = set()
        self.servers: list[tuple[str, str, int]] = []
        """Kind, detail and number of requests of what is served elsewhere than described."""
        bases = {base for each in self._described.values() for base in each.servers}
        self._prefixes = sorted({*bases, ""}, key=len, reverse=True)
        found: dict[tuple[str, str], Matched] = {}
        self.ambiguous: list[tuple[str, str]] = []
        """Learned, but of several described operations, which the catalog did not tell apart."""
        left = [each for each in self._sharp(learned) if not self._take(each, self._prefixes, found)]
        if left and not any(each for each in found):
            left = self._elsewhere(left, bases, found)
        self.shadow.update((each.method, each.path) for each in left)
        self.matched = [found[key] for key in sorted(found)]
        self.unused = [each for key, each in self._described.items() if key not in found]
        self._hosts(description, learned)

    def _take(self, operation: Operation, prefixes: list[str], found: dict[tuple[str, str], Matched]) -> bool:
        for prefix in prefixes:
            key = self._match(operation, prefix)
            if key is None:
                continue
            matched = found.setdefault(key, Matched(self._described[key]))
            matched.knowledge.absorb(operation.knowledge)
            matched.count += round(operation.exchanges) or operation.knowledge.accepted
            for number, node in _values(operation, prefix, self._described[key].called):
                absorb(matched.segments.setdefault(number, Node(open=True)), node)
            return True
        return False

    def _sharp(self, learned: list[Operation]) -> list[Operation]:
        """Return the operations that can be judged; the others go to ``ambiguous``.

        A host with very many paths is learned with less detail: one learned path may stand for several
        described ones, and nothing follows from what it shows. Such a host is one of which the catalog has a
        path of any length where the description has several paths.
        """
        crowded = {each.host for each in learned if _is_catch_all(each.path) and len(self._covered(each)) > 1}
        if not crowded:
            return learned
        called = {key for each in learned for prefix in self._prefixes if (key := self._match(each, prefix))}
        sharp = []
        for each in learned:
            own = {key for prefix in self._prefixes if (key := self._match(each, prefix))}
            others = self._covered(each) - own if each.host in crowded else set()
            if others and not (own and others <= called):
                self.ambiguous.append((each.method, each.path))
            else:
                sharp.append(each)
        return sharp

    def _covered(self, operation: Operation) -> set[tuple[str, str]]:
        """Return the described operations of which *operation* may be a learned, less detailed form."""
        path = operation.path.partition("#")[0]
        fixed = map(re.escape, VARIABLE.split(path)[::2])
        free = [".+" if name.endswith("+") else "[^/]+" for name in VARIABLE.findall(path)]
        told = re.compile("".join(part + any_ for part, any_ in zip_longest(fixed, free, fillvalue="")))
        return {
            key
            for prefix in self._prefixes
            for key in self._described
            if key[0] == operation.method.lower() and told.fullmatch(prefix + key[1])
        }

    def _match(self, operation: Operation, prefix: str) -> tuple[str, str] | None:
        # A GraphQL operation is found under "#" of its endpoint's path; a description knows the path.
        path = operation.path.partition("#")[0]
        if not path.startswith(prefix) or path[len(prefix) : len(prefix) + 1] not in ("/", ""):
            return None
        method = operation.method.lower()
        path = comparable(path[len(prefix) :])
        if (method, path) in self._described:
            return method, path
        segments = path.split("/")
        fits = [
            key
            for key, parts in self._by_shape.get((method, len(segments)), ())
            if all(d == s or "{}" in d for d, s in zip(parts, segments, strict=True))
        ]
        return min(fits, key=lambda key: (key[1].count("{}"), key[1])) if fits else None

    def _elsewhere(
        self, left: list[Operation], bases: set[str], found: dict[tuple[str, str], Matched]
    ) -> list[Operation]:
        """Match what is served below another path than any server has; return what is left."""
        votes: Counter[str] = Counter()
        for operation in left:
            votes.update({each for each in _prefixes(operation.path) if self._match(operation, each)})
        best = max(sorted(votes), key=lambda prefix: votes[prefix], default="")
        if not best or votes[best] * 2 < len(left):
            return left
        rest = [each for each in left if not self._take(each, [best], found)]
        called = sum(each.count for each in found.values())
        described = ", ".join(sorted(base or "/" for base in bases))
        hosts = ", ".join(sorted({each.host for each in left if each.host})[:3])
        detail = f"called under {best} ({hosts or 'any host'}), described under {described}"
        self.servers.append(("server path", detail, called))
        return rest

    def _hosts(self, description: Description, learned: list[Operation]) -> None:
        described = {
            host
            for url in server_urls(description.document.get("servers"))
            if "://" in url and (host := urlsplit(url.replace("{", "").replace("}", "")).netloc.lower())
        }
        if not described or any("{" in url for url in server_urls(description.document.get("servers"))):
            return
        called: Counter[str] = Counter()
        for operation in learned:
            if operation.host:
                called[operation.host.lower()] += round(operation.exchanges) or operation.knowledge.accepted
        if any(kind == "server path" for kind, _, _ in self.servers):
            return  # it was named with its path
        for host, count in sorted(called.items()):
            if host not in described and host.partition(":")[0] not in {
                d.partition(":")[0] for d in described
            }:
                self.servers.append(("server", f"called at {host}", count))


def _is_catch_all(path: str) -> bool:
    return "+}" in path


def _prefixes(path: str) -> Iterator[str]:
    """Yield the starts of *path* that have no parameter."""
    prefix = ""
    for segment in path.split("/")[1 : LONGEST_PREFIX + 1]:
        if "{" in segment:
            return
        prefix = f"{prefix}/{segment}"
        yield prefix


def _values(operation: Operation, prefix: str, described: str) -> Iterator[tuple[str, Node]]:
    """Yield the values of path parameters of *operation*, by the number of the parameter in *described*.

    Those that a segment carries (``/cars;color=red``) have their names.
    """
    skipped = len([part for part in prefix.split("/") if part])
    number = 0
    for position, segment in enumerate(part for part in described.split("/") if part):
        names = segment.count("{")
        node = operation.knowledge.segments.get(str(position + skipped))
        if node is not None and names == 1 and segment.startswith("{") and segment.endswith("}"):
            yield str(number), node
        carried = operation.knowledge.segments.get(f"{MATRIX}{position + skipped}")
        if carried is not None:
            yield from carried.children.items()
        number += names
