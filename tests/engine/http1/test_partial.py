"""Heads that were not captured whole: whatever cut them, what was captured of them is reported."""

from __future__ import annotations

import pytest

from tests.helpers.conversation import Conversation, converse
from tests.helpers.engine_runs import Run, run_frames
from tests.helpers.lines import Exchange
from tests.helpers.packets import CapturedFrame, Segment, capture_segments

LINE = b"POST /orders?page=2 HTTP/1.1\r\n"
HOST = b"Host: shop.example\r\n"
MORE = b"Authorization: Bearer abc\r\nX-Long: " + b"x" * 300 + b"\r\nContent-Length: 2\r\n\r\n"
REQUEST = LINE + HOST + MORE
ANSWER = b"HTTP/1.1 201 Created\r\nServer: a\r\nX-Pad: " + b"y" * 300 + b"\r\nContent-Length: 2\r\n\r\nok"
NEXT = b"GET /next HTTP/1.1\r\nHost: shop.example\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
FRAME = 14 + 20 + 20


def run(segments: list[Segment], **options: int) -> Run:
    return run_frames(capture_segments(segments), **options)


def snapped(frames: list[CapturedFrame], size: int) -> list[CapturedFrame]:
    return [(time_ns, octets[:size], wire) for time_ns, octets, wire in frames]


def only(run: Run, target: str) -> Exchange:
    (found,) = [x for x in run.exchanges if x["request"] and x["request"]["target"] == target]
    return found


def without(segments: list[Segment], start: int, stop: int, from_client: bool) -> list[Segment]:
    """*segments* without those of one side that begin at offsets from *start* to before *stop*."""
    first = segments[0].seq + 1 if from_client else segments[1].seq + 1
    return [
        s
        for s in segments
        if s.from_client != from_client or not s.payload or not start <= (s.seq - first) % 2**32 < stop
    ]


def fields_within(head: bytes, size: int) -> list[list[str]]:
    """The field lines of *head* that end within its first *size* octets."""
    lines = head[:size].split(b"\r\n")[1:-1]
    return [line.decode().split(": ", 1) for line in lines if line]


@pytest.mark.parametrize("cut", [len(LINE), len(LINE) + 5, len(LINE + HOST), len(LINE + HOST) + 40, 200])
@pytest.mark.parametrize("how", ["hole", "snap", "fin", "end", "reset"])
def test_a_request_is_reported_with_the_lines_that_were_captured(cut, how):
    talk = Conversation().handshake().client(REQUEST + b"{}", [cut])
    if how == "hole":
        segments = without(
            talk.server(OK).client(NEXT).server(OK).close().segments, cut, len(REQUEST) + 2, True
        )
    elif how == "snap":
        segments = (
            Conversation().handshake().client(REQUEST + b"{}").server(OK).client(NEXT).server(OK).segments
        )
    else:
        talk = Conversation().handshake().client(REQUEST[:cut])
        if how == "fin":
            talk.fin(False).fin(True)
        elif how == "reset":
            talk.rst(False)
        segments = talk.segments
    frames = capture_segments(segments)
    found = run_frames(snapped(frames, FRAME + cut) if how == "snap" else frames)

    exchange = only(found, "/orders?page=2")
    request = exchange["request"]
    assert (request["method"], request["headers"]) == ("POST", fields_within(REQUEST, cut))
    assert request["host"] == ("shop.example" if cut >= len(LINE + HOST) else "")
    assert "head_cut" in request["anomalies"]
    reasons = {"hole": "request_gap", "snap": "request_gap", "end": "still_open"}
    assert exchange["incomplete"] == reasons.get(how, "request_cut")
    if how in ("hole", "snap"):
        assert exchange["response"]["status"] == 200
    if how == "hole":
        assert only(found, "/next")["incomplete"] is None


@pytest.mark.parametrize("cut", [13, 15, 22, 33, 100])
@pytest.mark.parametrize("how", ["hole", "snap", "fin", "end"])
def test_a_response_is_reported_with_the_lines_that_were_captured(cut, how):
    talk = Conversation().handshake().client(NEXT)
    if how == "hole":
        talk.server(ANSWER, [cut]).client(NEXT.replace(b"next", b"last")).server(OK).close()
        segments = without(talk.segments, cut, len(ANSWER), False)
    elif how == "snap":
        segments = talk.server(ANSWER).client(NEXT.replace(b"next", b"last")).server(OK).segments
    else:
        talk.server(ANSWER[:cut])
        segments = talk.close().segments if how == "fin" else talk.segments
    frames = capture_segments(segments)
    found = run_frames(snapped(frames, max(FRAME + cut, FRAME + len(NEXT))) if how == "snap" else frames)

    exchange = only(found, "/next")
    response = exchange["response"]
    assert response["status"] == 201
    if how != "snap":
        assert response["headers"] == fields_within(ANSWER, cut)
    assert "head_cut" in response["anomalies"]
    reasons = {"fin": "response_cut", "end": "still_open"}
    assert exchange["incomplete"] == reasons.get(how, "response_gap")
    if how in ("hole", "snap"):
        assert only(found, "/last")["response"]["status"] == 200


@pytest.mark.parametrize("line", [b"GET /secr", b"GET /a HTTP/1", b"\x16\x03\x01 HTTP/1.1\r\nA: b\r\n"])
def test_a_start_line_that_was_not_captured_is_not_guessed(line):
    segments = Conversation().handshake().client(NEXT).server(OK).client(line).fin(True).segments

    assert [x["request"]["target"] for x in run(segments).exchanges] == ["/next"]


def test_a_status_that_may_go_on_is_not_guessed():
    (exchange,) = run(
        Conversation().handshake().client(NEXT).server(b"HTTP/1.1 20").close().segments
    ).exchanges

    assert (exchange["response"], exchange["incomplete"]) == (None, "response_cut")


def test_a_head_beyond_the_bound_is_reported_with_the_lines_that_fit():
    large = LINE + HOST + b"".join(b"X-%d: %s\r\n" % (n, b"v" * 90) for n in range(100)) + b"\r\n"
    turns = [(True, large), (False, OK), (True, NEXT), (False, OK)]
    found = run(converse(turns), max_head_bytes=4096)

    exchange = only(found, "/orders?page=2")
    assert exchange["request"]["host"] == "shop.example"
    assert (exchange["response"]["status"], exchange["incomplete"]) == (200, "request_cut")
    assert only(found, "/next")["incomplete"] is None


def test_a_server_that_answers_before_the_end_of_the_head_is_paired():
    """431 (Request Header Fields Too Large) and 408 come while the head is still being sent."""
    answer = b"HTTP/1.1 431 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    talk = Conversation().handshake().client(REQUEST[:200]).ack(False).server(answer).fin(False).fin(True)

    (exchange,) = run(talk.segments).exchanges
    assert exchange["request"]["target"] == "/orders?page=2"
    assert (exchange["response"]["status"], exchange["incomplete"]) == (431, "request_cut")


def test_a_final_response_after_an_interim_head_that_was_cut():
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: " + b"l" * 200 + b"\r\n\r\n"
    segments = Conversation().handshake().client(NEXT).server(hints, [60]).server(OK).segments

    (exchange,) = run(without(segments, 60, len(hints), False)).exchanges
    assert (exchange["response"]["status"], exchange["interim"]) == (200, 1)


def test_what_follows_a_tunnel_whose_200_was_cut_is_no_http():
    connect = b"CONNECT mail.example:25 HTTP/1.1\r\nHost: mail.example:25\r\n\r\n"
    answer = b"HTTP/1.1 200 Connection established\r\nProxy-Agent: " + b"p" * 200 + b"\r\n\r\n"
    talk = (
        Conversation()
        .handshake()
        .client(connect)
        .server(answer, [60])
        .server(b"220 mail\r\n")
        .client(b"EHLO x\r\n")
    )

    (exchange,) = run(without(talk.segments, 60, len(answer), False)).exchanges
    assert (exchange["request"]["method"], exchange["response"]["status"]) == ("CONNECT", 200)
