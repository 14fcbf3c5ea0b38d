"""A schema as a mergeable value: what has been seen at one place of a message, counted.

A node never holds a value. It holds how many values of each JSON type were there, the lattice of their
formats and sizes, and the nodes of what is inside. ``Observer`` (``observe.pyx``) adds a value, ``absorb``
adds another node; both only add, take the greater, the lesser or the union, so any order and partition gives
the same node.
What it all means (required, map, enum, closed) is decided by ``levo.satellite.openapi``, never here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from levo.satellite.learn.schema.hyperloglog import estimate, joined
from levo.satellite.learn.schema.text import MIXED

MAX_DEPTH = 20
"""Deeper values are counted, not looked into."""
MAX_CHILDREN = 160
"""More properties than these are folded into one node for all of them."""
SCANNED_ITEMS = 3
"""Items of an array in which sensitive data is looked for; their siblings are alike."""
MAX_LABELS = 24
MAX_VARIANTS = 16
MAX_NODES = 4000
"""Nodes of one schema; past it, new properties are counted as values of a map."""
DISCRIMINATORS = (
    "type",
    "kind",
    "@type",
    "_type",
    "event",
    "object",
    "eventType",
    "event_type",
    "__typename",
)

Check = Callable[[str], Sequence[str]]
"""Looks at one scalar as text; returns the kinds of sensitive data it is."""


class Variant(msgspec.Struct, array_like=True, omit_defaults=True):
    """Which properties objects had that carried one value of a discriminator."""

    objects: int = 0
    present: dict[str, int] = msgspec.field(default_factory=dict)

    def absorb(self, other: Variant) -> None:
        self.objects += other.objects
        for key, count in other.present.items():
            self.present[key] = self.present.get(key, 0) + count


class Node(msgspec.Struct, array_like=True, omit_defaults=True):
    """One place in a schema. The order of the fields is its stored form: add at the end only."""

    nulls: int = 0
    booleans: int = 0
    integers: int = 0
    numbers: int = 0
    """Numbers with a fraction or an exponent."""
    strings: int = 0
    objects: int = 0
    arrays: int = 0
    negative: bool = False
    """A number below zero was seen."""
    bits: int = 0
    """Of the greatest magnitude among the integers."""
    shortest: int = -1
    """Characters; -1 until a string is seen."""
    longest: int = 0
    format: str = ""
    """The format of all strings, empty before the first, ``MIXED`` when they differ or have none."""
    open: bool = False
    """A string was seen that is no public word (``labels``), or too many of them."""
    labels: dict[str, int] = msgspec.field(default_factory=dict)
    """Strings made of public words only, while all are."""
    children: dict[str, Node] = msgspec.field(default_factory=dict)
    other: Node | None = None
    """Values of properties whose names are values themselves, or too many."""
    keyed: int = 0
    """Objects that had at least one such property; 0 once folded."""
    folded: bool = False
    """There were more properties than may be kept, so all are in ``other``."""
    items: Node | None = None
    fewest: int = -1
    """Items in an array; -1 until one is seen."""
    most: int = 0
    finds: dict[str, int] = msgspec.field(default_factory=dict)
    """Values recognized as sensitive data, by kind."""
    variants: dict[str, Variant] = msgspec.field(default_factory=dict)
    """By ``discriminator=label``."""
    many_variants: bool = False
    scanned: int = 0
    """Scalars in which sensitive data was looked for."""
    private: bool = False
    """The name of the property says that its strings must not be labels."""
    distinct: bytes = b""
    """About how many of ``objects`` were different (``evidence``); empty where that was not counted."""

    @property
    def total(self) -> int:
        """Values seen here."""
        return (
            self.nulls
            + self.booleans
            + self.integers
            + self.numbers
            + self.strings
            + self.objects
            + self.arrays
        )

    @property
    def evidence(self) -> float:
        """About how many different objects were seen here, all of ``objects`` where that was not counted."""
        return min(float(self.objects), estimate(self.distinct)) if self.distinct else float(self.objects)

    def size(self) -> int:
        """Return how many nodes there are from here down."""
        return sum(1 for _ in self.walk())

    def walk(self) -> Iterator[Node]:
        """Yield this node and all below."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(node.children.values())
            if node.other is not None:
                stack.append(node.other)
            if node.items is not None:
                stack.append(node.items)


def make_private(node: Node) -> None:
    """Note that strings here, and in arrays here, must not be labels."""
    while True:
        node.private = node.open = True
        node.labels = {}
        if node.items is None:
            return
        node = node.items


def fold(node: Node) -> None:
    """Make a map of an object with too many properties."""
    other = node.other if node.other is not None else Node(open=True)
    for child in node.children.values():
        absorb(other, child)
    node.other = other
    node.keyed = 0
    node.children = {}
    node.folded = True
    node.many_variants = True
    node.variants = {}


def absorb(node: Node, other: Node) -> None:
    """Add *other*, which is not changed, to *node*."""
    node.nulls += other.nulls
    node.booleans += other.booleans
    node.integers += other.integers
    node.numbers += other.numbers
    node.strings += other.strings
    node.objects += other.objects
    node.arrays += other.arrays
    node.scanned += other.scanned
    node.negative = node.negative or other.negative
    node.bits = max(node.bits, other.bits)
    node.shortest = _least(node.shortest, other.shortest)
    node.longest = max(node.longest, other.longest)
    if node.format != other.format and other.format:
        node.format = MIXED if node.format else other.format
    if other.private and not node.private:
        make_private(node)
    node.open = node.open or other.open
    if node.open:
        node.labels = {}
    else:
        _add(node.labels, other.labels)
        if len(node.labels) > MAX_LABELS:
            node.open, node.labels = True, {}
    node.fewest = _least(node.fewest, other.fewest)
    node.most = max(node.most, other.most)
    _add(node.finds, other.finds)
    if other.items is not None:
        if node.items is None:
            node.items = Node(open=other.items.open)
        absorb(node.items, other.items)
        if node.private and not node.items.private:
            make_private(node.items)
    _absorb_object(node, other)


def _absorb_object(node: Node, other: Node) -> None:
    node.keyed += other.keyed
    node.distinct = joined(node.distinct, other.distinct)
    if other.other is not None:
        if node.other is None:
            node.other = Node(open=True)
        absorb(node.other, other.other)
    for key, child in other.children.items():
        mine = node.children.get(key)
        if mine is None:
            mine = node.children[key] = Node(open=child.open)
        absorb(mine, child)
    node.many_variants = node.many_variants or other.many_variants
    if not node.many_variants:
        for key, variant in other.variants.items():
            node.variants.setdefault(key, Variant()).absorb(variant)
        node.many_variants = len(node.variants) > MAX_VARIANTS
    if node.many_variants:
        node.variants = {}
    if node.folded or other.folded or len(node.children) > MAX_CHILDREN:
        fold(node)


def merge(a: Node, b: Node) -> Node:
    """Return what *a* and *b* say together; neither is changed. Commutative and associative."""
    merged = Node()
    absorb(merged, a)
    absorb(merged, b)
    return merged


def _least(a: int, b: int) -> int:
    return b if a < 0 else a if b < 0 else min(a, b)


def _add(counts: dict[str, int], more: dict[str, int]) -> None:
    for key, count in more.items():
        counts[key] = counts.get(key, 0) + count
