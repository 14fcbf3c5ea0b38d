"""Streams to exchanges, and gRPC inside them: the h2 library talks, the engine overhears."""

from __future__ import annotations

import struct

import h2.errors
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.effort import scaled
from tests.helpers.http2_peers import Peers, Said, request_head, response_head
from tests.helpers.http2_reading import assert_exact, run_turns


def test_a_pushed_response_is_an_exchange():
    peers = Peers()
    peers.head(True, 1, request_head("GET", "/"), end=True)
    peers.flush(True)
    promised = request_head("GET", "/style.css")
    peers.server.push_stream(1, 2, promised)
    peers.requests[2] = Said(promised, ended=True)
    peers.head(False, 1, response_head(200), end=True)
    peers.head(False, 2, response_head(200))
    peers.data(False, 2, b"body{}", end=True)
    peers.flush(False)
    assert_exact(run_turns(peers.turns), peers)


def test_a_reset_stream_says_so_and_others_go_on():
    peers = Peers()
    for stream in (1, 3):
        peers.head(True, stream, request_head("GET", f"/{stream}"), end=True)
    peers.flush(True)
    peers.head(False, 1, response_head(200))
    peers.data(False, 1, b"begun")
    peers.abort(True, 1)
    peers.flush(True)
    peers.head(False, 3, response_head(200), end=True)
    peers.flush(False)
    run = run_turns(peers.turns)
    assert_exact(run, peers)
    assert [x["incomplete"] for x in sorted(run.exchanges, key=lambda x: x["stream_id"])] == [
        "reset_stream",
        None,
    ]


def test_a_response_before_the_request_has_ended_is_whole():
    peers = Peers()
    peers.head(True, 1, request_head("POST", "/"))
    peers.data(True, 1, b"first half")
    peers.head(False, 1, response_head(413), end=True)
    peers.server.reset_stream(1, h2.errors.ErrorCodes.NO_ERROR)
    peers.flush(False)
    (x,) = run_turns(peers.turns).exchanges
    assert (x["response"]["status"], x["request"]["body"], x["incomplete"]) == (413, "first half", None)


def test_requests_behind_goaway_have_no_response():
    peers = Peers()
    for stream in (1, 3):
        peers.head(True, stream, request_head("GET", f"/{stream}"), end=True)
    peers.flush(True)
    peers.head(False, 1, response_head(200), end=True)
    peers.server.close_connection(last_stream_id=1)
    peers.flush(False)
    found = {x["stream_id"]: x["incomplete"] for x in run_turns(peers.turns).exchanges}
    assert found == {1: None, 3: "no_response"}


# gRPC.


def grpc_message(octets: bytes, *, compressed: bool = False) -> bytes:
    return struct.pack("!BI", compressed, len(octets)) + octets


@settings(deadline=None, max_examples=scaled(40))
@given(
    asked=st.lists(st.binary(max_size=300), max_size=4),
    answered=st.lists(st.binary(max_size=300), max_size=4),
    cuts=st.lists(st.lists(st.integers(1, 600), max_size=5), max_size=12),
)
def test_grpc_messages_are_counted_and_bodies_keep_their_prefixes(asked, answered, cuts):
    peers = Peers()
    kind = (b"content-type", b"application/grpc+proto")
    peers.head(True, 1, request_head("POST", "/shop.Orders/Watch", kind, (b"te", b"trailers")))
    peers.data(True, 1, b"".join(map(grpc_message, asked)), end=True)
    peers.head(False, 1, response_head(200, kind))
    for message in answered:
        peers.data(False, 1, grpc_message(message))
    peers.trailers(False, 1, [(b"grpc-status", b"5"), (b"grpc-message", b"none")])
    peers.flush(False)
    run = run_turns(peers.turns, cuts=cuts)
    assert_exact(run, peers)
    (x,) = run.exchanges
    assert x["grpc"] is True
    for message, sent in ((x["request"], asked), (x["response"], answered)):
        assert message.get("data_messages", 0) == len(sent)
        assert message.get("data_message_bytes", 0) == sum(map(len, sent))
    sides = {
        (False, False): None,
        (True, False): "client",
        (False, True): "server",
        (True, True): "bidirectional",
    }
    assert x.get("grpc_streaming") == sides[len(asked) > 1, len(answered) > 1]
    assert "grpc_compressed" not in x


def test_grpc_of_a_trailers_only_answer():
    peers = Peers()
    kind = (b"content-type", b"application/grpc")
    peers.head(True, 1, request_head("POST", "/a.B/C", kind))
    peers.data(True, 1, grpc_message(b"", compressed=True), end=True)
    peers.head(False, 1, response_head(200, kind, (b"grpc-status", b"12")), end=True)
    peers.flush(False)
    run = run_turns(peers.turns)
    assert_exact(run, peers)
    assert run.exchanges[0]["request"]["data_messages"] == 1
    assert run.exchanges[0]["grpc_compressed"] is True


# Bounds.


def test_streams_without_end_are_bounded():
    peers = Peers()
    peers.server.update_settings({3: 10_000})
    peers.flush(False)
    for i in range(500):
        peers.head(True, 2 * i + 1, request_head("GET", f"/{i}"), end=True)
    peers.flush(True)
    run = run_turns(peers.turns, max_pending=50)
    assert {x["incomplete"] for x in run.exchanges} == {"no_response"}
    assert len(run.exchanges) == 500


def test_bodies_above_the_limit_are_cut_and_marked():
    peers = Peers()
    peers.head(True, 1, request_head("GET", "/"), end=True)
    peers.flush(True)
    peers.head(False, 1, response_head(200))
    peers.data(False, 1, b"x" * 30_000, end=True)
    (x,) = run_turns(peers.turns, max_message_bytes=1000).exchanges
    assert (len(x["response"]["body"]), x["response"]["truncated"]) == (1000, True)
    assert (x["response"]["wire_body_size"], x["incomplete"]) == (30_000, None)


def test_memory_is_bounded_and_what_it_costs_is_counted():
    peers = Peers()
    for i in range(40):
        peers.head(True, 2 * i + 1, request_head("POST", f"/{i}"))
        peers.data(True, 2 * i + 1, b"z" * 20_000)
    run = run_turns(peers.turns, max_memory_bytes=200_000)
    assert "evicted" in [x["incomplete"] for x in run.exchanges]


@pytest.mark.parametrize("code", [b"999", b"099", b"600", b"2", b"2XX", b"2000", b"", b" 20", b"-20"])
@pytest.mark.parametrize("ends", [True, False])
def test_a_status_that_is_no_code_is_a_finding(code, ends):
    """RFC 9113 section 8.3.2; the trailers behind it stay trailers."""
    peers = Peers()
    peers.head(True, 1, request_head("GET", "/"), end=True)
    peers.flush(True)
    peers.head(False, 1, [(b":status", code), (b"content-type", b"application/grpc")], end=ends)
    if not ends:
        peers.data(False, 1, b"body")
        peers.head(False, 1, [(b"grpc-status", b"0")], end=True)
    peers.flush(False)
    (x,) = run_turns(peers.turns).exchanges
    response = x["response"]

    assert (response["status"], response["reason"]) == (0, code.decode())
    assert (response["anomalies"], x["incomplete"], x.get("interim", 0)) == (["bad_status"], None, 0)
    assert response.get("trailers", []) == ([] if ends else [["grpc-status", "0"]])
