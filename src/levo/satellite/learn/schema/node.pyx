"""A schema as a mergeable value: what has been seen at one place of a message, counted.

A node never holds a value. It holds how many values of each JSON type were there, the lattice of their
formats and sizes, and the nodes of what is inside. ``Observer`` (``observe.pyx``) adds a value, ``absorb``
(``merging.pyx``) adds another node; both only add, take the greater, the lesser or the union, so any order
and partition gives the same node. What it all means (required, map, enum, closed) is decided by
``levo.satellite.openapi``, never here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from levo.satellite.learn.schema.hyperloglog import estimate

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
