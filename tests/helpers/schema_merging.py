"""Schema nodes added to each other, field by field: the oracle of ``learn/schema/merging.pyx``."""

from __future__ import annotations

from levo.satellite.learn.schema.hyperloglog import joined
from levo.satellite.learn.schema.node import MAX_CHILDREN, MAX_LABELS, MAX_VARIANTS, Node, Variant
from levo.satellite.learn.schema.text import MIXED


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
            mine_too = node.variants.setdefault(key, Variant())
            mine_too.objects += variant.objects
            _add(mine_too.present, variant.present)
        node.many_variants = len(node.variants) > MAX_VARIANTS
    if node.many_variants:
        node.variants = {}
    if node.folded or other.folded or len(node.children) > MAX_CHILDREN:
        fold(node)


def _least(a: int, b: int) -> int:
    return b if a < 0 else a if b < 0 else min(a, b)


def _add(counts: dict[str, int], more: dict[str, int]) -> None:
    for key, count in more.items():
        counts[key] = counts.get(key, 0) + count
