"""Compiled merging says what the plain one says, whatever the nodes."""

from __future__ import annotations

import copy
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from levo.satellite.learn.schema import Node, absorb, merge, pack_node
from levo.satellite.learn.schema.merging import make_private
from levo.satellite.learn.schema.node import MAX_CHILDREN, MAX_LABELS, MAX_VARIANTS
from levo.satellite.learn.schema.observe import Observer
from tests.helpers import schema_merging

WORDS = ("active", "closed", "pending", "red", "green", "daily", "weekly", "GET", "EUR", "zxq", "2026-05-17")
NAMES = ("id", "type", "name", "password", "items", "a", "b", "17")
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 1 << 40)
    | st.floats(allow_nan=False)
    | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=12,
)


def observed(values: list[object]) -> Node:
    node = Node()
    for value in values:
        Observer(key=bytes(16)).observe(node, value)
    return node


@given(st.lists(VALUES, max_size=6), st.lists(VALUES, max_size=6))
def test_merging_agrees_with_the_plain_rules_and_with_seeing_it_all(a: list[object], b: list[object]) -> None:
    one, other = observed(a), observed(b)
    expected = copy.deepcopy(one)
    schema_merging.absorb(expected, other)

    assert pack_node(merge(one, other)) == pack_node(merge(other, one)) == pack_node(expected)
    assert pack_node(expected) == pack_node(observed([*a, *b]))


def test_beyond_the_bounds_it_agrees_too() -> None:
    rng = Random(1)
    names = [f"{a}{b}{c}{d}v" for a in "bdfgklm" for b in "aeiou" for c in "lmnrst" for d in "aeiouy"]
    states = ["active", "closed", "pending", *WORDS]

    def value() -> dict[str, object]:
        made: dict[str, object] = {rng.choice(names): rng.choice(states) for _ in range(200)}
        return made | {"type": rng.choice(states[:3]), "tags": [rng.choice(states)]}

    assert len(names) > MAX_CHILDREN and MAX_LABELS > 0 and MAX_VARIANTS > 0
    one, other = observed([value() for _ in range(9)]), observed([value() for _ in range(9)])
    expected = copy.deepcopy(one)
    schema_merging.absorb(expected, other)
    absorb(one, other)

    assert one.folded and pack_node(one) == pack_node(expected)


def test_what_is_private_is_so_in_its_arrays() -> None:
    node = observed([["active", ["closed"]]])
    make_private(node)

    assert node.items is not None and node.items.items is not None
    assert node.items.private and node.items.items.open and not node.items.labels
