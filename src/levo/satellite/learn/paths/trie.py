"""Paths of one host as mergeable, bounded state: a trie that decides nothing.

Laws (property-tested). ``learn(A)`` merged with ``learn(B)`` has the same bytes as ``learn(A + B)`` in any
order
and partition, although the trie is bounded, because every bound is a function of the *set* of paths:

* a node keeps the literals that rank lowest (known words first, then by hash); the rest share the child
  ``{*}``.
  What ranks lowest among all ranks lowest among any part, so it was never thrown away on the way;
* the greatest number of leaves below a node is its parent's divided by the parent's number of children. It
  only
  shrinks as paths are added. It is without limit until the *estimated number of distinct paths* (the k least
  hashes: a function of the set, too) passes a threshold.

Counts are integers (weights in thousandths), so that adding them is associative.
"""

from __future__ import annotations

import zlib
from bisect import insort
from collections.abc import Iterator
from hashlib import blake2b

from levo.satellite.learn.paths.segments import (
    OVERFLOW,
    REST,
    known_rank,
    may_be_version,
    segment_key,
    split_path,
)

LITERALS_PER_NODE = 96
"""Literal children a node keeps."""
OPERATIONS_PER_NODE = 512
"""Operations kept that are named within requests."""
OPERATIONS = "#"
"""Key of the child that holds the operations of a path (GraphQL)."""
GRPC = "#grpc"
"""Key of the child of the root that holds the services of gRPC."""
MAX_DEPTH = 16
"""Segments told apart; what is below shares one child."""
DISTINCT_SAMPLE = 64
"""Least hashes kept to estimate the number of distinct paths."""
BUDGETS: tuple[tuple[int, int], ...] = ((8_000, 16_384), (60_000, 4_096))
"""(distinct paths from which it holds, leaves a host may have)."""
SMALLEST_SHARE = 16
"""A node with fewer leaves than this keeps no children apart."""
WEIGHT_UNIT = 1000

# A call: [requests, weight in thousandths, status classes as bits, successful requests, trailing slashes,
# sketch of the properties of its bodies (``statement.Statement.shape``)].
REQUESTS, WEIGHT, CLASSES, SUCCESSES, SLASHES, SHAPE = range(6)
Call = list[int]


class Node:
    """A prefix of paths."""

    __slots__ = ("bar", "calls", "came_back", "given_out", "kids", "looked")

    def __init__(self) -> None:
        self.kids: dict[str, Node] = {}
        self.calls: dict[str, Call] = {}
        """By method: what ended here."""
        self.bar: tuple[int, int, str] | None = None
        """Rank of the last literal kept, once some were folded; later ones that rank above it go to
        ``{*}``."""
        self.looked = 0
        """Exchanges through here whose response was searched for the segment that leads here …"""
        self.came_back = 0
        """… and those in which it was found."""
        self.given_out = False
        """Whether some other call gave out the segment that leads here."""

    def absorb(self, other: Node) -> None:
        """Take in *other*, which is not used afterwards."""
        for method, call in other.calls.items():
            add_call(self.calls, method, call)
        self.looked += other.looked
        self.came_back += other.came_back
        self.given_out |= other.given_out
        if other.bar is not None and (self.bar is None or other.bar < self.bar):
            self.bar = other.bar
        kids = self.kids
        for key, kid in other.kids.items():
            mine = kids.get(key)
            if mine is None:
                kids[key] = kid
            else:
                mine.absorb(kid)

    def copy(self) -> Node:
        """Return a deep copy."""
        twin = Node()
        twin.bar = self.bar
        twin.looked, twin.came_back, twin.given_out = self.looked, self.came_back, self.given_out
        twin.calls = {method: list(call) for method, call in self.calls.items()}
        twin.kids = {key: kid.copy() for key, kid in self.kids.items()}
        return twin

    def size(self) -> int:
        """Nodes below and including this."""
        return 1 + sum(kid.size() for kid in self.kids.values())

    def fold(
        self, leaves: int | None, pinned: frozenset[str] = frozenset(), most: int = LITERALS_PER_NODE
    ) -> None:
        """Bring this subtree into its normal form with at most *leaves* leaves (None: *most* literals a node
        only)."""
        kids = self.kids
        if not kids:
            return
        if leaves is not None and leaves < SMALLEST_SHARE:
            if len(kids) > 1 or OVERFLOW not in kids:
                self._fold_into_overflow(list(kids))
            self.bar = None
            kids[OVERFLOW].fold(1, pinned)
            return
        literals = [key for key in kids if "{" not in key]
        typed = len(kids) - len(literals) - (OVERFLOW in kids)
        bound = most if leaves is None else min(most, max(0, leaves - typed - 1))
        if self.bar is not None:
            late = [key for key in literals if rank(key, pinned) > self.bar]
            if late:
                self._fold_into_overflow(late)
                literals = [key for key in literals if key in kids]
        if len(literals) > bound:
            ranks = sorted(rank(literal, pinned) for literal in literals)
            self._fold_into_overflow([key for _, _, key in ranks[bound:]])
            self.bar = ranks[bound - 1] if bound else (-2, 0, "")
        share = None if leaves is None else max(1, leaves // len(kids))
        for key, kid in kids.items():
            kid.fold(share, pinned, OPERATIONS_PER_NODE if key[0] == "#" else LITERALS_PER_NODE)

    def _fold_into_overflow(self, keys: list[str]) -> None:
        overflow = self.kids.get(OVERFLOW)
        if overflow is None:
            overflow = self.kids[OVERFLOW] = Node()
        for key in keys:
            if key != OVERFLOW:
                overflow.absorb(self.kids.pop(key))


def rank(literal: str, pinned: frozenset[str] = frozenset()) -> tuple[int, int, str]:
    """Return what orders literals: *pinned* ones and known words first, then an arbitrary but fixed order."""
    if literal in pinned:
        return (-1, 0, literal)
    return (0 if known_rank(literal) >= 1 else 1, zlib.crc32(literal.encode()), literal)


def add_call(calls: dict[str, Call], method: str, call: Call) -> None:
    """Add *call* to the calls of *method*."""
    mine = calls.get(method)
    if mine is None:
        calls[method] = list(call)
        return
    mine[REQUESTS] += call[REQUESTS]
    mine[WEIGHT] += call[WEIGHT]
    mine[CLASSES] |= call[CLASSES]
    mine[SUCCESSES] += call[SUCCESSES]
    mine[SLASHES] += call[SLASHES]
    mine[SHAPE] |= call[SHAPE]


def path_keys(path: str) -> list[str]:
    """Return the keys of the trie children that *path* (as sent, without query) leads through."""
    segments = split_path(path)
    told = segments[:MAX_DEPTH]
    keys = [segment_key(segment, may_be_version(told, i)) for i, segment in enumerate(told)]
    if len(segments) > MAX_DEPTH:
        keys.append(REST)
    return keys


def walk(root: Node) -> Iterator[tuple[tuple[str, ...], Node]]:
    """Yield (keys, node) of every node where a request ended, parents first, kids in order of key."""
    stack: list[tuple[tuple[str, ...], Node]] = [((), root)]
    while stack:
        keys, node = stack.pop()
        if node.calls:
            yield keys, node
        stack.extend(((*keys, key), kid) for key, kid in sorted(node.kids.items(), reverse=True))


class DistinctSample:
    """The least hashes of a set of strings, which estimate how many there are. Merges by union."""

    __slots__ = ("hashes",)

    def __init__(self, hashes: list[int] | None = None) -> None:
        self.hashes: list[int] = hashes if hashes is not None else []
        """In order, at most ``DISTINCT_SAMPLE``."""

    def add(self, text: str) -> None:
        """Add one string."""
        self._add(int.from_bytes(blake2b(text.encode(errors="replace"), digest_size=8).digest(), "big"))

    def _add(self, hashed: int) -> None:
        hashes = self.hashes
        if len(hashes) >= DISTINCT_SAMPLE and hashed >= hashes[-1]:
            return
        if hashed not in hashes:
            insort(hashes, hashed)
            del hashes[DISTINCT_SAMPLE:]

    def merge(self, other: DistinctSample) -> None:
        """Take in *other*, which is not changed."""
        for hashed in other.hashes:
            self._add(hashed)

    def estimate(self) -> int:
        """Return about how many distinct strings were added; exact below ``DISTINCT_SAMPLE``."""
        if len(self.hashes) < DISTINCT_SAMPLE:
            return len(self.hashes)
        return (DISTINCT_SAMPLE - 1) * (1 << 64) // max(1, self.hashes[-1])
