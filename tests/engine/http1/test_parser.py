"""HTTP/1 message reading: what the framing rules of RFC 9112 make of one response or request."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.effort import scaled
from tests.helpers.engine_runs import run_frames
from tests.helpers.websocket import conversation_frames

REQUEST = b"GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n"


def one(response: bytes, request: bytes = REQUEST):
    (exchange,) = run_frames(conversation_frames([(True, request), (False, response)])).exchanges
    return exchange


def response_of(head: bytes, body: bytes):
    return one(OK + head + b"\r\n" + body)["response"]


@pytest.mark.parametrize(
    ("head", "body", "read", "anomaly"),
    [
        pytest.param(b"Content-Length: 5\r\n", b"hello", "hello", None, id="length"),
        pytest.param(b"Content-Length: 5, 5\r\n", b"hello", "hello", None, id="equal-lengths"),
        pytest.param(
            b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n", "hello", None, id="chunked"
        ),
        pytest.param(
            b"Transfer-Encoding: chunked\r\n", b"5;a=b\r\nhello\r\n0;x\r\n\r\n", "hello", None, id="ext"
        ),
        pytest.param(b"Connection: close\r\n", b"hello", "hello", None, id="close"),
        pytest.param(
            b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
            b"5\r\nhello\r\n0\r\n\r\n",
            "hello",
            "length_and_chunked",
            id="both",
        ),
        pytest.param(
            b"Transfer-Encoding: chunked\r\nConnection: close\r\n",
            b"hello",
            "hello",
            "bad_chunk",
            id="not-chunked",
        ),
        pytest.param(
            b"Content-Length: 3x\r\nConnection: close\r\n", b"hello", "hello", "bad_length", id="bad-length"
        ),
        pytest.param(
            b"Content-Length: 3\r\nContent-Length: 5\r\nConnection: close\r\n",
            b"hello",
            "hello",
            "lengths_differ",
            id="lengths-differ",
        ),
    ],
)
def test_framing_rules(head, body, read, anomaly):
    """The body is what the framing says, or what the octets say where the head contradicts itself."""
    response = response_of(head, body)
    assert response["body"] == read
    assert response.get("anomalies", []) == ([anomaly] if anomaly else [])


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_bodiless_statuses_ignore_an_announced_length(status):
    """RFC 9110 sections 15.3.5 and 15.4.5: the next octets are the next response."""
    turns = [
        (True, REQUEST),
        (False, b"HTTP/1.1 " + status + b"\r\nContent-Length: 99\r\n\r\n"),
        (True, REQUEST),
        (False, OK + b"Content-Length: 2\r\n\r\nok"),
    ]
    first, second = run_frames(conversation_frames(turns)).complete
    assert (first["response"]["body"], second["response"]["body"]) == ("", "ok")


def test_a_head_answer_has_no_body():
    """RFC 9112 section 6.3: the response to HEAD ends with its head."""
    head = b"HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n"
    turns = [
        (True, head),
        (False, OK + b"Content-Length: 50\r\n\r\n"),
        (True, REQUEST),
        (False, OK + b"\r\n"),
    ]
    runs = run_frames(conversation_frames(turns))
    assert [x["response"]["wire_body_size"] for x in runs.exchanges] == [0, 0]


def test_trailers_are_kept_apart():
    response = response_of(b"Transfer-Encoding: chunked\r\n", b"2\r\nok\r\n0\r\nX-Sum: 9\r\n\r\n")
    assert (response["body"], response["trailers"]) == ("ok", [["X-Sum", "9"]])


def test_an_answer_without_a_head_is_http_0_9():
    """RFC 1945 section 4.1: content up to the close, no status invented."""
    exchange = one(b"just octets", b"GET /old\r\n")
    assert (exchange["response"]["body"], exchange["response"]["status"]) == ("just octets", 0)


def test_the_body_is_cut_at_the_limit_and_framing_goes_on():
    """Past max_message_bytes the body is marked truncated; the next exchange is exact."""
    turns = [
        (True, REQUEST),
        (False, OK + b"Content-Length: 5000\r\n\r\n" + b"a" * 5000),
        (True, REQUEST),
        (False, OK + b"Content-Length: 2\r\n\r\nok"),
    ]
    first, second = run_frames(conversation_frames(turns), max_message_bytes=1000).exchanges
    assert (len(first["response"]["body"]), first["response"]["truncated"]) == (1000, True)
    assert first["response"]["wire_body_size"] == 5000
    assert (second["response"]["body"], second["response"]["truncated"]) == ("ok", False)


@settings(max_examples=scaled(300), deadline=None)
@given(octets=st.binary(max_size=600), request=st.booleans())
def test_any_octets_are_read_without_harm(octets, request):
    """Whatever a side sends behind a good request, the counters balance (run_frames asserts it)."""
    run_frames(conversation_frames([(True, REQUEST), (request, octets or b"x")]))


@settings(max_examples=scaled(300), deadline=None)
@given(
    lines=st.lists(
        st.sampled_from(
            [
                b"Content-Length: 4",
                b"Transfer-Encoding: chunked",
                b"\tfolded",
                b"A: b",
                b"Connection: close",
                b" ",
            ]
        ),
        max_size=6,
    ),
    end=st.sampled_from([b"\r\n", b"\n", b"\r"]),
    body=st.sampled_from([b"", b"4\r\nabcd\r\n0\r\n\r\n", b"abcd", b"\x00\xff"]),
)
def test_odd_heads_give_at_most_one_exchange(lines, end, body):
    """Every mix of line ends and framing fields: one exchange, balanced counters."""
    run = run_frames(
        conversation_frames([(True, REQUEST), (False, OK + end.join([*lines, b"", b""]) + body)])
    )
    assert len([x for x in run.exchanges if x["request"]]) == 1


def test_a_rejected_head_where_the_next_response_was_expected_is_passed_over():
    """Found by fuzzing: the search found the rejected head again, without an end."""
    turns = [
        (True, REQUEST),
        (False, OK + b"Content-Length: 2\r\n\r\nok"),
        (True, REQUEST),
        (False, b"HTTP/nonsense\r\n\r\n"),
    ]

    run = run_frames(conversation_frames(turns))

    assert [exchange["incomplete"] for exchange in run.exchanges] == [None, "no_response"]
    assert run.statistics["heads_rejected"] == 1
    assert run.statistics["payload_bytes_skipped"] == len(b"HTTP/nonsense\r\n\r\n")
