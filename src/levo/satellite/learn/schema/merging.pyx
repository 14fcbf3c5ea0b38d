"""Adds schema nodes to each other: what runs for every node of every place that learned something.

The nodes and their meaning are in ``node.pyx``. Most fields of most nodes are as they were made, so what is not set
is not touched.
"""

from libc.stdint cimport uint64_t
from libc.string cimport memcpy

from levo.satellite.learn.schema.node cimport PLACES, Node, Variant, add_counts, levo_sum, new_node

from levo.satellite.learn.schema.node import MAX_CHILDREN, MAX_LABELS, MAX_VARIANTS
from levo.satellite.learn.schema.text import MIXED

cdef str _MIXED = MIXED
cdef Py_ssize_t _MOST_CHILDREN = MAX_CHILDREN, _MOST_LABELS = MAX_LABELS, _MOST_VARIANTS = MAX_VARIANTS


def absorb(Node node not None, Node other not None):
    """Add *other*, which is not changed, to *node*."""
    absorb_node(node, other)


def merge(Node a not None, Node b not None):
    """Return what *a* and *b* say together; neither is changed. Commutative and associative."""
    cdef Node merged = new_node(False)
    absorb_node(merged, a)
    absorb_node(merged, b)
    return merged


def make_private(Node node not None):
    """Note that strings here, and in arrays here, must not be labels."""
    hide_labels(node)


def fold(Node node not None):
    """Make a map of an object with too many properties."""
    fold_node(node)


cdef int hide_labels(Node node) noexcept:
    while node is not None:
        node.private = node.open = True
        node._labels = None
        node = node.items
    return 0


cdef int fold_node(Node node) except -1:
    cdef Node other = node.other
    if other is None:
        other = new_node(True)
    if node._children is not None:
        for child in node._children.values():
            absorb_node(other, <Node?>child)
    node.other = other
    node.keyed = 0
    node._children = None
    node.folded = True
    node.many_variants = True
    node._variants = None
    return 0


cdef int absorb_node(Node node, Node other) except -1:
    if node is None or other is None:
        raise TypeError("no node")
    if other.strings:
        node.strings = levo_sum(node.strings, other.strings)
        _absorb_strings(node, other)
    _absorb_scalars(node, other)
    if other.private and not node.private:
        hide_labels(node)
    if other.open and not node.open:
        node.open = True
        node._labels = None
    if other._finds is not None:
        if node._finds is None:
            node._finds = {}
        add_counts(node._finds, other._finds)
    if other.arrays or other.items is not None:
        _absorb_array(node, other)
    if other.objects:
        node.objects = levo_sum(node.objects, other.objects)
        if other.sketch != NULL:
            _join(node, other)
    _absorb_object(node, other)
    return 0


cdef inline void _absorb_scalars(Node node, Node other) noexcept:
    if other.integers:
        node.integers = levo_sum(node.integers, other.integers)
        node.bits = max(node.bits, other.bits)
    node.scanned = levo_sum(node.scanned, other.scanned)
    node.nulls = levo_sum(node.nulls, other.nulls)
    node.booleans = levo_sum(node.booleans, other.booleans)
    node.numbers = levo_sum(node.numbers, other.numbers)
    node.negative |= other.negative


cdef int _join(Node node, Node other) except -1:
    """Add the sketch of *other*."""
    cdef uint64_t mine, more
    cdef int place
    node.count_in()
    for place in range(0, PLACES, sizeof(uint64_t)):
        memcpy(&mine, node.sketch + place, sizeof(uint64_t))
        memcpy(&more, other.sketch + place, sizeof(uint64_t))
        mine |= more
        memcpy(node.sketch + place, &mine, sizeof(uint64_t))
    return 0


cdef int _absorb_array(Node node, Node other) except -1:
    cdef Node items = node.items, more = other.items
    if other.arrays:
        node.arrays = levo_sum(node.arrays, other.arrays)
        if node.fewest < 0 or 0 <= other.fewest < node.fewest:
            node.fewest = other.fewest
        node.most = max(node.most, other.most)
    if more is not None:
        if items is None:
            items = node.items = new_node(more.open)
        absorb_node(items, more)
        if node.private and not items.private:
            hide_labels(items)
    return 0


cdef int _absorb_strings(Node node, Node other) except -1:
    if node.shortest < 0 or 0 <= other.shortest < node.shortest:
        node.shortest = other.shortest
    node.longest = max(node.longest, other.longest)
    if other._format is not node._format and other._format and node._format != other._format:
        node._format = _MIXED if node._format else other._format
    if not node.open and other._labels is not None:
        if node._labels is None:
            node._labels = {}
        add_counts(node._labels, other._labels)
        if len(node._labels) > _MOST_LABELS:
            node.open = True
            node._labels = None
    return 0


cdef int _absorb_object(Node node, Node other) except -1:
    cdef Node mine, child
    node.keyed = levo_sum(node.keyed, other.keyed)
    if other.other is not None:
        if node.other is None:
            node.other = new_node(True)
        absorb_node(node.other, other.other)
    if other._children is not None:
        if node._children is None:
            node._children = {}
        for key, value in other._children.items():
            child = <Node?>value
            found = node._children.get(key)
            if found is None:
                mine = node._children[key] = new_node(child.open)
            else:
                mine = <Node?>found
            absorb_node(mine, child)
    if other.many_variants:
        node.many_variants = True
        node._variants = None
    elif not node.many_variants and other._variants is not None:
        _absorb_variants(node, other._variants)
    if node.folded or other.folded or (
        node._children is not None and len(node._children) > _MOST_CHILDREN
    ):
        fold_node(node)
    return 0


cdef int _absorb_variants(Node node, dict more) except -1:
    cdef Variant mine, variant
    if node._variants is None:
        node._variants = {}
    for key, value in more.items():
        variant = <Variant?>value
        found = node._variants.get(key)
        if found is None:
            mine = node._variants[key] = Variant.__new__(Variant)
        else:
            mine = <Variant?>found
        mine.objects = levo_sum(mine.objects, variant.objects)
        if variant._present is not None:
            if mine._present is None:
                mine._present = {}
            add_counts(mine._present, variant._present)
    if len(node._variants) > _MOST_VARIANTS:
        node.many_variants = True
        node._variants = None
    return 0
