"""A schema as a mergeable value: what has been seen at one place of a message, counted.

A node never holds a value. It holds how many values of each JSON type were there, the lattice of their
formats and sizes, and the nodes of what is inside. ``Observer`` (``observe.pyx``) adds a value, ``absorb``
(``merging.pyx``) adds another node; both only add, take the greater, the lesser or the union, so any order
and partition gives the same node. What it all means (required, map, enum, closed) is decided by
``levo.satellite.openapi``, never here.
"""

cimport cython
from collections.abc import Callable, Sequence

from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy

from levo.satellite.learn.schema.hyperloglog import RANKS, REGISTERS, estimate

assert (PLACES, HIGHEST) == (REGISTERS, RANKS)

MAX_DEPTH = 20
"""Deeper values are counted, not looked into."""
MAX_CHILDREN = 1000
"""More properties with proven names than these are folded into one node for all of them. The largest objects that
public platforms let people define have 800 to 900 fields."""
MAX_UNPROVEN = 320
"""Properties with unproven names beside those. Where there are more, :data:`KEPT_UNPROVEN` stay apart."""
KEPT_UNPROVEN = 80
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


_VARIANT = {"objects": 0, "present": {}}
_NODE = {
    "nulls": 0,
    "booleans": 0,
    "integers": 0,
    "numbers": 0,
    "strings": 0,
    "objects": 0,
    "arrays": 0,
    "negative": False,
    "bits": 0,
    "shortest": -1,
    "longest": 0,
    "format": "",
    "open": False,
    "labels": {},
    "children": {},
    "other": None,
    "keyed": 0,
    "folded": False,
    "items": None,
    "fewest": -1,
    "most": 0,
    "finds": {},
    "variants": {},
    "many_variants": False,
    "scanned": 0,
    "private": False,
    "distinct": b"",
    "crowded": False,
}
"""The fields in the order of the stored form (``packing.pyx``: add at the end only), with their defaults."""


cdef dict values_of(object self, dict fields):
    """Return the values of *fields*, given with their defaults, that differ from these."""
    return {name: getattr(self, name) for name, default in fields.items() if getattr(self, name) != default}


cdef str shown(object self, dict fields):
    """Return *self* as ``repr`` shows it."""
    values = ", ".join(f"{name}={value!r}" for name, value in values_of(self, fields).items())
    return f"{type(self).__name__}({values})"


def made(kind, values):
    """Return what :func:`values_of` took apart, as unpickling does."""
    return kind(**values)


cdef int add_counts(dict counts, dict more) except -1:
    """Add *more* to *counts*."""
    for key, count in more.items():
        known = counts.get(key)
        counts[key] = count if known is None else known + count
    return 0


@cython.final
@cython.no_gc
@cython.freelist(64)
cdef class Variant:
    """Which properties objects had that carried one value of a discriminator: ``objects``, ``present``."""

    def __init__(self, int64_t objects=0, dict present=None):
        self.objects = objects
        self._present = present

    @property
    def present(self):
        """Objects by property."""
        if self._present is None:
            self._present = {}
        return self._present

    @present.setter
    def present(self, dict value):
        self._present = value

    def __eq__(self, other):
        return isinstance(other, Variant) and values_of(self, _VARIANT) == values_of(other, _VARIANT)

    def __repr__(self):
        return shown(self, _VARIANT)

    def __reduce__(self):
        return made, (Variant, values_of(self, _VARIANT))


@cython.final
@cython.no_gc
@cython.freelist(256)
cdef class Node:
    """One place in a schema. Its fields are described in ``node.pyi``."""

    def __init__(
        self,
        int64_t nulls=0,
        int64_t booleans=0,
        int64_t integers=0,
        int64_t numbers=0,
        int64_t strings=0,
        int64_t objects=0,
        int64_t arrays=0,
        bint negative=False,
        int64_t bits=0,
        int64_t shortest=-1,
        int64_t longest=0,
        str format="",
        bint open=False,
        dict labels=None,
        dict children=None,
        Node other=None,
        int64_t keyed=0,
        bint folded=False,
        Node items=None,
        int64_t fewest=-1,
        int64_t most=0,
        dict finds=None,
        dict variants=None,
        bint many_variants=False,
        int64_t scanned=0,
        bint private=False,
        bytes distinct=b"",
        bint crowded=False,
    ):
        self.nulls = nulls
        self.booleans = booleans
        self.integers = integers
        self.numbers = numbers
        self.strings = strings
        self.objects = objects
        self.arrays = arrays
        self.negative = negative
        self.bits = bits
        self.shortest = shortest
        self.longest = longest
        self.open = open
        self.other = other
        self.keyed = keyed
        self.folded = folded
        self.items = items
        self.fewest = fewest
        self.most = most
        self.many_variants = many_variants
        self.scanned = scanned
        self.private = private
        self.format = format
        self._labels = labels
        self._children = children
        self._finds = finds
        self._variants = variants
        self.distinct = distinct
        self.crowded = crowded

    def __cinit__(self):
        self.shortest = self.fewest = -1
        self._format = ""

    def __dealloc__(self):
        free(self.sketch)

    @property
    def format(self):
        """The format of all strings, empty before the first, ``MIXED`` when they differ or have none."""
        return self._format

    @format.setter
    def format(self, str value not None):
        self._format = value

    @property
    def labels(self):
        """Strings made of public words only, while all are."""
        if self._labels is None:
            self._labels = {}
        return self._labels

    @labels.setter
    def labels(self, dict value):
        self._labels = value

    @property
    def children(self):
        """Properties by name."""
        if self._children is None:
            self._children = {}
        return self._children

    @children.setter
    def children(self, dict value):
        self._children = value

    @property
    def finds(self):
        """Values recognized as sensitive data, by kind."""
        if self._finds is None:
            self._finds = {}
        return self._finds

    @finds.setter
    def finds(self, dict value):
        self._finds = value

    @property
    def variants(self):
        """By ``discriminator=label``."""
        if self._variants is None:
            self._variants = {}
        return self._variants

    @variants.setter
    def variants(self, dict value):
        self._variants = value

    @property
    def distinct(self):
        """About how many of ``objects`` were different (``evidence``); empty where that was not counted."""
        return (<char*>self.sketch)[:PLACES] if self.sketch != NULL else b""

    @distinct.setter
    def distinct(self, bytes value not None):
        if value and len(value) != PLACES:
            raise ValueError(f"a sketch has {PLACES} registers")
        if not value:
            free(self.sketch)
            self.sketch = NULL
            return
        self.count_in()
        memcpy(self.sketch, <char*>value, PLACES)

    cdef int count_in(self) except -1:
        """Make room for a sketch."""
        if self.sketch == NULL:
            self.sketch = <uint8_t*>calloc(1, PLACES)
            if self.sketch == NULL:
                raise MemoryError
        return 0

    @property
    def total(self):
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
    def evidence(self):
        """About how many different objects were seen here, all of ``objects`` where that was not counted."""
        if self.sketch == NULL:
            return float(self.objects)
        return min(float(self.objects), estimate(self.distinct))

    def size(self):
        """Return how many nodes there are from here down."""
        return len(self.walk())

    def walk(self):
        """Return this node and all below."""
        cdef list found = [self]
        cdef Node node
        cdef Py_ssize_t place = 0
        while place < len(found):
            node = found[place]
            place += 1
            if node._children is not None:
                found.extend(node._children.values())
            if node.other is not None:
                found.append(node.other)
            if node.items is not None:
                found.append(node.items)
        return found

    def __eq__(self, other):
        cdef Node one = self, two
        if not isinstance(other, Node):
            return NotImplemented
        two = other
        if (one.sketch == NULL) != (two.sketch == NULL):
            return False
        if one.sketch != NULL and memcmp(one.sketch, two.sketch, PLACES) != 0:
            return False
        return values_of(one, _NODE) == values_of(two, _NODE)

    def __repr__(self):
        return shown(self, _NODE)

    def __reduce__(self):
        return made, (Node, values_of(self, _NODE))
