"""The decision per field."""

from __future__ import annotations

import random

import pytest

from levo.satellite.learn.schema import Node, Observer
from levo.satellite.learn.sensitive.decide import above_half, decide
from levo.satellite.learn.sensitive.detectors import Detectors

DETECTORS = Detectors()


def field(values: list[str]) -> Node:
    node = Node()
    for value in values:
        Observer(DETECTORS.checks_for(value)).observe(node, value)
    return node


def test_one_value_counts_for_more_where_the_name_says_so() -> None:
    node = field(["4111111111111111"])
    found = decide("cardNumber", "", node)

    assert found is not None and found.kind == "payment-card" and found.by_name
    assert decide("value", "", node) is None


def test_order_numbers_that_pass_luhn_are_not_cards() -> None:
    assert decide("orderNumber", "", field(["4111111111111111", "4012888888881881"] * 20)) is None


def test_chance_hits_are_not_enough() -> None:
    rng = random.Random(3)
    assert decide("value", "", field([str(rng.randrange(10**15, 10**16)) for _ in range(200)])) is None


def test_texts_that_contain_addresses() -> None:
    found = decide("message", "", field(["mail me@example.org", "hello there"] * 10))

    assert found is not None and found.kind == "email" and found.contained


def test_names_decide_only_if_the_values_can_be_such() -> None:
    assert decide("firstName", "", field(["Ottilie", "Per"])) is not None
    assert decide("firstName", "", field(["3f2504e0-4f89-41d3-9a0c-0305e82c3301"])) is None
    assert decide("firstName", "", Node()) is None


@pytest.mark.parametrize(("a", "b", "expected"), [(1, 1, 0.5), (2, 1, 0.75), (5, 1, 31 / 32), (50, 50, 0.5)])
def test_the_posterior_has_its_textbook_values(a: float, b: float, expected: float) -> None:
    assert above_half(a, b) == pytest.approx(expected, abs=0.002)
