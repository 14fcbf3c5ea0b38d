"""A schema as a mergeable value: what has been seen at one place of a message, counted.

A node never holds a value. It holds how many values of each JSON type were there, the lattice of their
formats and sizes, and the nodes of what is inside. ``observe`` adds a value, ``absorb`` adds another node;
both only add, take the greater, the lesser or the union, so any order and partition gives the same node.
What it all means (required, map, enum, closed) is decided by ``levo.satellite.openapi``, never here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from levo.satellite.learn.schema.labels import is_label, may_have_labels
from levo.satellite.learn.schema.text import MIXED, Binary, Text, is_name, scalar, text_format

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
    """Values recognised as sensitive data, by kind."""
    variants: dict[str, Variant] = msgspec.field(default_factory=dict)
    """By ``discriminator=label``."""
    many_variants: bool = False
    scanned: int = 0
    """Scalars in which sensitive data was looked for."""
    private: bool = False
    """The name of the property says that its strings must not be labels."""

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


class Observer:
    """Adds values to nodes. One per body or parameter set: it knows which checks can matter there."""

    __slots__ = ("_budget", "_checks", "_scan")

    def __init__(self, checks: Sequence[Check] = (), budget: int = MAX_NODES) -> None:
        """*checks* are applied to every scalar; *budget* bounds the new nodes."""
        self._checks = checks
        self._scan = True
        self._budget = budget

    def observe(self, node: Node, value: Any, depth: int = 0) -> None:
        """Add *value*, as ``orjson`` returns it (or :class:`Text`, :class:`Binary`), to *node*."""
        kind = type(value)
        if kind is str:
            self._string(node, value)
        elif kind is int:
            node.integers += 1
            bits = value.bit_length()
            if bits > node.bits:
                node.bits = bits
            if value < 0:
                node.negative = True
            if self._scan:
                node.scanned += 1
                if bits > 19 and self._checks:
                    self._check(node, str(value))
        elif kind is dict:
            node.objects += 1
            if depth < MAX_DEPTH:
                self._object(node, value, depth)
        elif kind is list:
            node.arrays += 1
            count = len(value)
            if node.fewest < 0 or count < node.fewest:
                node.fewest = count
            if count > node.most:
                node.most = count
            if count and depth < MAX_DEPTH:
                items = node.items
                if items is None:
                    items = node.items = Node(open=node.private, private=node.private)
                    self._budget -= 1
                observe = self.observe
                scan = self._scan
                for index, item in enumerate(value):
                    if index == SCANNED_ITEMS:
                        self._scan = False
                    observe(items, item, depth + 1)
                self._scan = scan
        elif value is None:
            node.nulls += 1
        elif kind is bool:
            node.booleans += 1
        elif kind is float:
            node.numbers += 1
            if value < 0:
                node.negative = True
            if self._scan:
                node.scanned += 1
        elif kind is Text:
            self._text(node, value)
        elif kind is Binary:
            node.strings += 1
            node.open = True
            node.format = "binary" if node.format in ("", "binary") else MIXED

    def _object(self, node: Node, value: dict[str, Any], depth: int) -> None:
        observe, children, depth = self.observe, node.children, depth + 1
        keyed = False
        for key, item in value.items():
            child = children.get(key)
            if child is None:
                if node.folded or self._budget <= 0 or not is_name(key):
                    keyed = True
                    if node.other is None:
                        node.other = Node(open=True)
                    observe(node.other, item, depth)
                    continue
                private = not may_have_labels(key)
                child = children[key] = Node(open=private, private=private)
                self._budget -= 1
                if len(children) > MAX_CHILDREN:
                    observe(child, item, depth)
                    fold(node)
                    children = node.children
                    keyed = True
                    continue
            observe(child, item, depth)
        if keyed and not node.folded:
            node.keyed += 1
        if not node.many_variants:
            for name in DISCRIMINATORS:
                if name in value:
                    self._variant(node, name, value)
                    break

    def _variant(self, node: Node, name: str, value: dict[str, Any]) -> None:
        label = value[name]
        if type(label) is not str or not is_label(label) or node.folded:
            node.many_variants = True
            node.variants = {}
            return
        key = f"{name}={label}"
        variant = node.variants.get(key)
        if variant is None:
            variant = node.variants[key] = Variant()
        variant.objects += 1
        present = variant.present
        for each in value:
            if each in node.children:
                present[each] = present.get(each, 0) + 1
        if len(node.variants) > MAX_VARIANTS:
            node.many_variants = True
            node.variants = {}

    def _string(self, node: Node, value: str) -> None:
        node.strings += 1
        size = len(value)
        if size > node.longest:
            node.longest = size
        if size < node.shortest or node.shortest < 0:
            node.shortest = size
        if node.format != MIXED:
            name = text_format(value)
            if name != node.format:
                node.format = MIXED if node.format else name
        if not node.open:
            if is_label(value):
                labels = node.labels
                labels[value] = labels.get(value, 0) + 1
                if len(labels) > MAX_LABELS:
                    node.open = True
                    node.labels = {}
            else:
                node.open = True
                node.labels = {}
        if self._scan:
            node.scanned += 1
            if self._checks and size > 6:
                self._check(node, value)

    def _text(self, node: Node, value: Text) -> None:
        plain = scalar(value)
        if type(plain) is str:
            self._string(node, plain)
        elif type(plain) is bool:
            node.booleans += 1
        else:
            self.observe(node, plain)

    def _check(self, node: Node, value: str) -> None:
        for check in self._checks:
            for kind in check(value):
                node.finds[kind] = node.finds.get(kind, 0) + 1


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
    node.private = node.private or other.private
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
    _absorb_object(node, other)


def _absorb_object(node: Node, other: Node) -> None:
    node.keyed += other.keyed
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
