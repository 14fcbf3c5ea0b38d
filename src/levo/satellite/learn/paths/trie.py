"""Paths of one host as mergeable, bounded state: a trie that decides nothing.

Laws (property-tested). ``learn(A)`` merged with ``learn(B)`` has the same bytes as ``learn(A + B)`` in any
order and partition, although the trie is bounded, because every bound is a function of the *set* of paths:

* a node keeps the literals that rank lowest, those that people named and then by a keyed hash; the rest share
  the child ``{*}``. Nothing that a client chooses decides which of them stay. What ranks lowest among all
  ranks lowest among any part, so it was never thrown away on the way;
* beside them a node keeps as many that are *established*: 20 requests answered with success, more callers
  first, then older ones. Of what was folded a tally of successes remains (:class:`tally.Tally`), so that a
  literal is established by all of its requests, whenever they came. One that is established only after it
  was folded is kept from then on: its earlier requests stay at ``{*}``, which is where the order of arrival
  shows (docs/decisions/0009);
* a literal that is certain to be a value goes to ``{*}``, too, and only its keyed hash stays (``forget``).
  That rule only ever gains from more requests, so a part forgets nothing that the whole would keep;
* the greatest number of leaves below a node is its parent's divided by the parent's number of children. It
  only shrinks as paths are added. It is without limit until the *estimated number of distinct paths* (the k
  least hashes: a function of the set, too) passes a threshold. What is established shares a number of its
  own, so that paths which are not cannot make it small.

Counts are integers (weights in thousandths), so that adding them is associative.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator, Set
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
from levo.satellite.learn.paths.tally import MOST as MOST_TALLIED
from levo.satellite.learn.paths.tally import Tally

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
ESTABLISHED = 20
"""Requests answered with success after which a segment is displaced only by others that have as many, from as
many callers."""
ESTABLISHED_LEAVES = 16_384
"""Leaves of a host that established segments share."""
MOST_CALLERS = 16
"""Different callers of a place that are told apart."""
WEIGHT_UNIT = 1000

# A call: [requests, weight in thousandths, status classes as bits, successful requests, trailing slashes,
# sketch of the properties of its bodies (``statement.Statement.shape``)].
REQUESTS, WEIGHT, CLASSES, SUCCESSES, SLASHES, SHAPE = range(6)
Call = list[int]


class Rank(NamedTuple):
    """What orders literals: those that people named, then the others, each by keyed hash."""

    group: int
    hashed: int


PINNED, OTHER = range(2)
"""Groups of literals in their order."""
NONE_KEPT = Rank(-1, 0)
"""Rank of the last literal kept where there is room for none that is not established …"""
CROWDED = Rank(-2, 0)
"""… and where values of recognized types that are not share the child ``{*}``, too."""


class Strength(NamedTuple):
    """How well requests prove that there is something at a place, each number up to what is told apart.

    *A* can displace *B* only if it has as many successes and as many callers.
    """

    successes: int
    callers: int
    first: int
    """When it was seen first, in minutes; 0 is unknown."""


class Rules(Protocol):
    """What decides which literals stay (``forget.Forgetting``)."""

    @property
    def tally(self) -> Tally:
        """Successes of literals that were folded."""

    @property
    def key(self) -> bytes:
        """The key of this installation."""

    def rank(self, literal: str) -> Rank:
        """Return the place of *literal* in the order in which literals are kept."""

    def is_pinned(self, literal: str) -> bool:
        """Whether people named *literal*, so that it is kept."""

    def hash(self, literal: str) -> int:
        """Return the keyed hash of *literal*."""

    def values(self, node: Node, above: str) -> Values:
        """Return the literal children of *node*, whose own key is *above*, that are values for certain."""

    def given_out(self, hashes: Set[int]) -> Set[int]:
        """Return those of *hashes* that are hashes of values that were given out."""


class Values(NamedTuple):
    """Literals that are values for certain."""

    proven: list[str]
    """Bodies said so."""
    odd: list[str]
    """Others beside values, that read like no words of APIs. Established ones are kept all the same."""


_NONE: frozenset[int] = frozenset()


class Node:
    """A prefix of paths."""

    __slots__ = ("bar", "callers", "calls", "came_back", "first", "gone", "kids", "looked", "odd")

    def __init__(self) -> None:
        self.kids: dict[str, Node] = {}
        self.calls: dict[str, Call] = {}
        """By method: what ended here."""
        self.callers: tuple[int, ...] = ()
        """Of requests that ended here with success: the least hashes of their callers, in order."""
        self.first = 0
        """When the first such request came, in minutes; 0 is unknown."""
        self.bar: Rank | None = None
        """Rank of the last literal kept, once some were folded; later ones that rank above it go to
        ``{*}``."""
        self.gone: Set[int] = _NONE
        """Keyed hashes of the literals that were forgotten as values, as bodies said so …"""
        self.odd: Set[int] = _NONE
        """… and of those that were because of how they read."""
        self.looked = 0
        """Exchanges through here whose response was searched for the segment that leads here …"""
        self.came_back = 0
        """… and those in which it was found."""

    def absorb(self, other: Node) -> None:
        """Take in *other*, which is not used afterwards."""
        for method, call in other.calls.items():
            add_call(self.calls, method, call)
        if other.callers:
            self.callers = least_callers(self.callers, other.callers)
        if other.first and (not self.first or other.first < self.first):
            self.first = other.first
        self.looked += other.looked
        self.came_back += other.came_back
        if other.gone:
            self.gone = self.gone | other.gone
        if other.odd:
            self.odd = self.odd | other.odd
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
        twin.callers, twin.first = self.callers, self.first
        twin.gone, twin.odd = self.gone, self.odd
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

    def strength(self) -> Strength:
        """Return how well requests prove this place: those that ended here or below."""
        successes, first = 0, 0
        callers: tuple[int, ...] = ()
        stack = [self]
        while stack:
            node = stack.pop()
            for call in node.calls.values():
                successes += call[SUCCESSES]
            if node.callers and len(callers) < MOST_CALLERS:
                callers = least_callers(callers, node.callers) if callers else node.callers
            if node.first and (not first or node.first < first):
                first = node.first
            if successes >= MOST_TALLIED and len(callers) >= MOST_CALLERS:
                break
            stack.extend(node.kids.values())
        return Strength(min(successes, MOST_TALLIED), len(callers), first)

    def callers_below(self) -> tuple[int, ...]:
        """Return the least hashes of the callers of requests that ended here or below."""
        least: tuple[int, ...] = ()
        stack = [self]
        while stack:
            node = stack.pop()
            if node.callers:
                least = least_callers(least, node.callers) if least else node.callers
            stack.extend(node.kids.values())
        return least

    def is_firm(self, rules: Rules, place: str) -> bool:
        """Whether this, which is at *place*, is established, counting requests from before it was kept."""
        successes = self.strength().successes
        return successes >= ESTABLISHED or successes + rules.tally.count(place, rules.key) >= ESTABLISHED

    @property
    def forgotten(self) -> int:
        """How many literals were forgotten here as values."""
        return len(self.gone) + len(self.odd)

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
    def is_crowded(self) -> bool:
        """Whether only what is established is told apart, values of recognized types as well."""
        return self.bar == CROWDED

    def is_gone(self, key: str, rules: Rules) -> bool:
        """Whether the literal *key* was forgotten here."""
        if "{" in key or not (self.gone or self.odd) or rules.is_pinned(key):
            return False
        hashed = rules.hash(key)
        return hashed in self.gone or hashed in self.odd

    def fold(
        self,
        leaves: int | None,
        rules: Rules,
        most: int = LITERALS_PER_NODE,
        place: str = "",
        firm_leaves: int = ESTABLISHED_LEAVES,
    ) -> None:
        """Bring this subtree, which is at *place*, into its normal form.

        Args:
            leaves: leaves it may have at most; None is *most* literals a node only.
            rules: what decides which literals stay.
            most: literals a node keeps, and as many established ones beside them.
            place: the keys that lead here, each behind a ``/``.
            firm_leaves: leaves that established children may have beside those.
        """
        kids = self.kids
        if not kids:
            return
        if self.is_crowded or (leaves is not None and leaves < SMALLEST_SHARE):
            self._crowd(rules, most if firm_leaves >= SMALLEST_SHARE else 0, place)
            share: int | None = 1
        else:
            literals = [key for key in kids if "{" not in key]
            if literals:
                self._forget(literals, rules, most, place)
                self._bound(leaves, rules, most, place)
            share = None if leaves is None else max(1, leaves // (len(kids) + self.forgotten))
        firm: dict[str, bool] = {}
        if share is not None:
            firm = {key: kid.is_firm(rules, f"{place}/{key}") for key, kid in kids.items() if kid.kids}
        firm_share = firm_leaves // max(1, sum(firm.values()))
        for key, kid in kids.items():
            named = key[0] == "#" or most == OPERATIONS_PER_NODE
            kid.fold(
                share,
                rules,
                OPERATIONS_PER_NODE if named else LITERALS_PER_NODE,
                f"{place}/{key}",
                firm_share if share is None or firm.get(key) else 0,
            )

    def fold_as(self, other: Node, rules: Rules, place: str) -> None:
        """Fold the children that *other*, the same place, does not tell apart."""
        bar = other.bar
        late = [key for key in self.kids if "{" not in key and key not in other.kids]
        if other.is_crowded:
            late.extend(key for key in self.kids if "{" in key and key not in other.kids)
        elif bar is not None:
            late = [key for key in late if rules.rank(key) > bar or other.is_gone(key, rules)]
        else:
            late = [key for key in late if other.is_gone(key, rules)]
        self._fold_each(late, rules, place)

    def _crowd(self, rules: Rules, most: int, place: str) -> None:
        """Keep only what is established, at most *most* children."""
        late = [key for key in self.kids if key != OVERFLOW and not rules.is_pinned(key)]
        kept = self._firm(late, rules, most, place)
        self.bar, self.gone, self.odd = CROWDED, _NONE, _NONE
        self._fold_each([key for key in late if key not in kept], rules, place, OVERFLOW)

    def _firm(self, keys: list[str], rules: Rules, most: int, place: str) -> set[str]:
        """Return the established children among *keys*, at most *most*: those with most callers, then the
        oldest."""
        found = []
        for key in keys if most else ():
            kid = self.kids[key]
            if kid.is_firm(rules, f"{place}/{key}"):
                found_there = kid.strength()
                new = found_there.successes < ESTABLISHED
                found.append((new, -found_there.callers, found_there.first, rules.hash(key), key))
        found.sort()
        return {key for *_, key in found[:most]}

    def _forget(self, literals: list[str], rules: Rules, most: int, place: str) -> None:
        """Fold what was forgotten before, or elsewhere, and what is certain to be a value now."""
        gone, odd = self.gone, self.odd
        if gone:
            known = [key for key in literals if rules.hash(key) in gone and not rules.is_pinned(key)]
            self._fold_each(known, rules, place)
        if most == LITERALS_PER_NODE:
            values = rules.values(self, place.rpartition("/")[2])
            if values.proven:
                gone = gone | set(map(rules.hash, values.proven))
                self._fold_each(values.proven, rules, place)
            if values.odd:
                odd = odd | set(map(rules.hash, values.odd))
        if odd:
            gone = gone | rules.given_out(odd)
            odd = odd - gone
            late = [key for key in self.kids if "{" not in key and rules.hash(key) in odd]
            kept = self._firm(late, rules, most, place)
            kept.update(key for key in late if rules.is_pinned(key))
            odd = odd - set(map(rules.hash, kept))
            self._fold_each([key for key in late if key not in kept], rules, place)
        self.gone, self.odd = gone, odd

    def _bound(self, leaves: int | None, rules: Rules, most: int, place: str) -> None:
        kids = self.kids
        literals = [key for key in kids if "{" not in key]
        typed = sum("{" in key and not key.startswith(OVERFLOW) for key in kids)
        bound = most if leaves is None else min(most, max(0, leaves - typed - 1))
        if self.bar is None and len(literals) + self.forgotten <= bound:
            return
        ranks = {key: rules.rank(key) for key in literals}
        known = [*ranks.values(), *(Rank(OTHER, hashed) for hashed in (*self.gone, *self.odd))]
        if self.bar is not None:
            known = [rank for rank in known if rank <= self.bar]
        if len(known) > bound:
            self.bar = sorted(known)[bound - 1] if bound else NONE_KEPT
        if self.bar is None:
            return
        bar = self.bar
        late = [key for key, rank in ranks.items() if rank > bar]
        if late:
            kept = self._firm(late, rules, most, place)
            self._fold_each([key for key in late if key not in kept], rules, place)
        if self.forgotten:
            self.gone = {hashed for hashed in self.gone if Rank(OTHER, hashed) <= bar}
            self.odd = {hashed for hashed in self.odd if Rank(OTHER, hashed) <= bar}

    def _fold_each(self, keys: Iterable[str], rules: Rules, place: str, into: str = "") -> None:
        """Fold the children *keys* into *into*, or what each shares with others; tally what each leads to."""
        for key in keys:
            kid = self.kids.pop(key)
            stack = [(f"{place}/{key}", kid)]
            while stack:
                name, node = stack.pop()
                rules.tally.add(name, node.strength().successes, rules.key)
                stack.extend((f"{name}/{below}", deeper) for below, deeper in node.kids.items())
            shared = into or folded_key(key)
            mine = self.kids.get(shared)
            if mine is None:
                mine = self.kids[shared] = Node()
            mine.absorb(kid)


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


def least_callers(some: Iterable[int], others: Iterable[int]) -> tuple[int, ...]:
    """Return the least hashes of both, in order."""
    return tuple(sorted({*some, *others})[:MOST_CALLERS])


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
