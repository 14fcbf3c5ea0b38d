"""Sketches of different objects, against counting them exactly."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from levo.satellite.learn.schema import Node, Observer, merge, pack_node, unpack_node
from levo.satellite.learn.schema.hyperloglog import REGISTERS, estimate, hash_key, joined
from tests.helpers.effort import scaled
from tests.satellite.learn.schema.test_node import VALUES

KEY = hash_key(b"of a test")


def counted(asked: Iterable[tuple[str, str, Any]], key: bytes = KEY) -> Node:
    """Learn (path, rest of the request, answer)."""
    node = Node()
    for path, request, value in asked:
        Observer(key=key, path=path, request=request).observe(node, value)
    return node


def evidence(*asked: tuple[str, str, Any]) -> int:
    return round(counted(asked).evidence)


@pytest.mark.parametrize(
    ("different", "error"),
    [(1, 0.01), (3, 0.2), (10, 0.15), (20, 0.15), (60, 0.18), (300, 0.2), (5000, 0.22)],
)
def test_the_estimate_is_near_what_is_counted_exactly(different: int, error: float) -> None:
    values = [{"name": f"n{n}", "size": n % 7} for n in range(different)]
    found = [
        counted((("/x", "", value) for value in values * 2), hash_key(b"%d" % key)).evidence
        for key in range(12)
    ]

    spread = (sum((each / different - 1) ** 2 for each in found) / len(found)) ** 0.5
    assert spread < error and abs(sum(found) / len(found) / different - 1) < error


def test_no_more_different_objects_than_objects_and_all_of_them_where_nothing_is_counted() -> None:
    assert all(counted(("/x", "", {"n": i}) for i in range(n)).evidence <= n for n in range(1, 80))
    assert Node(objects=7).evidence == 7.0
    assert estimate(b"\xff" * REGISTERS) > 5000


@given(st.lists(VALUES, max_size=6), st.lists(VALUES, max_size=6), st.lists(VALUES, max_size=6))
@settings(max_examples=scaled(60), deadline=None)
def test_merging_is_learning_together_and_repeating_adds_no_evidence(
    a: list[Any], b: list[Any], c: list[Any]
) -> None:
    def learned(values: list[Any]) -> Node:
        return counted(("/p", "q", value) for value in values)

    together = learned(a + b + c)

    assert merge(merge(learned(a), learned(b)), learned(c)) == together
    assert merge(learned(c), merge(learned(b), learned(a))) == together
    twice = merge(together, together)
    sketches = zip(together.walk(), twice.walk(), strict=True)
    assert all(node.distinct == again.distinct for node, again in sketches)
    assert unpack_node(pack_node(together)) == together


@given(st.lists(st.binary(min_size=REGISTERS, max_size=REGISTERS) | st.just(b""), min_size=3, max_size=3))
def test_joining_is_a_union(sketches: list[bytes]) -> None:
    a, b, c = sketches

    assert joined(a, b) == joined(b, a)
    assert joined(joined(a, b), c) == joined(a, joined(b, c))
    assert joined(a, a) == a == joined(a, b"")
    assert joined(joined(a, b), b) == joined(a, b)


def test_what_has_an_id_is_the_same_whatever_else_changes() -> None:
    assert evidence(("/me", "", {"id": 7, "mood": "good"}), ("/me", "", {"id": 7, "mood": "bad"})) == 1
    assert evidence(*(("/users", "", [{"id": f"u{n % 4}", "seen": n}]) for n in range(40))) == 0
    items = counted(("/users", "", [{"id": f"u{n % 4}", "seen": n}]) for n in range(40)).items
    assert items is not None and round(items.evidence) == 4
    assert evidence(*((f"/checks/{n}", "", {"id": "last"}) for n in range(4))) == 4


def test_fractions_and_times_are_made_anew_for_each_answer() -> None:
    answers = [{"up": n / 7, "now": f"2026-11-22T04:{n:02}:00Z", "state": "ok"} for n in range(9)]

    assert evidence(*(("/health", "", answer) for answer in answers)) == 1
    assert evidence(*(("/health", "", {**answer, "n": n}) for n, answer in enumerate(answers[:4]))) == 4


def test_the_same_answer_to_another_question_is_news_but_not_in_a_list() -> None:
    flushed = {"result": "flushed"}
    listed = [{"name": "red"}]

    assert evidence(*(("/flush", f"zone={n}", flushed) for n in range(4))) == 4
    items = counted(("/colors", f"page={n}", listed) for n in range(4)).items
    assert items is not None and round(items.evidence) == 1


def test_parts_are_told_apart_by_what_they_are_part_of() -> None:
    users = counted(
        ("/users", "", [{"id": n % 5, "home": {"kind": "flat"}, "tags": [{"t": "a"}]}]) for n in range(25)
    )

    assert users.items is not None
    home, tags = users.items.children["home"], users.items.children["tags"].items
    assert tags is not None and home.objects == tags.objects == 25
    assert round(home.evidence) == round(tags.evidence) == 5


@given(st.dictionaries(st.text(max_size=12), VALUES, min_size=1, max_size=6))
@settings(max_examples=scaled(60), deadline=None)
def test_the_order_of_properties_does_not_matter_and_the_key_does(value: dict[str, Any]) -> None:
    turned = dict(reversed(value.items()))

    assert counted([("/x", "", value)]).distinct == counted([("/x", "", turned)]).distinct
    marks = {counted([("/x", "", value)], hash_key(b"%d" % n)).distinct for n in range(20)}
    assert len(marks) > 5


def test_texts_of_any_kind_can_be_hashed() -> None:
    texts = ["", "a", "a\0", "é", "\ud800", "x" * 7, "x" * 8, "x" * 9, "日本"]

    assert round(counted(("/x", "", {"t": text}) for text in texts).evidence) >= 8
