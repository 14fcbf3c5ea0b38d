"""Paths of one host as mergeable, bounded state: a trie that decides nothing.

Laws (property-tested). ``learn(A)`` merged with ``learn(B)`` has the same bytes as ``learn(A + B)`` in any
order and partition, although the trie is bounded, because every bound is a function of the *set* of paths:

* a node keeps the literals that rank lowest (known words first, then by keyed hash); the rest share the child
  ``{*}``. What ranks lowest among all ranks lowest among any part, so it was never thrown away on the way;
* a literal that is certain to be a value goes to ``{*}``, too, and only its keyed hash stays (``forget``).
  That rule only ever gains from more requests, so a part forgets nothing that the whole would keep;
* the greatest number of leaves below a node is its parent's divided by the parent's number of children. It
  only shrinks as paths are added. It is without limit until the *estimated number of distinct paths* (the k
  least hashes: a function of the set, too) passes a threshold.

Counts are integers (weights in thousandths), so that adding them is associative.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from hashlib import blake2b
from typing import NamedTuple, Protocol

from levo.satellite.learn.paths.forms import keys_of
from levo.satellite.learn.paths.segments import (
    OVERFLOW,
    REST,
    folded_key,
    may_be_version,
    pattern_key,
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


class Rank(NamedTuple):
    """What orders literals: those that are named by people, known words, then the others by keyed hash."""

    group: int
    hashed: int
    text: str
    """Of pinned literals and known words; empty for others, which are not told apart beyond their hash."""


class Rules(Protocol):
    """What decides which literals stay (``forget.Forgetting``)."""

    def rank(self, literal: str) -> Rank:
        """Return the place of *literal* in the order in which literals are kept."""

    def is_pinned(self, literal: str) -> bool:
        """Whether people named *literal*, so that it is kept."""

    def hash(self, literal: str) -> int:
        """Return the keyed hash of *literal*."""

    def values(self, node: Node, above: str) -> list[str]:
        """Return the literal children of *node*, whose own key is *above*, that are values for certain."""


UNKNOWN = 1
"""Group of literals that are not words of APIs. Only they are ever forgotten."""


class Node:
    """A prefix of paths."""

    __slots__ = ("bar", "calls", "came_back", "gone", "kids", "looked")

    def __init__(self) -> None:
        self.kids: dict[str, Node] = {}
        self.calls: dict[str, Call] = {}
        """By method: what ended here."""
        self.bar: Rank | None = None
        """Rank of the last literal kept, once some were folded; later ones that rank above it go to
        ``{*}``."""
        self.gone: set[int] = set()
        """Keyed hashes of the literals that were forgotten as values."""
        self.looked = 0
        """Exchanges through here whose response was searched for the segment that leads here …"""
        self.came_back = 0
        """… and those in which it was found."""

    def absorb(self, other: Node) -> None:
        """Take in *other*, which is not used afterwards."""
        for method, call in other.calls.items():
            add_call(self.calls, method, call)
        self.looked += other.looked
        self.came_back += other.came_back
        if other.gone:
            self.gone |= other.gone
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
        twin.gone = set(self.gone)
        twin.looked, twin.came_back = self.looked, self.came_back
        twin.calls = {method: list(call) for method, call in self.calls.items()}
        twin.kids = {key: kid.copy() for key, kid in self.kids.items()}
        return twin

    def size(self) -> int:
        """Nodes below and including this."""
        return 1 + sum(kid.size() for kid in self.kids.values())

    def requests(self, enough: int) -> int:
        """Return how many requests came here and below, exact below *enough*."""
        total, stack = 0, [self]
        while stack and total < enough:
            node = stack.pop()
            total += sum(call[REQUESTS] for call in node.calls.values())
            stack.extend(node.kids.values())
        return total

    def step(self, key: str, rules: Rules) -> tuple[str, Node] | None:
        """Return the child that *key* leads to now, or is like; None if there is none."""
        kid = self.kids.get(key)
        if kid is not None and not self.is_gone(key, rules):
            return key, kid
        if "{" not in key:
            folded = folded_key(key)
            kid = self.kids.get(folded)
            if kid is not None:
                return folded, kid
        kid = self.kids.get(OVERFLOW)
        return None if kid is None else (OVERFLOW, kid)

    @property
    def is_one(self) -> bool:
        """Whether all children were folded into one, those of recognized types as well."""
        return len(self.kids) == 1 and self.bar is None and not self.gone and OVERFLOW in self.kids

    def is_gone(self, key: str, rules: Rules) -> bool:
        """Whether the literal *key* was forgotten here."""
        return (
            bool(self.gone) and "{" not in key and rules.hash(key) in self.gone and not rules.is_pinned(key)
        )

    def fold(self, leaves: int | None, rules: Rules, most: int = LITERALS_PER_NODE, above: str = "") -> None:
        """Bring this subtree, below *above*, into its normal form with at most *leaves* leaves (None:
        *most* literals a node only)."""
        kids = self.kids
        if not kids:
            return
        if leaves is not None and leaves < SMALLEST_SHARE:
            if len(kids) > 1 or OVERFLOW not in kids:
                self._fold_into_one(list(kids))
            self.bar = None
            self.gone = set()
            kids[OVERFLOW].fold(1, rules)
            return
        literals = [key for key in kids if "{" not in key]
        if literals:
            self._forget(literals, rules, most, above)
            self._bound(leaves, rules, most)
        share = None if leaves is None else max(1, leaves // (len(kids) + len(self.gone)))
        for key, kid in kids.items():
            named = key[0] == "#" or most == OPERATIONS_PER_NODE
            kid.fold(share, rules, OPERATIONS_PER_NODE if named else LITERALS_PER_NODE, key)

    def fold_as(self, other: Node, rules: Rules) -> None:
        """Fold the literal children that *other*, the same place, does not tell apart."""
        literals = [key for key in self.kids if "{" not in key]
        late = [key for key in literals if other.bar is not None and rules.rank(key) > other.bar]
        self._fold_each([*late, *(key for key in literals if key not in late and other.is_gone(key, rules))])

    def _forget(self, literals: list[str], rules: Rules, most: int, above: str) -> None:
        """Fold what was forgotten before, or elsewhere, and what is certain to be a value now."""
        if self.gone:
            self._fold_each([key for key in literals if self.is_gone(key, rules)])
        if most == LITERALS_PER_NODE:
            values = rules.values(self, above)
            self.gone.update(map(rules.hash, values))
            self._fold_each(values)

    def _bound(self, leaves: int | None, rules: Rules, most: int) -> None:
        kids = self.kids
        literals = [key for key in kids if "{" not in key]
        typed = sum("{" in key and not key.startswith(OVERFLOW) for key in kids)
        bound = most if leaves is None else min(most, max(0, leaves - typed - 1))
        if self.bar is None and len(literals) + len(self.gone) <= bound:
            return
        ranks = {key: rules.rank(key) for key in literals}
        if self.bar is not None:
            self._above(self.bar, ranks)
        if len(ranks) + len(self.gone) > bound:
            known = [*ranks.values(), *(Rank(UNKNOWN, hashed, "") for hashed in self.gone)]
            self.bar = sorted(known)[bound - 1] if bound else Rank(-2, 0, "")
            self._above(self.bar, ranks)

    def _above(self, bar: Rank, ranks: dict[str, Rank]) -> None:
        """Fold the literals that rank above *bar*."""
        late = [key for key, rank in ranks.items() if rank > bar]
        self._fold_each(late)
        for key in late:
            del ranks[key]
        self.gone = {hashed for hashed in self.gone if Rank(UNKNOWN, hashed, "") <= bar}

    def _fold_each(self, literals: list[str]) -> None:
        for key in literals:
            self.kids.setdefault(folded_key(key), Node()).absorb(self.kids.pop(key))

    def _fold_into_one(self, keys: list[str]) -> None:
        overflow = self.kids.get(OVERFLOW)
        if overflow is None:
            overflow = self.kids[OVERFLOW] = Node()
        for key in keys:
            if key != OVERFLOW:
                overflow.absorb(self.kids.pop(key))


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
    keys = keys_of(told, may_be_version, pattern_key)
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
