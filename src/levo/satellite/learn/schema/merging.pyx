"""Adds schema nodes to each other: what runs for every node of every place that learned something.

The nodes and their meaning are in ``node.pyx``. Most fields of most nodes are as they were made, so what is not set
is not touched.
"""

from libc.stdint cimport uint64_t
from libc.string cimport memcpy

from levo.satellite.learn.schema.node cimport PLACES, Node, Variant, add_counts, levo_sum, new_node

from levo.satellite.learn.schema.names import MARK
from levo.satellite.learn.schema.node import KEPT_UNPROVEN, MAX_CHILDREN, MAX_LABELS, MAX_UNPROVEN, MAX_VARIANTS
from levo.satellite.learn.schema.text import MIXED

cdef str _MIXED = MIXED, _MARK = MARK
cdef Py_ssize_t _MOST_UNPROVEN = MAX_UNPROVEN, _KEPT_UNPROVEN = KEPT_UNPROVEN
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


cdef bint is_unproven(str name, Node child) noexcept:
    """Whether the *name* that leads to *child* is none yet, as far as *child* knows."""
    return name.startswith(_MARK) or (child.sightings is not None and not child.sightings.proven)


cdef int crowd_node(Node node) except -1:
    """Make room where there are more properties than may be kept.

    Proven names beyond the bound make a map of all. Where too many are not proven, what was seen most often of them
    stays, and where that is equal, what has the least keyed hashes, so that no spelling helps; the others go into
    ``other``.
    """
    cdef list unproven = []
    cdef Py_ssize_t proven = 0, room
    cdef Node child, other
    for name, value in node._children.items():
        child = <Node?>value
        if is_unproven(name, child):
            unproven.append((-child.total, name if child.sightings is None else child.sightings.mark, name))
        else:
            proven += 1
    if proven > _MOST_CHILDREN:
        return fold_node(node)
    if len(unproven) <= _MOST_UNPROVEN:
        return 0
    node.crowded = node.many_variants = True
    node._variants = None
    room = min(_KEPT_UNPROVEN, _MOST_CHILDREN - proven)
    other = node.other
    if other is None:
        other = node.other = new_node(True)
    unproven.sort()
    for _, _, name in unproven[room:]:
        child = <Node?>node._children.pop(name)
        if child.private and not other.private:
            hide_labels(other)
        absorb_node(other, child)
    return 0


cdef dict renamed(dict counts, dict names):
    """Return *counts* with those names changed that are in *names*; what becomes one is added."""
    cdef dict found = {}
    for name, count in counts.items():
        name = names.get(name, name)
        if name is not None:
            found[name] = found.get(name, 0) + count
    return found


cdef int _rename(Node node, dict changed) except -1:
    """Give children other names; None takes them away."""
    cdef Node child
    cdef Variant variant
    for name, new in changed.items():
        child = <Node?>node._children.pop(name)
        child.sightings = None
        if new is None:
            continue
        known = node._children.get(new)
        if known is None:
            node._children[new] = child
        else:
            (<Node?>known).sightings = None
            absorb_node(<Node?>known, child)
    if node._variants is not None:
        for value in node._variants.values():
            variant = <Variant?>value
            if variant._present is not None:
                variant._present = renamed(variant._present, changed)
    return 0


cdef int rename_node(Node node, object names) except -1:
    """Make of names what *names* says they are now: text where they are proven, marks otherwise."""
    cdef dict changed = None
    for value in node.walk():
        node = <Node?>value
        if node._children is None:
            continue
        changed = None
        for name in node._children:
            new = names.settled(name)
            if new is not name and new != name:
                if changed is None:
                    changed = {}
                changed[name] = new
        if changed is not None:
            _rename(node, changed)
        if len(node._children) > _MOST_UNPROVEN:
            crowd_node(node)
    return 0


cdef int reveal_node(Node node, object names) except -1:
    """Make text of marks as far as *names* knows it, and count the others in place of them."""
    cdef dict changed
    cdef list stack = [node]
    cdef Node child
    while stack:
        node = <Node>stack.pop()
        if node._children is not None:
            changed = None
            for name in node._children:
                new = names.revealed(name)
                if new is not name and new != name:
                    if changed is None:
                        changed = {}
                    changed[name] = new
                    node.unnamed += new is None
            if changed is not None:
                _rename(node, changed)
            for name, value in node._children.items():
                child = <Node?>value
                child.alone = names.is_alone(name)
                stack.append(child)
        if node.other is not None:
            stack.append(node.other)
        if node.items is not None:
            stack.append(node.items)
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
                mine.sightings = child.sightings
            else:
                mine = <Node?>found
                if mine.sightings is not None and not is_unproven(key, child):
                    mine.sightings = None
            absorb_node(mine, child)
    if other.many_variants:
        node.many_variants = True
        node._variants = None
    elif not node.many_variants and other._variants is not None:
        _absorb_variants(node, other._variants)
    node.unnamed += other.unnamed
    node.crowded |= other.crowded
    node.alone |= other.alone
    if node.folded or other.folded:
        fold_node(node)
    elif node._children is not None and len(node._children) > _MOST_UNPROVEN:
        if len(node._children) > 2 * (_MOST_CHILDREN + _MOST_UNPROVEN) or not any(
            [name[0] == _MARK for name in node._children]
        ):
            crowd_node(node)  # else a name and its mark may be there (``rename_node``)
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
