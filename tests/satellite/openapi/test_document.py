"""Whole documents: valid, stable, the same however they were learned."""

from __future__ import annotations

import json
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate

from levo.satellite.learn import State, absorb, learn
from levo.satellite.learn.trace import INVALID_STATUS
from levo.satellite.openapi import render_document
from levo.satellite.openapi.catalog import operations_of
from levo.satellite.openapi.document import sensitive_fields
from tests.helpers.effort import scaled
from tests.satellite.openapi.learned import operations, shop, trace


@pytest.mark.parametrize("version", ["3.0", "3.1"])
def test_documents_are_valid(version: str) -> None:
    document = render_document("shop", operations(shop()), version=version)
    validate(document)

    assert list(document["paths"]) == ["/events", "/users", "/users/{userId}"]
    assert document["paths"]["/users"]["post"]["security"] == [{"bearer": []}]
    assert document["paths"]["/users"]["post"]["requestBody"]["required"]


@given(st.integers(0, 10_000))
@settings(max_examples=scaled(8), deadline=None)
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

    assert {(f.direction, f.position, f.pointer, f.detection.kind) for f in sensitive_fields(post)} == {
        ("request", "request-body", "email", "email"),
        ("response", "response-body", "email", "email"),
    }


def test_without_annotations_more_of_the_same_traffic_changes_nothing() -> None:
    def plain(times: int) -> str:
        return json.dumps(render_document("shop", operations(shop(times)), annotate=False))

    assert plain(60) == plain(80)


@pytest.mark.parametrize("version", ["3.0", "3.1"])
@pytest.mark.parametrize("status", [INVALID_STATUS, 999, 600, 99, 2, 0, -5, 70000])
def test_no_status_makes_a_document_invalid(status: int, version: str) -> None:
    """Whatever stands in the place of a status code: ``default``, never a key that OpenAPI does not know."""
    traces = [trace("GET", "/users", code, received={"a": 1}) for code in (200, status)]
    document = render_document("shop", operations(traces), version=version, shared=False)
    validate(document)
    responses = document["paths"]["/users"]["get"]["responses"]

    assert responses.keys() == ({"200", "default"} if status else {"200"})
    if status:
        assert responses["default"]["content"]["application/json"]["schema"]["properties"].keys() == {"a"}


def test_what_an_earlier_version_stored_under_a_bad_status_becomes_default() -> None:
    (operation,) = operations([trace("GET", "/users", 200, received={"a": 1})])
    learned = operation.knowledge.responses.pop("200")
    operation.knowledge.responses.update({"999": learned, "2": learned, "2XX": learned})
    before = learned.seen
    document = render_document("shop", [operation])
    validate(document)

    assert document["paths"]["/users"]["get"]["responses"].keys() == {"default"}
    assert learned.seen == before


@pytest.mark.parametrize(
    ("host", "schemes", "urls"),
    [
        ("a", ["https"], ["https://a"]),
        ("a", ["http"], ["http://a"]),
        ("a", [""], ["http://a"]),
        ("a", ["", "https"], ["https://a"]),
        ("a", ["http", "https", "http"], ["https://a", "http://a"]),
        ("a:443", ["https"], ["https://a"]),
        ("a:443", ["http"], ["http://a:443"]),
        ("a:80", ["http", "https"], ["https://a:80", "http://a"]),
        ("a:8443", ["https"], ["https://a:8443"]),
        ("[::1]:8443", ["https"], ["https://[::1]:8443"]),
        ("", ["https"], None),
    ],
)
def test_servers_have_the_schemes_that_were_seen(
    host: str, schemes: list[str], urls: list[str] | None
) -> None:
    """Where none is known, http; a default port is not written."""
    traces = [
        trace("GET", f"/{name}", 200, host=host, scheme=scheme)
        for name, scheme in zip(("users", "orders", "items"), schemes, strict=False)
    ]
    document = render_document("shop", operations(traces))
    validate(document)

    assert document.get("servers") == (None if urls is None else [{"url": url} for url in urls])


def test_requests_whose_head_was_cut_leave_a_header_required() -> None:
    """Truncated mirroring cuts some heads: a line that is absent there is not an absent parameter."""
    fields = (("x-tenant", "7"), ("authorization", "Bearer ***"))
    whole = msgspec.structs.replace(trace("GET", "/users/7", 200), request_headers=fields)
    cut = msgspec.structs.replace(whole, request_headers=(), request_head_whole=False)
    document = render_document("shop", operations([whole, cut] * 50))
    (item,) = document["paths"].values()

    required = {p["name"]: p["required"] for p in item["get"]["parameters"] if p["in"] == "header"}
    assert required == {"x-tenant": True}
    assert item["get"]["security"] == [{"bearer": []}]


def test_a_parameter_that_a_segment_carries_now_and_then_is_no_variable() -> None:
    paths = ["/cars;color=red"] * 5 + ["/cars;color=blue;seat=1"]
    document = render_document("x", operations([trace("GET", path, 200) for path in paths]))
    validate(document)
    written = document["paths"]["/cars{color}"]["get"]

    assert [(each["name"], each["style"]) for each in written["parameters"]] == [("color", "matrix")]
    (other,) = written["x-levo-matrix-parameters"]
    assert (other["name"], other["segment"], other["schema"]) == ("seat", 0, {"type": "integer"})
