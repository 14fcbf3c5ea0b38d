"""What messages teach."""

from __future__ import annotations

from urllib.parse import parse_qsl

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.satellite.learn.knowledge import MAX_QUERY_FIELDS, learn_messages, read_query
from levo.satellite.learn.naming import Proven
from levo.satellite.learn.schema import Knowledge
from levo.satellite.learn.schema.names import Names
from levo.satellite.learn.sensitive.detectors import Detectors
from levo.satellite.learn.trace import INVALID_STATUS, Origin, Trace

DETECTORS = Detectors()
JSON = (("content-type", "application/json"),)


def trace(status: int = 200, **more: object) -> Trace:
    return Trace(Origin("", "", "", ""), "h", "POST", "/users/7", status, 1.0, 1, 2, **more)  # type: ignore[arg-type]


def known(*traces: Trace) -> Knowledge:
    knowledge = Knowledge()
    for each in traces:
        learn_messages(knowledge, each, "/users/{integer}", DETECTORS)
    return knowledge


def test_failed_requests_teach_only_their_response() -> None:
    knowledge = known(
        trace(
            422,
            query="bad=1",
            request_headers=JSON,
            request_body=b'{"wrong": 1}',
            response_body=b'{"title": "x"}',
        )
    )

    assert not knowledge.accepted and not knowledge.bodies and not knowledge.query.children
    assert knowledge.responses["422"].bodies["application/json"].schema.children.keys() == {"title"}


def test_each_part_of_a_request_is_learned() -> None:
    headers = (*JSON, ("x-tenant", "7"), ("cookie", "theme=dark"), ("authorization", "Bearer ***"))
    knowledge = known(
        trace(201, query="page=2&page=3", request_headers=headers, request_body=b'{"name": "x"}')
    )

    assert knowledge.query.children["page"].arrays == 1
    assert knowledge.headers.children.keys() == {"x-tenant"}
    assert knowledge.cookies.children.keys() == {"theme"}
    assert knowledge.segments["1"].integers == 1
    assert knowledge.auth == {"bearer": 1}


def test_a_body_with_a_hole_is_counted_only() -> None:
    body = known(trace(request_headers=JSON, request_body=b'{"a"', request_whole=False)).bodies[
        "application/json"
    ]

    assert (body.seen, body.learned) == (1, 0)


def test_sensitive_values_are_found_in_every_part() -> None:
    body = orjson.dumps({"items": [{"to": "a@example.org"}]})
    knowledge = known(trace(query="who=a@example.org", request_headers=JSON, request_body=body))

    assert knowledge.query.children["who"].finds == {"email": 1}
    items = knowledge.bodies["application/json"].schema.children["items"].items
    assert items is not None and items.children["to"].finds == {"email": 1}


def test_a_response_without_a_status_code_is_described_by_default() -> None:
    knowledge = known(
        trace(INVALID_STATUS, query="a=1", response_headers=JSON, response_body=b'{"title": "x"}')
    )

    assert not knowledge.accepted and knowledge.responses.keys() == {"default"}
    assert knowledge.responses["default"].bodies["application/json"].schema.children.keys() == {"title"}


def test_a_head_that_was_cut_is_no_evidence_of_what_is_absent() -> None:
    """Nothing is learned of authentication, header fields or content; path and query are known whole."""
    cut = trace(query="page=2", request_headers=(("x-tenant", "7"),), request_head_whole=False)
    knowledge = known(cut, cut)

    assert knowledge.query.children.keys() == {"page"}
    assert knowledge.segments["1"].integers == 2
    assert not knowledge.auth and not knowledge.headers.children and not knowledge.bodies
    assert (knowledge.accepted, knowledge.heads) == (2, 0)


def test_a_response_head_that_was_cut_counts_only() -> None:
    fields = (("content-type", "text/html"), ("etag", "x"))
    knowledge = known(trace(response_headers=fields, response_head_whole=False))

    assert (knowledge.responses["200"].seen, knowledge.responses["200"].bodies) == (1, {})
    assert not knowledge.responses["200"].headers.children


@given(st.text("ab=&+%4;é", max_size=30))
def test_a_query_is_read_as_by_the_standard_library(text: str) -> None:
    """But for what has no ``=``: that is a value."""
    wanted: dict[str, list[str]] = {}
    pairs = "&".join(pair for pair in text.split("&") if "=" in pair)
    for name, value in parse_qsl(pairs, keep_blank_values=True):
        wanted.setdefault(name, []).append(value)

    found = {name: value if isinstance(value, list) else [value] for name, value in read_query(text).items()}

    assert found == wanted


@pytest.mark.parametrize("mark", ["", "%20"])
def test_a_query_of_too_many_parameters_teaches_nothing(mark: str) -> None:
    assert len(read_query(mark + "&".join(f"p{number}=1" for number in range(MAX_QUERY_FIELDS)))) == 100
    assert not read_query(mark + "&".join(f"p{number}=1" for number in range(MAX_QUERY_FIELDS + 1)))


def test_parameters_that_a_segment_carries_are_learned_by_name() -> None:
    knowledge = Knowledge()
    for path in ("/cars;color=red;size=a+b/7;seat=1", "/cars;color=blue;color=red;alice/7"):
        each = Trace(Origin("", "", "", ""), "h", "GET", path, 200, 1.0, 1, 2)
        learn_messages(knowledge, each, "/cars/{integer}", DETECTORS)
    cars, one = knowledge.segments[";0"], knowledge.segments[";1"]

    assert cars.children.keys() == {"color", "size"} and one.children.keys() == {"seat"}
    assert (cars.children["color"].strings, cars.children["color"].arrays) == (1, 1)
    assert cars.children["size"].longest == 3 and one.children["seat"].integers == 1


def test_names_that_a_segment_carries_are_hashes_until_they_are_proven() -> None:
    names, knowledge = Names(), Knowledge()
    path = "/cars;kowalski=1/7"
    each = Trace(Origin("", "", "", ""), "h", "GET", path, 200, 1.0, 1, 2, client="192.0.2.1")
    learn_messages(knowledge, each, "/cars/{integer}", DETECTORS, names=names)

    assert knowledge.unsettled and knowledge.names() == {"kowalski"}
    knowledge.settle(Proven(names.key))
    assert knowledge.names() == set() and len(knowledge.segments[";0"].children) == 1
