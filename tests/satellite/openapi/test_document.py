"""Whole documents: valid, stable, the same however they were learned."""

from __future__ import annotations

import json
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate

from levo.satellite.learn import State, absorb, learn
from levo.satellite.openapi import render_document
from levo.satellite.openapi.catalog import operations_of
from levo.satellite.openapi.document import sensitive_fields
from tests.satellite.openapi.learned import operations, shop


@pytest.mark.parametrize("version", ["3.0", "3.1"])
def test_documents_are_valid(version: str) -> None:
    document = render_document("shop", operations(shop()), version=version)
    validate(document)

    assert list(document["paths"]) == ["/events", "/users", "/users/{userId}"]
    assert document["paths"]["/users"]["post"]["security"] == [{"bearer": []}]
    assert document["paths"]["/users"]["post"]["requestBody"]["required"]


@given(st.integers(0, 10_000))
@settings(max_examples=8, deadline=None)
def test_eight_learners_in_any_partition_and_order_write_the_same_octets(seed: int) -> None:
    rng, traces = Random(seed), shop(12)
    alone = json.dumps(render_document("shop", operations(traces)))
    rng.shuffle(traces)
    learners = [State() for _ in range(8)]
    for each in traces:
        learn(rng.choice(learners), each)
    rng.shuffle(learners)
    together = State()
    for learner in learners:
        absorb(together, learner)

    assert json.dumps(render_document("shop", operations_of(together))) == alone


def test_sensitive_fields_have_direction_and_position() -> None:
    post = next(o for o in operations(shop()) if o.method == "POST")

    assert {(f.direction, f.position, f.pointer, f.finding.kind) for f in sensitive_fields(post)} == {
        ("request", "request-body", "email", "email"),
        ("response", "response-body", "email", "email"),
    }


def test_without_annotations_more_of_the_same_traffic_changes_nothing() -> None:
    def plain(times: int) -> str:
        return json.dumps(render_document("shop", operations(shop(times)), annotate=False))

    assert plain(60) == plain(80)
