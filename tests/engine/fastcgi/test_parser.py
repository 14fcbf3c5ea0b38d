"""Requests of HTTP in the records of FastCGI: whole, cut in any way, with losses, and several at once."""

from __future__ import annotations

import random
from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from levo.engine.engine import Engine
from tests.helpers.effort import scaled
from tests.helpers.engine_runs import run_frames
from tests.helpers.fastcgi import BEGIN, STDERR, STDOUT, answered, asked, parameters, record
from tests.helpers.websocket import conversation_frames, frame

START = 1_700_000_000_000_000_000
OK = b"Content-Type: text/plain\r\n\r\nok"
Chunks = list[tuple[bool, bytes]]


def turn(number: int, body: bytes = b"", output: bytes = OK, padding: int = 0) -> Chunks:
    given = parameters(f"/v1/items/{number}?n={number}", "POST" if body else "GET")
    return [(True, asked(given, body, padding=padding)), (False, answered(output, padding=padding))]


def run(chunks: Chunks, cuts: random.Random | None = None, drop: Collection[int] = (), **options: Any) -> Any:
    found = run_frames(conversation_frames(chunks, cuts, drop), **options)
    assert found.statistics["payload_bytes_opaque"] == 0
    return found.exchanges


def said(exchanges: list[Any]) -> list[tuple[Any, ...]]:
    return [
        (x["request"]["target"], x["response"] and x["response"]["status"], x["incomplete"])
        for x in exchanges
    ]


def test_a_request_and_its_response():
    given = parameters(
        "/v1/items?a=1", "POST", HTTP_AUTHORIZATION="Bearer x", CONTENT_TYPE="application/json", HTTPS="on"
    )
    output = b"Status: 404 Not Found\r\nX-Powered-By: PHP\r\nContent-type: text/html\r\n\r\n<p>no</p>"
    (found,) = run([(True, asked(given, b'{"a":1}')), (False, answered(output))])

    request, response = found["request"], found["response"]
    assert (request["method"], request["target"], request["scheme"]) == ("POST", "/v1/items?a=1", "https")
    assert (request["host"], request["body"]) == ("api.example", '{"a":1}')
    assert request["headers"] == [
        ["host", "api.example"], ["authorization", "Bearer x"], ["content-type", "application/json"]
    ]  # fmt: skip
    assert (response["status"], response["reason"], response["body"]) == (404, "Not Found", "<p>no</p>")
    assert response["headers"] == [["X-Powered-By", "PHP"], ["Content-type", "text/html"]]
    assert (found["protocol"], found["incomplete"]) == ("http/1.1", None)


@pytest.mark.parametrize(
    ("output", "status", "reason"),
    [
        (OK, 200, ""),
        (b"Location: /x\n\n", 302, ""),
        (b"STATUS: 201\r\n\r\n", 201, ""),
        (b"Status: 2x0 what\r\n\r\n", 0, "2x0 what"),
        (b"Status: 999 Odd\r\n\r\n", 0, "999 Odd"),
        (b"\r\n", 200, ""),
    ],
)
def test_the_status_of_a_head_of_cgi(output, status, reason):
    (found,) = run([(True, asked(parameters("/"))), (False, answered(output))])

    assert (found["response"]["status"], found["response"]["reason"]) == (status, reason)


def test_without_a_request_uri_the_path_and_the_query_are_the_target():
    given = parameters("/a/b?c=d")
    del given["REQUEST_URI"], given["HTTP_HOST"]
    (found,) = run([(True, asked(given | {"SERVER_NAME": "inner.example"})), (False, answered(OK))])

    assert (found["request"]["target"], found["request"]["host"]) == ("/a/b?c=d", "inner.example")


def test_errors_of_the_application_are_not_content():
    said_by = record(STDERR, b"PHP Warning: secret") + record(STDOUT, OK[:10]) + record(STDOUT, OK[10:])
    (found,) = run([(True, asked(parameters("/"))), (False, said_by + answered(b"!"))])

    assert found["response"]["body"] == "ok!"


def test_requests_at_once_are_told_apart_by_their_identifiers():
    numbers = (1, 2, 300)
    asking = [(True, asked(parameters(f"/{n}"), b"b" * n, n)) for n in numbers]
    answers = [(False, answered(b"Status: %d\r\n\r\n" % (200 + n % 7), n)) for n in reversed(numbers)]

    assert sorted(said(run([*asking, *answers]))) == sorted((f"/{n}", 200 + n % 7, None) for n in numbers)


def test_more_requests_at_once_than_there_is_room_for_are_counted():
    chunks = [(True, b"".join(asked(parameters(f"/{n}"), number=n) for n in range(1, 37)))]
    found = run_frames(
        conversation_frames([*chunks, (False, b"".join(answered(OK, n) for n in range(1, 37)))])
    )

    assert len(found.complete) == 32
    assert found.statistics["heads_rejected"] == 4


@settings(max_examples=scaled(100))
@given(
    seed=st.integers(0, 1 << 32),
    bodies=st.lists(st.tuples(st.binary(max_size=300), st.integers(0, 7)), min_size=1, max_size=5),
)
def test_slices_make_no_difference(seed, bodies):
    chunks = [
        each
        for n, (body, padding) in enumerate(bodies)
        for each in turn(n, body, OK + body, padding)
    ]  # fmt: skip
    whole, cut = run(chunks), run(chunks, random.Random(seed))

    assert [(x["request"], x["response"]["body"], x["incomplete"]) for x in cut] == [
        (x["request"], x["response"]["body"], x["incomplete"]) for x in whole
    ]
    assert said(whole) == [(f"/v1/items/{n}?n={n}", 200, None) for n in range(len(bodies))]


def test_one_octet_at_a_time():
    octets = asked(parameters("/x"), b"body")
    chunks = [*((True, octets[at : at + 1]) for at in range(len(octets))), (False, answered(OK))]

    assert said(run(chunks)) == [("/x", 200, None)]


@pytest.mark.parametrize("lost", range(12))
def test_a_lost_segment_touches_its_own_request_alone(lost):
    """Each turn has two segments a direction; the head of both messages is in the first."""
    chunks: Chunks = []
    for n in range(3):
        (_, octets), (_, output) = turn(n, b"b" * 900, OK + b"o" * 900)
        chunks += [(True, octets[:700]), (True, octets[700:]), (False, output[:400]), (False, output[400:])]
    found = {
        x["request"]["target"]: x for x in run_frames(conversation_frames(chunks, drop={lost})).exchanges
    }

    hit = f"/v1/items/{lost // 4}?n={lost // 4}"
    others = {f"/v1/items/{n}?n={n}" for n in range(3)} - {hit}
    assert {name for name, x in found.items() if x["incomplete"] is None} == others
    if lost % 4:
        assert found[hit]["incomplete"] in ("request_gap", "response_gap")
        assert found[hit]["request"]["headers"]


def test_a_hole_in_content_is_counted():
    (_, octets), (_, output) = turn(1, b"b" * 3000, OK + b"o" * 3000)
    chunks = [(True, octets[:1000]), (True, octets[1000:2000]), (True, octets[2000:]), (False, output)]
    (found,) = run(chunks, drop={1})

    assert (found["request"]["missing_bytes"], found["response"]["status"]) == (1000, 200)
    assert (found["request"]["body_size"], found["incomplete"]) == (3000, "request_gap")


def test_a_connection_joined_late_begins_with_its_next_request():
    (_, octets), (_, output) = turn(1)
    frames = [
        (START, frame(False, 5000, 90, answered(OK)), None),
        (START, frame(True, 90, 5000 + len(answered(OK)), octets), None),
        (START, frame(False, 5000 + len(answered(OK)), 90 + len(octets), output), None),
    ]

    assert said(run_frames(frames).exchanges) == [("/v1/items/1?n=1", 200, None)]


def test_an_end_without_the_last_records_still_reports():
    chunks = [(True, asked(parameters("/a"))), (False, record(STDOUT, b"Status: 200 OK\r\nX: y\r\n"))]
    (found,) = run(chunks)

    assert said([found]) == [("/a", 200, "response_cut")]
    assert found["response"]["anomalies"] == ["head_cut"]
    assert said(run(chunks[:1])) == [("/a", None, "response_cut")]


@pytest.mark.parametrize(
    "octets",
    [
        record(BEGIN, bytes(8)),
        record(BEGIN, b"\0\1\2" + bytes(5)),
        record(BEGIN, b"\0\1\1" + bytes(5), number=0),
        b"\1\1\0\1\0\x08\0\1\0\1\1" + bytes(5),
        b"\1\1",
    ],
)
def test_what_only_looks_like_it_is_not_read(octets):
    found = run_frames(conversation_frames([(True, octets), (True, b"\xf0" * 40)]))

    assert found.exchanges == []
    assert found.statistics["payload_bytes_opaque"] + found.statistics["payload_bytes_skipped"] > 0


def test_parameters_that_name_no_request_are_counted():
    found = run_frames(conversation_frames([(True, asked({"HTTP_X": "y"})), (False, answered(OK))]))

    assert (found.exchanges, found.statistics["heads_rejected"]) == ([], 1)


def test_a_head_beyond_the_bound_is_cut_and_reported():
    chunks = [
        (True, asked(parameters("/big", HTTP_X_LARGE="x" * 5000), b"tail")),
        (False, answered(b"Status: 200 OK\r\n" + b"X: y\r\n" * 800 + b"\r\n")),
    ]
    (found,) = run(chunks, max_head_bytes=2000)

    assert found["response"]["status"] == 200
    assert "head_cut" in found["response"]["anomalies"]


def test_nothing_is_left_of_what_memory_refuses():
    engine = Engine(max_memory_bytes=0)
    engine.feed(conversation_frames([each for n in range(20) for each in turn(n, b"x" * 100)]))
    engine.finish()
    engine.take()

    assert engine.memory_used_bytes < 4096


@settings(max_examples=scaled(300))
@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.one_of(
                st.binary(max_size=40),
                st.builds(
                    record, st.integers(0, 12), st.binary(max_size=30), st.integers(0, 3), st.integers(0, 9)
                ),
                st.sampled_from([octets for _, octets in turn(3, b"abc")]),
            ),
        ),
        max_size=8,
    )
)
def test_any_records_are_read_without_harm(chunks):
    run_frames(conversation_frames([turn(1)[0], *chunks]))
