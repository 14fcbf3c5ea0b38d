"""The laws of schema state, over generated JSON."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from levo.satellite.learn.schema import Node, Observer, merge, pack_node, unpack_node
from levo.satellite.learn.schema.node import MAX_CHILDREN
from tests.helpers.effort import scaled

KEYS = st.sampled_from(["type", "name", "id", "items", "password", "8f14e45fceea167a", "a@b.example.com"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False)
    | st.sampled_from(["pending", "paid", "x1", "2024-05-17", "user@example.com", ""])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)


def learned(values: list[Any]) -> Node:
    node = Node()
    for value in values:
        Observer().observe(node, value)
    return node


@given(st.lists(VALUES, max_size=6), st.lists(VALUES, max_size=6), st.lists(VALUES, max_size=6))
@settings(max_examples=scaled(60), deadline=None)
def test_merging_is_learning_together_in_any_order_and_grouping(
    a: list[Any], b: list[Any], c: list[Any]
) -> None:
    together = learned(a + b + c)

    assert merge(merge(learned(a), learned(b)), learned(c)) == together
    assert merge(learned(a), merge(learned(b), learned(c))) == together
    assert merge(learned(c), merge(learned(b), learned(a))) == together


@given(st.lists(VALUES, max_size=6))
@settings(max_examples=scaled(40), deadline=None)
def test_a_node_survives_storage(values: list[Any]) -> None:
    node = learned(values)

    assert unpack_node(pack_node(node)) == node
    assert merge(node, Node()) == node


@given(st.integers(1, MAX_CHILDREN), st.integers(1, MAX_CHILDREN))
@settings(max_examples=scaled(20), deadline=None)
def test_objects_with_too_many_properties_are_folded_alike_wherever_they_were_learned(a: int, b: int) -> None:
    def batch(start: int, count: int) -> list[Any]:
        return [{f"p{chr(97 + n % 26)}{'x' * (n // 26)}": n} for n in range(start, start + count)]

    one, other = batch(0, a), batch(a, b)

    assert merge(learned(one), learned(other)) == learned(one + other)
    assert len(learned(one + other).children) <= MAX_CHILDREN


def test_the_properties_of_a_large_object_are_kept_apart() -> None:
    """As the records have that people define on public platforms."""
    fields = {f"field{a}{b}": "x" for a in "abcdefghijklmnopqrstuvwxyz" for b in "abcdefghijklmnopqrstuvwxyz"}

    assert len(learned([fields]).children) == len(fields) == 676


def test_no_value_is_in_the_stored_form() -> None:
    secrets = ["Ottilie Kvarnström", "correct horse battery", "4929123412341234", "kx93-aa-17"]
    keys = ["ottilie@kvarn.example", "4929123412341234", "kx93f10c-aa17-4e55"]
    node = learned([{"name": s, "n": 4929123412341234, k: s, "list": [s]} for s in secrets for k in keys] * 3)
    stored = pack_node(node)

    assert not [s for s in (*secrets, *keys) if s.encode() in stored]
    assert (4929123412341234).to_bytes(8) not in stored


def test_only_public_words_become_labels_and_none_where_the_name_is_private() -> None:
    node = learned([{"status": "pending", "password": "pending", "color": "kvarnblue"}])

    assert node.children["status"].labels == {"pending": 1}
    assert node.children["password"].labels == {} == node.children["color"].labels
