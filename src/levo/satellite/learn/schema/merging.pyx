"""Adds schema nodes to each other: what runs for every node of every place that learned something.

The nodes and their meaning are in ``node.py``. Most fields of most nodes are as they were made, so what is not set
is not touched.
"""

from levo.satellite.learn.schema.hyperloglog import joined
from levo.satellite.learn.schema.node import MAX_CHILDREN, MAX_LABELS, MAX_VARIANTS, Node, Variant
from levo.satellite.learn.schema.text import MIXED

cdef object _Node = Node, _Variant = Variant, _joined = joined
cdef str _MIXED = MIXED
cdef Py_ssize_t _MOST_CHILDREN = MAX_CHILDREN, _MOST_LABELS = MAX_LABELS, _MOST_VARIANTS = MAX_VARIANTS


def absorb(node, other):
    """Add *other*, which is not changed, to *node*."""
    _absorb(node, other)


def merge(a, b):
    """Return what *a* and *b* say together; neither is changed. Commutative and associative."""
    merged = _Node()
    _absorb(merged, a)
    _absorb(merged, b)
    return merged


def make_private(node):
    """Note that strings here, and in arrays here, must not be labels."""
    while True:
        node.private = node.open = True
        node.labels = {}
        if node.items is None:
            return
        node = node.items


def fold(node):
    """Make a map of an object with too many properties."""
    other = node.other
    if other is None:
        other = _Node(open=True)
    for child in node.children.values():
        _absorb(other, child)
    node.other = other
    node.keyed = 0
    node.children = {}
    node.folded = True
    node.many_variants = True
    node.variants = {}


cdef int _absorb(object node, object other) except -1:
    cdef object more = other.strings
    if more:
        node.strings += more
        _absorb_strings(node, other)
    _absorb_scalars(node, other)
    if other.private and not node.private:
        make_private(node)
    if other.open and not node.open:
        node.open = True
        node.labels = {}
    more = other.finds
    if more:
        _add(node.finds, more)
    if other.arrays or other.items is not None:
        _absorb_array(node, other)
    more = other.objects
    if more:
        node.objects += more
        node.distinct = _joined(node.distinct, other.distinct)
    _absorb_object(node, other)
    return 0


cdef int _absorb_scalars(object node, object other) except -1:
    cdef object more = other.integers
    if more:
        node.integers += more
        if other.bits > node.bits:
            node.bits = other.bits
    more = other.scanned
    if more:
        node.scanned += more
    more = other.nulls
    if more:
        node.nulls += more
    more = other.booleans
    if more:
        node.booleans += more
    more = other.numbers
    if more:
        node.numbers += more
    if other.negative:
        node.negative = True
    return 0


cdef int _absorb_array(object node, object other) except -1:
    cdef object more = other.arrays
    if more:
        node.arrays += more
        if node.fewest < 0 or 0 <= other.fewest < node.fewest:
            node.fewest = other.fewest
        if other.most > node.most:
            node.most = other.most
    more = other.items
    if more is not None:
        items = node.items
        if items is None:
            items = node.items = _Node(open=more.open)
        _absorb(items, more)
        if node.private and not items.private:
            make_private(items)
    return 0


cdef int _absorb_strings(object node, object other) except -1:
    cdef dict labels
    cdef object known
    if node.shortest < 0 or 0 <= other.shortest < node.shortest:
        node.shortest = other.shortest
    if other.longest > node.longest:
        node.longest = other.longest
    more = other.format
    if more:
        known = node.format
        if known != more:
            node.format = _MIXED if known else more
    if not node.open and other.labels:
        labels = node.labels
        _add(labels, other.labels)
        if len(labels) > _MOST_LABELS:
            node.open = True
            node.labels = {}
    return 0


cdef int _absorb_object(object node, object other) except -1:
    cdef dict children
    cdef bint many
    more = other.keyed
    if more:
        node.keyed += more
    more = other.other
    if more is not None:
        if node.other is None:
            node.other = _Node(open=True)
        _absorb(node.other, more)
    children = node.children
    for key, child in (<dict>other.children).items():
        mine = children.get(key)
        if mine is None:
            mine = children[key] = _Node(open=child.open)
        _absorb(mine, child)
    many = node.many_variants
    if other.many_variants:
        if not many:
            node.many_variants = many = True
            node.variants = {}
    elif not many:
        more = other.variants
        if more:
            variants = node.variants
            for key, variant in (<dict>more).items():
                mine = variants.get(key)
                if mine is None:
                    mine = variants[key] = _Variant()
                mine.objects += variant.objects
                _add(mine.present, variant.present)
            if len(variants) > _MOST_VARIANTS:
                node.many_variants = True
                node.variants = {}
    if node.folded or other.folded or len(children) > _MOST_CHILDREN:
        fold(node)
    return 0


cdef int _add(dict counts, dict more) except -1:
    for key, count in more.items():
        known = counts.get(key)
        counts[key] = count if known is None else known + count
    return 0
