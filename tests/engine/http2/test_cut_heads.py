"""HTTP/2 heads that were not captured whole: what HPACK gave before the cut is reported, no more."""

from __future__ import annotations

import pytest

from tests.helpers.conversation import Conversation, converse
from tests.helpers.engine_runs import run_frames
from tests.helpers.http2_peers import Peers, request_head, response_head, simple_exchanges
from tests.helpers.http2_reading import wrong
from tests.helpers.packets import CapturedFrame, capture_segments

PAD = (b"x-pad", b"p~" * 150)
FRAME = 14 + 20 + 20


def frames_of(peers: Peers) -> list[CapturedFrame]:
    return capture_segments(converse(peers.turns))


def one_exchange(padded: bool = True) -> Peers:
    peers = Peers()
    more = (PAD,) if padded else ()
    peers.flush(True)
    peers.flush(False)
    peers.head(True, 1, request_head("GET", "/cut", *more), end=True)
    peers.flush(True)
    peers.head(False, 1, response_head(200, *more))
    peers.data(False, 1, b"ok", end=True)
    peers.flush(False)
    return peers


@pytest.mark.parametrize("snap", [96, 128, 200, 256])
def test_a_head_that_a_snap_length_cut_keeps_what_was_decoded(snap):
    peers = one_exchange()
    frames = [(time_ns, octets[:snap], wire) for time_ns, octets, wire in frames_of(peers)]

    (x,) = run_frames(frames).exchanges
    request, response = x["request"], x["response"]
    assert (request["method"], request["target"], request["host"]) == ("GET", "/cut", "api.test")
    assert "head_cut" in request["anomalies"]
    assert response["status"] == 200
    assert "head_cut" in response["anomalies"]
    assert x["incomplete"] == "request_gap"
    assert "x-pad" not in dict(request["headers"])


@pytest.mark.parametrize("how", ["end", "fin", "reset"])
def test_a_head_that_the_end_cut(how):
    peers = one_exchange()
    turns = list(peers.turns)
    last = max((len(octets), i) for i, (client, octets) in enumerate(turns) if client)[1]
    talk = Conversation().handshake()
    for client, octets in turns[:last]:
        talk.send(client, octets)
    talk.client(turns[last][1][:80])
    if how == "fin":
        talk.fin(True).fin(False)
    elif how == "reset":
        talk.rst(False)

    (x,) = run_frames(capture_segments(talk.segments)).exchanges
    assert (x["request"]["method"], x["request"]["target"]) == ("GET", "/cut")
    assert "head_cut" in x["request"]["anomalies"]
    assert x["incomplete"] == ("still_open" if how == "end" else "request_cut")


@pytest.mark.parametrize("snap", [80, 96, 128, 200, 256, 300])
def test_later_heads_that_need_lost_entries_are_marked_and_none_is_wrong(snap):
    peers = simple_exchanges(12)
    frames = [(time_ns, octets[:snap], wire) for time_ns, octets, wire in frames_of(peers)]

    for x in run_frames(frames).exchanges:
        assert wrong(x, peers) == []


def test_a_hole_in_a_head_leaves_the_streams_after_it():
    peers = one_exchange()
    peers.head(True, 3, request_head("GET", "/next"), end=True)
    peers.flush(True)
    peers.head(False, 3, response_head(204), end=True)
    peers.flush(False)
    segments = converse(peers.turns, mss=200)
    hit = next(
        i for i, s in enumerate(segments) if s.from_client and b"~" not in s.payload and len(s.payload) == 200
    )

    run = run_frames(capture_segments(segments[: hit + 1] + segments[hit + 2 :]))
    found = {x["stream_id"]: x for x in run.exchanges}
    assert found[1]["request"]["target"] == "/cut"
    assert found[1]["response"]["status"] == 200
    assert found[3]["response"]["status"] == 204
    for x in run.exchanges:
        assert wrong(x, peers) == []
