"""HTTP/2 and gRPC: the h2 library talks, the engine overhears; whole, in pieces, late, and with holes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.conversation import Conversation, converse
from tests.helpers.effort import scaled
from tests.helpers.engine_runs import run_frames
from tests.helpers.http2_peers import Peers, request_head, response_head, simple_exchanges
from tests.helpers.http2_reading import assert_exact, frame, run_turns, wrong
from tests.helpers.packets import CapturedFrame, capture_segments

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\0\0\0\4\0\0\0\0\0"


# Conversations.

tokens = st.sampled_from([b"x-a", b"x-b", b"content-type", b"accept", b"x-" + b"n" * 30])
lines = st.lists(
    st.tuples(tokens, st.sampled_from([b"", b"1", b"text/plain", b"v" * 200, b"\xff\x80"])), max_size=4
)
bodies = st.one_of(
    st.just(b""), st.binary(max_size=60), st.integers(1, 40_000).map(lambda n: b"ab" * (n // 2))
)


@st.composite
def conversations(draw: st.DrawFn) -> Peers:
    """Streams opened, answered and aborted in any order, with padding, trailers, 1xx and table resizes."""
    peers = Peers()
    waiting: list[tuple[int, int]] = []  # (stream, what comes next)
    count = draw(st.integers(1, 6))
    opened = 0
    while opened < count or waiting:
        if opened < count and (not waiting or draw(st.booleans())):
            stream = 2 * opened + 1
            opened += 1
            octets = draw(bodies)
            head = request_head(
                draw(st.sampled_from(["GET", "POST", "BREW"])), f"/p/{stream}?q=1", *draw(lines)
            )
            peers.head(True, stream, head, end=not octets)
            if octets:
                trailers = draw(st.booleans())
                peers.data(True, stream, octets, end=not trailers, pad=draw(st.sampled_from([None, 0, 7])))
                if trailers:
                    peers.trailers(True, stream, [(b"x-sum", b"1"), *draw(lines)])
            if draw(st.booleans()):
                peers.flush(True)
            waiting.append((stream, 0))
            continue
        peers.flush(True)
        stream, step = waiting.pop(draw(st.integers(0, len(waiting) - 1)))
        if draw(st.integers(0, 9)) == 9:
            peers.table_size(draw(st.booleans()), draw(st.sampled_from([0, 100, 4096, 20_000])))
        if step == 0 and draw(st.integers(0, 4)) == 4:
            peers.head(False, stream, response_head(103, *draw(lines)))
            waiting.append((stream, 0))
        elif step == 0 and draw(st.integers(0, 9)) == 9:
            peers.abort(draw(st.booleans()), stream)
        elif step == 0:
            peers.head(
                False, stream, response_head(draw(st.sampled_from([200, 204, 418, 503])), *draw(lines))
            )
            waiting.append((stream, 1))
        else:
            octets = draw(bodies)
            trailers = draw(st.booleans())
            peers.data(False, stream, octets, end=not trailers, pad=draw(st.sampled_from([None, None, 3])))
            if trailers:
                peers.trailers(False, stream, [(b"x-sum", b"2"), *draw(lines)])
        peers.flush(False)
        peers.flush(True)
    return peers


@settings(deadline=None, max_examples=scaled(60))
@given(peers=conversations(), cuts=st.lists(st.lists(st.integers(1, 3000), max_size=4), max_size=40))
def test_exchanges_agree_with_h2_wherever_tcp_cut_the_streams(peers, cuts):
    assert_exact(run_turns(peers.turns, cuts=cuts), peers)


def test_one_octet_a_segment():
    peers = simple_exchanges(3)
    talk = Conversation(mss=1).handshake()
    for from_client, octets in peers.turns:
        talk.send(from_client, octets[:400])
        assert len(octets) < 3000
        talk.mss = 1460
        talk.send(from_client, octets[400:])
        talk.mss = 1
    assert_exact(run_frames(capture_segments(talk.close().segments)), peers)


@settings(deadline=None, max_examples=scaled(40))
@given(peers=conversations(), first=st.integers(0, 60))
def test_joined_at_any_packet_nothing_is_wrong(peers, first):
    frames = capture_segments(converse(peers.turns))
    run = run_frames(frames[min(first, len(frames) - 1) :])

    assert [w for x in run.exchanges for w in wrong(x, peers)] == []


@settings(deadline=None, max_examples=scaled(60))
@given(peers=conversations(), data=st.data())
def test_without_any_one_or_two_packets_nothing_is_wrong(peers, data):
    frames = capture_segments(converse(peers.turns))
    gone = data.draw(st.sets(st.integers(0, len(frames) - 1), min_size=1, max_size=2))
    run = run_frames([f for i, f in enumerate(frames) if i not in gone])

    assert [w for x in run.exchanges for w in wrong(x, peers)] == []
    assert len({x["stream_id"] for x in run.exchanges}) == len(run.exchanges)


# A long connection.

LONG = 300


@pytest.fixture(scope="module")
def long_connection() -> tuple[Peers, list[CapturedFrame]]:
    peers = simple_exchanges(LONG)
    return peers, capture_segments(converse(peers.turns))


def test_a_long_connection_is_exact(long_connection):
    peers, frames = long_connection
    assert_exact(run_frames(frames, slice_size=7), peers)


@pytest.mark.parametrize("start", [5, 50, 111, 222, 500])
def test_joined_late_all_but_the_first_have_method_and_status(long_connection, start):
    peers, frames = long_connection
    run = run_frames(frames[start:])

    assert [w for x in run.exchanges for w in wrong(x, peers)] == []
    assert {x["stream_id"] for x in run.exchanges} >= set(range(run.exchanges[0]["stream_id"], 2 * LONG, 2))
    for x in run.exchanges[10:]:
        assert x["request"]["method"] == peers.requests[x["stream_id"]].pseudo(b":method")
        assert str(x["response"]["status"]) == peers.responses[x["stream_id"]].pseudo(b":status")
        assert x["incomplete"] in (None, "mid_stream")


def test_one_lost_packet_hits_one_exchange_at_most(long_connection):
    peers, frames = long_connection
    for gone in range(1, len(frames), 23):
        run = run_frames(frames[:gone] + frames[gone + 1 :])
        hit = [x["stream_id"] for x in run.exchanges if x["incomplete"] not in (None, "mid_stream")]

        assert [w for x in run.exchanges for w in wrong(x, peers)] == [], f"without packet {gone}"
        assert len(hit) + LONG - len(run.exchanges) <= 1, f"without packet {gone}: {hit}"
        for x in run.exchanges:
            if x["incomplete"] == "mid_stream":
                assert x["request"]["target"], "paths differ, so they are never old entries"


def test_fields_come_back_once_the_peer_inserts_them_again(long_connection):
    peers, frames = long_connection
    run = run_frames(frames[: len(frames) // 2] + frames[len(frames) // 2 + 1 :])

    assert max(x["stream_id"] for x in run.exchanges) == 2 * LONG - 1
    known = [x for x in run.exchanges if x["request"] and x["response"]]
    assert all(
        pair in peers.responses[x["stream_id"]].fields for x in known for pair in x["response"]["headers"]
    )
    etags = [dict(map(tuple, x["response"]["headers"])).get("etag") for x in known]
    assert None not in etags, "a new value is a new entry, whatever was lost before"


# Features, one by one.


def test_a_head_above_one_frame_goes_on_in_continuation_frames():
    peers = Peers()
    cookies = [(b"cookie", b"%d=" % i + b"c" * 900) for i in range(60)]
    peers.head(True, 1, request_head("GET", "/", *cookies), end=True)
    peers.flush(True)
    peers.head(False, 1, response_head(200, *[(b"x-%d" % i, b"r" * 1000) for i in range(40)]), end=True)
    peers.flush(False)
    assert any(octets.count(b"\x09") for _, octets in peers.turns)
    assert_exact(run_turns(peers.turns), peers)


def test_priority_in_a_head_and_beside_it_is_passed_over():
    peers = Peers()
    peers.head(True, 1, request_head("GET", "/"), end=True, weight=20)
    peers.client.prioritize(3, weight=9)
    peers.flush(True)
    peers.head(False, 1, response_head(200), end=True)
    peers.flush(False)
    assert_exact(run_turns(peers.turns), peers)


def test_an_upgraded_request_is_stream_1():
    peers = Peers(start=False)
    settings_field = peers.client.initiate_upgrade_connection()
    peers.server.initiate_upgrade_connection(settings_field)
    ask = (
        b"GET /up?x=1 HTTP/1.1\r\nHost: api.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        b"HTTP2-Settings: " + settings_field + b"\r\n\r\n"
    )
    agree = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    peers.turns += [(True, ask), (False, agree)]
    peers.flush(False)
    peers.flush(True)
    peers.head(False, 1, response_head(200, (b"x-a", b"1")))
    peers.data(False, 1, b"upgraded", end=True)
    peers.head(True, 3, request_head("GET", "/next"), end=True)
    peers.flush(True)
    peers.head(False, 3, response_head(204), end=True)
    peers.flush(False)
    run = run_turns(peers.turns)
    first, second = sorted(run.exchanges, key=lambda x: x["stream_id"])
    assert (first["stream_id"], first["request"]["target"], first["request"]["version"]) == (
        1,
        "/up?x=1",
        "1.1",
    )
    assert first["request"]["host"] == "api.test"
    assert (first["response"]["status"], first["response"]["body"]) == (200, "upgraded")
    assert (first["incomplete"], first["interim"]) == (None, 1)
    assert (second["request"]["path"], second["response"]["status"]) == ("/next", 204)


def test_the_preface_behind_an_upgrade_that_was_lost():
    peers = simple_exchanges(3)
    ask = b"GET /1 HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"
    run = run_turns([(True, ask), *peers.turns])
    found = {x["stream_id"]: x["incomplete"] for x in run.exchanges if "stream_id" in x}
    assert found == {1: None, 3: None, 5: None}
    assert [w for x in run.exchanges if "stream_id" in x for w in wrong(x, peers)] == []


def test_the_server_speaks_first():
    peers = simple_exchanges(2)
    hello, answer = peers.turns[0], peers.turns[1][1]
    first = 9 + answer[2]
    turns = [(False, answer[:first]), hello, (False, answer[first:]), *peers.turns[2:]]
    assert_exact(run_turns(turns), peers)


def test_unknown_frame_types_are_passed_over():
    peers = simple_exchanges(1)
    extra = frame(0xFA, 0x55, 77, b"grease" * 10) + frame(0x0A, 0, 0, b"\0\0alt")
    turns = [(side, octets + extra if i > 1 else octets) for i, (side, octets) in enumerate(peers.turns)]
    assert_exact(run_turns(turns), peers)


# Bounds.


def test_a_header_bomb_is_cut_and_marked():
    peers = Peers()
    peers.server.decoder.max_header_list_size = 1 << 30
    peers.head(True, 1, request_head("GET", "/", *[(b"x-bomb", b"b" * 3000)] * 3000), end=True)
    peers.flush(True)
    peers.head(False, 1, response_head(200), end=True)
    peers.flush(False)
    (x,) = run_turns(peers.turns).exchanges
    assert x["incomplete"] == "mid_stream"
    assert sum(len(n) + len(v) for n, v in x["request"]["headers"]) < 262_144
    assert (x["request"]["path"], x["response"]["status"]) == ("/", 200)


@settings(deadline=None, max_examples=scaled(150))
@given(
    turns=st.lists(
        st.tuples(
            st.booleans(),
            st.one_of(
                st.binary(max_size=80),
                st.builds(
                    frame, st.integers(0, 11), st.integers(0, 255), st.integers(0, 9), st.binary(max_size=40)
                ),
            ),
        ),
        max_size=20,
    ),
    gone=st.sets(st.integers(3, 30), max_size=3),
)
def test_any_octets_behind_the_preface_balance(turns, gone):
    frames = capture_segments(converse([(True, PREFACE + SETTINGS), (False, SETTINGS), *turns]))
    run_frames([f for i, f in enumerate(frames) if i not in gone])
