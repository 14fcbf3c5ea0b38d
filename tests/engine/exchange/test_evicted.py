"""Small budgets and many open heads: each start line that was captured is reported, or counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from levo.engine.engine import Engine
from levo.sensor.capture.file import FileSource
from tests.helpers import fastcgi
from tests.helpers.conversation import Conversation, converse
from tests.helpers.engine_runs import Run, assert_balanced, run_frames
from tests.helpers.http2_peers import Peers, request_head, response_head
from tests.helpers.http2_reading import frame as http2_frame
from tests.helpers.packets import CapturedFrame, Ends, Segment, frame
from tests.helpers.pcap import write_pcap

LIMIT = 1 << 20
RESERVE = LIMIT // 32
CONNECTIONS = 600
STREAMS = 10
LONG = b"X-Long: " + b"x" * 4200 + b"\r\n"
SHORT = b"Host: shop.example\r\nAccept: */*\r\n"
POST = b"POST /orders/%d HTTP/1.1\r\n" + SHORT
ANSWER = b"HTTP/1.1 200 OK\r\nServer: a\r\nContent-Length: 99999\r\n\r\n"


def asked(n: int) -> list[Segment]:
    return Conversation().handshake().client(POST % n + LONG + b"\r\n").segments


def head_begun(n: int) -> list[Segment]:
    return Conversation().handshake().client(POST % n + LONG).segments


def content_begun(n: int) -> list[Segment]:
    head = POST % n + b"Content-Length: 99999\r\n\r\n"
    return Conversation().handshake().client(head + b"c" * 4000).segments


def answer_begun(n: int) -> list[Segment]:
    return Conversation().handshake().client(POST % n + b"\r\n").server(ANSWER[:-2] + LONG).segments


def answer_content_begun(n: int) -> list[Segment]:
    return Conversation().handshake().client(POST % n + b"\r\n").server(ANSWER + b"c" * 4000).segments


def nothing_but_small_heads(n: int) -> list[Segment]:
    return Conversation().handshake().client(POST % n + b"\r\n").segments


HTTP1: dict[str, Callable[[int], list[Segment]]] = {
    each.__name__: each
    for each in (
        asked,
        head_begun,
        content_begun,
        answer_begun,
        answer_content_begun,
        nothing_but_small_heads,
    )
}


def streams(n: int, stage: str) -> list[Segment]:
    """A connection with STREAMS requests under way; in ``block begun``, the last one's head is not whole."""
    peers = Peers()
    ids = [2 * i + 1 for i in range(STREAMS)]
    for i, stream in enumerate(ids):
        fields = request_head("POST", f"/orders/{n * STREAMS + i}", (b"x-long", b"y" * 300))
        if stage == "block begun" and i == STREAMS - 1:
            peers.flush(True)
            fields[-1] = (b"x-last", b"z" * 300)
            block = peers.client.encoder.encode(fields, huffman=False)
            peers.turns.append((True, http2_frame(1, 0, stream, block[:-100])))
            break
        peers.head(True, stream, fields, end=stage == "asked")
        if stage == "content begun":
            peers.data(True, stream, b"c" * 400)
    peers.flush(True)
    if stage == "answer begun":
        for stream in ids:
            peers.head(False, stream, response_head(200))
            peers.data(False, stream, b"c" * 400)
        peers.flush(False)
    return converse(peers.turns, close=False)


def frames_of(connections: list[list[Segment]]) -> list[CapturedFrame]:
    octets = [
        frame(segment, Ends(client_port=1024 + n, server_port=8080))
        for n, segments in enumerate(connections)
        for segment in segments
    ]
    return [(1_700_000_000_000_000_000 + i * 1000, each, len(each)) for i, each in enumerate(octets)]


def check(run: Run, count: int) -> list[dict[str, Any]]:
    """The exchanges that were given up and reported; each request is there once or counted."""
    targets = [x["request"]["target"] for x in run.exchanges]
    assert len(set(targets)) == len(targets)
    assert set(targets) <= {f"/orders/{n}" for n in range(count)}
    assert len(targets) + run.statistics["exchanges_dropped"]["evicted"] == count
    evicted = [x for x in run.exchanges if x["incomplete"] == "evicted"]
    for x in evicted:
        x["request"].setdefault("anomalies", [])
    assert all((x["request"]["method"], x["request"]["host"]) == ("POST", "shop.example") for x in evicted)
    return evicted


@pytest.mark.parametrize("stage", HTTP1)
def test_each_start_line_is_reported_where_exchanges_are_taken(stage: str):
    frames = frames_of([HTTP1[stage](n) for n in range(CONNECTIONS)])
    run = run_frames(frames, slice_size=8, max_memory_bytes=LIMIT // 2)

    evicted = check(run, CONNECTIONS)
    assert run.statistics["exchanges_dropped"]["evicted"] == 0
    assert len(evicted) > CONNECTIONS // 4
    for x in evicted:
        request, response = x["request"], x["response"]
        assert ("head_cut" in request["anomalies"]) == (stage in ("asked", "head_begun"))
        assert request["truncated"] == (stage == "content_begun") and not request["body"]
        assert (response is not None) == stage.startswith("answer")
        if response:
            assert (response["status"], response["body"]) == (200, "")
            assert ("head_cut" in response.get("anomalies", [])) == (stage == "answer_begun")
            assert response["truncated"] == (stage == "answer_content_begun")


@pytest.mark.parametrize("stage", ["asked", "content begun", "answer begun", "block begun"])
def test_so_it_is_for_each_stream_of_http2(stage: str):
    count = CONNECTIONS // STREAMS
    frames = frames_of([streams(n, stage) for n in range(count)])
    run = run_frames(frames, slice_size=2, max_memory_bytes=LIMIT // 2)

    for x in run.exchanges:
        x["request"]["host"] = x["request"]["host"].replace("api.test", "shop.example")
    evicted = check(run, CONNECTIONS)
    assert run.statistics["exchanges_dropped"]["evicted"] == 0
    assert len(evicted) > CONNECTIONS // 3
    cut = [x for x in evicted if "head_cut" in x["request"]["anomalies"]]
    assert len(cut) == (len(evicted) // STREAMS if stage == "block begun" else 0)
    assert all(x["request"]["truncated"] == (stage == "content begun") for x in evicted)
    assert all((x["response"] or {}).get("truncated") == (stage == "answer begun" or None) for x in evicted)


def test_so_it_is_for_fastcgi():
    def connection(n: int) -> list[Segment]:
        given = fastcgi.parameters(f"/orders/{n}", "POST", HTTP_HOST="shop.example")
        asked = fastcgi.asked(given, b"c" * 4000)
        return Conversation().handshake().client(asked).server(fastcgi.record(6, b"Status: 200\r\n")).segments

    run = run_frames(
        frames_of([connection(n) for n in range(CONNECTIONS)]), slice_size=8, max_memory_bytes=LIMIT // 2
    )
    evicted = check(run, CONNECTIONS)
    assert run.statistics["exchanges_dropped"]["evicted"] == 0
    assert len(evicted) > CONNECTIONS // 3


@pytest.mark.parametrize("stage", HTTP1)
def test_where_nobody_takes_exchanges_the_rest_is_counted_within_the_budget(stage: str):
    engine = Engine(max_memory_bytes=LIMIT)
    frames = frames_of([HTTP1[stage](n) for n in range(3 * CONNECTIONS)])
    for at in range(0, len(frames), 10):
        engine.feed(frames[at : at + 10])
        assert engine.memory_used_bytes <= LIMIT + 20_000  # one connection's frames, and room to grow
    reported = lines_of(engine)
    statistics = engine.statistics()
    assert statistics["exchanges_dropped"]["evicted"] > CONNECTIONS // 2
    assert {x["incomplete"] for x in reported} == {"evicted"}
    assert RESERVE // 4096 <= len(reported) <= RESERVE // 600
    engine.finish()
    run = Run(reported + lines_of(engine), engine.statistics())
    check(run, 3 * CONNECTIONS)
    assert_balanced(run.statistics)


def lines_of(engine: Engine) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in engine.take().jsonl().splitlines()]


def test_the_reserve_is_free_again_once_its_exchanges_are_taken():
    """In parts as well as all at once; without it, later ones would only be counted."""
    engine = Engine(max_memory_bytes=LIMIT)
    frames = frames_of([head_begun(n) for n in range(3 * CONNECTIONS)])
    taken = 0
    for at in range(0, len(frames), 20):
        engine.feed(frames[at : at + 20])
        while engine.ready:
            taken += len(engine.take(1 + at % 3))
    assert engine.statistics()["exchanges_dropped"]["evicted"] == 0
    assert taken > 2 * CONNECTIONS


def test_a_source_is_left_alone_while_the_reserve_is_half_full(tmp_path):
    path = write_pcap(tmp_path / "heads.pcap", frames_of([head_begun(n) for n in range(3 * CONNECTIONS)]))
    engine, source = Engine(max_memory_bytes=2 * LIMIT), FileSource(str(path))
    frames, calls = 3 * CONNECTIONS * len(head_begun(0)), 0
    while engine.pump(source, frames, 0) > 0:
        calls += 1
        engine.take()
    assert calls > 10
    # Before the first, a call reads as many frames as it does without pressure.
    assert engine.statistics()["exchanges_dropped"]["evicted"] < CONNECTIONS // 20


def given_up(head: bytes, content: bytes = b"c" * 3000) -> dict[str, Any]:
    """What is reported of the first of many requests with that head, all with unfinished content."""
    talk = [Conversation().handshake().client(head + content).segments]
    talk += [content_begun(n) for n in range(300)]
    run = run_frames(frames_of(talk), slice_size=8, max_memory_bytes=LIMIT // 2)
    (found,) = [x for x in run.exchanges if x["request"]["target"].startswith("/it")]
    assert found["incomplete"] == "evicted"
    return found["request"]


def test_fields_behind_a_long_one_are_kept():
    request = given_up(
        b"POST /it HTTP/1.1\r\nCookie: "
        + b"c=" * 1500
        + b"\r\nHost: a.example\r\nContent-Length: 9999\r\n\r\n"
    )
    assert request["headers"] == [["Host", "a.example"], ["Content-Length", "9999"]]
    assert "head_cut" in request["anomalies"]


def test_many_short_fields_are_bounded():
    fields = b"".join(b"a%d: b\r\n" % n for n in range(1000))
    request = given_up(b"POST /it HTTP/1.1\r\n" + fields + b"Content-Length: 9999\r\n\r\n")
    assert request["headers"] == [[f"a{n}", "b"] for n in range(64)]
    assert "head_cut" in request["anomalies"]


def test_a_long_target_is_kept_whole():
    request = given_up(
        b"POST /it?"
        + b"q" * 5000
        + b" HTTP/1.1\r\nHost: a.example\r\nX: "
        + b"x" * 3000
        + b"\r\nContent-Length: 9999\r\n\r\n"
    )
    assert request["target"] == "/it?" + "q" * 5000
    assert request["headers"] == [["Host", "a.example"], ["Content-Length", "9999"]]


def test_a_long_target_of_a_head_that_is_not_whole_is_kept_whole():
    head = b"POST /it?" + b"q" * 5000 + b" HTTP/1.1\r\nHost: a.example\r\nX: " + b"x" * 3000
    assert given_up(head, b"")["target"] == "/it?" + "q" * 5000
