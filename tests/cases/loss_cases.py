"""Cases about octets the capture never saw, and captures that begin late."""

from __future__ import annotations

from tests.cases.case import Case, chunked, exchange, get, ok, post
from tests.helpers.conversation import Conversation, converse
from tests.helpers.mutations import drop
from tests.helpers.packets import Segment, capture_segments

ANCESTOR = "A defect of an earlier sensor of this kind"


def _at(segments: list[Segment], octets: bytes) -> int:
    """The index of the one segment that holds *octets*."""
    (index,) = [i for i, s in enumerate(segments) if octets in s.payload]
    return index


def gap_in_length_body() -> Case:
    content = b"a" * 100 + b"LOST" * 25 + b"z" * 100
    answer = ok(content)
    edge = len(answer) - len(content)
    segments = converse(
        [(True, get("/g1")), (False, answer), (True, get("/g2")), (False, ok(b"next"))],
        cuts=[[], [edge + 100, edge + 200]],
    )
    return Case(
        "gap-in-body-of-known-length",
        "A segment inside a body is missing: it is counted, never padded, and the next exchange is exact.",
        f"{ANCESTOR}: the octets are spliced and the next message is eaten.",
        capture_segments(drop(segments, _at(segments, b"LOST"))),
        [
            exchange(
                "/g1",
                "a" * 100 + "z" * 100,
                incomplete="response_gap",
                response={"missing_bytes": 100, "wire_body_size": 300},
            ),
            exchange("/g2", "next"),
        ],
        {"gap_bytes": 100, "gaps": 1},
    )


def gap_in_request_body() -> Case:
    content = b"a" * 50 + b"LOST" * 10 + b"z" * 50
    request = post("/up", content)
    edge = len(request) - len(content)
    segments = converse(
        [(True, request), (False, ok(b"stored")), (True, get("/next")), (False, ok(b"next"))],
        cuts=[[edge + 50, edge + 90]],
    )
    return Case(
        "gap-in-request-body",
        "The same in a request.",
        "Missing octets are data.",
        capture_segments(drop(segments, _at(segments, b"LOST"))),
        [
            exchange(
                "/up",
                "stored",
                method="POST",
                incomplete="request_gap",
                request={"body": "a" * 50 + "z" * 50, "missing_bytes": 40, "wire_body_size": 140},
            ),
            exchange("/next", "next"),
        ],
    )


def gap_inside_chunk() -> Case:
    big = b"a" * 100 + b"LOST" * 25 + b"z" * 100
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"first", big, b"last")
    at = answer.index(b"LOST")
    segments = converse(
        [(True, get("/c1")), (False, answer), (True, get("/c2")), (False, ok(b"next"))],
        cuts=[[], [at, at + 100]],
    )
    return Case(
        "gap-inside-a-chunk",
        "A hole that lies inside one chunk leaves the chunk framing whole.",
        "RFC 9112 section 7.1: the chunk's size is known.",
        capture_segments(drop(segments, _at(segments, b"LOST"))),
        [
            exchange(
                "/c1",
                "first" + "a" * 100 + "z" * 100 + "last",
                incomplete="response_gap",
                response={"missing_bytes": 100},
            ),
            exchange("/c2", "next"),
        ],
    )


def gap_over_chunk_size() -> Case:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(
        b"a" * 90, b"LOST" * 40, b"c" * 90
    )
    start = answer.index(b"a0\r\nLOST") - 40
    segments = converse(
        [(True, get("/c1")), (False, answer), (True, get("/c2")), (False, ok(b"next"))],
        cuts=[[], [start, start + 100]],
    )
    return Case(
        "gap-over-a-chunk-size",
        "A chunk-size line is lost, so the framing of this response is; the next response is found again.",
        f"{ANCESTOR}: the rest of the connection is misread.",
        capture_segments(drop(segments, _at(segments, b"a0\r\nLOST"))),
        [
            exchange("/c1", None, incomplete="response_gap"),
            exchange("/c2", "next"),
        ],
    )


def lost_response() -> Case:
    turns = []
    for i in range(5):
        turns += [(True, get(f"/r{i}")), (False, ok(b"response %d" % i))]
    segments = converse(turns)
    return Case(
        "lost-response",
        "One whole response of a keep-alive connection is missing; every later one still meets its request.",
        "Programs that pair by order alone shift all later pairs by one.",
        capture_segments(drop(segments, _at(segments, b"response 2"))),
        [
            exchange("/r0", "response 0"),
            exchange("/r1", "response 1"),
            exchange("/r2", status=None, incomplete="response_gap"),
            exchange("/r3", "response 3"),
            exchange("/r4", "response 4"),
        ],
        {"gaps": 1},
    )


def lost_request() -> Case:
    turns = []
    for i in range(4):
        turns += [(True, get(f"/q{i}")), (False, ok(b"response %d" % i))]
    segments = converse(turns)
    return Case(
        "lost-request",
        "One whole request is missing: its response is reported alone, the others are paired.",
        "Programs that pair by order alone answer it with the next request's place.",
        capture_segments(drop(segments, _at(segments, b"/q1"))),
        [
            exchange("/q0", "response 0"),
            exchange(None, "response 1", incomplete="no_request"),
            exchange("/q2", "response 2"),
            exchange("/q3", "response 3"),
        ],
    )


def lost_exchange() -> Case:
    turns = []
    for i in range(4):
        turns += [(True, get(f"/x{i}")), (False, ok(b"response %d" % i))]
    segments = converse(turns)
    return Case(
        "lost-request-and-response",
        "A request and its response are both missing: one hole in each direction, no wrong pair.",
        "Missing octets are data.",
        capture_segments(drop(segments, _at(segments, b"/x1"), _at(segments, b"response 1"))),
        [exchange("/x0", "response 0"), exchange("/x2", "response 2"), exchange("/x3", "response 3")],
        {"gaps": 2},
    )


def gap_in_request_head() -> Case:
    request = get("/" + "h" * 60, "X-Filler: " + "f" * 80)
    segments = converse(
        [
            (True, get("/a")),
            (False, ok(b"a")),
            (True, request),
            (False, ok(b"b")),
            (True, get("/c")),
            (False, ok(b"c")),
        ],
        cuts=[[], [], [30, 130]],
    )
    return Case(
        "gap-in-a-request-head",
        "Part of a request's head is missing; the exchanges around it are exact.",
        "A head with a hole is not believed.",
        capture_segments(drop(segments, _at(segments, b"hhhh\x20HTTP"))),
        [
            exchange("/a", "a"),
            exchange(None, "b", incomplete="no_request"),
            exchange("/c", "c"),
        ],
    )


def gap_in_response_head() -> Case:
    answer = ok(b"content", "X-Filler: " + "f" * 200)
    segments = converse(
        [
            (True, get("/a")),
            (False, ok(b"a")),
            (True, get("/b")),
            (False, answer),
            (True, get("/c")),
            (False, ok(b"c")),
        ],
        cuts=[[], [], [], [60, 160]],
    )
    return Case(
        "gap-in-a-response-head",
        "Part of a response's head is missing; its request is reported with the loss, the others are exact.",
        "A head with a hole is not believed.",
        capture_segments(drop(segments, next(i for i, s in enumerate(segments) if s.payload == b"f" * 100))),
        [
            exchange("/a", "a"),
            {"request": {"method": "GET", "target": "/b"}, "incomplete": "response_gap"},
            exchange("/c", "c"),
        ],
    )


def gap_to_the_end() -> Case:
    answer = ok(b"b" * 100 + b"LOST" * 25)
    segments = converse(
        [(True, get("/a")), (False, ok(b"a")), (True, get("/b")), (False, answer)],
        cuts=[[], [], [], [len(answer) - 100]],
    )
    return Case(
        "gap-at-the-end-of-the-last-body",
        "The end of the last body is missing; only the FIN behind it tells.",
        "The sequence number of FIN bounds the stream.",
        capture_segments(drop(segments, _at(segments, b"LOST"))),
        [
            exchange("/a", "a"),
            exchange("/b", "b" * 100, incomplete="response_gap", response={"missing_bytes": 100}),
        ],
    )


def acknowledged_gap_to_the_end() -> Case:
    answer = ok(b"b" * 100 + b"LOST" * 25)
    segments = converse(
        [(True, get("/a")), (False, ok(b"a")), (True, get("/b")), (False, answer)],
        cuts=[[], [], [], [len(answer) - 100]],
        acks=True,
    )
    return Case(
        "acknowledged-gap-at-the-end-of-the-capture",
        "The end of the last body is missing, its receiver has acknowledged it, and the capture ends a "
        "moment later: octets were lost, nothing is still open.",
        "Those that lost octets say so.",
        capture_segments(drop(segments, _at(segments, b"LOST"))),
        [
            exchange("/a", "a"),
            exchange("/b", "b" * 100, incomplete="response_gap", response={"missing_bytes": 100}),
        ],
        {"gap_bytes": 100},
    )


def two_gaps_at_the_end() -> Case:
    first, last = ok(b"a" * 50 + b"TAIL"), ok(b"c" * 100 + b"LOST" * 25)
    segments = converse(
        [
            (True, get("/a")),
            (False, first),
            (True, get("/b")),
            (False, ok(b"b")),
            (True, get("/c")),
            (False, last),
        ],
        cuts=[[], [len(first) - 4], [], [], [], [len(last) - 100]],
        acks=True,
    )
    return Case(
        "two-gaps-when-the-capture-ends",
        "Two holes of one direction are both still waited for when the capture ends; each is counted.",
        "Those that lost octets say so.",
        capture_segments(drop(segments, _at(segments, b"TAIL"), _at(segments, b"LOST"))),
        [
            exchange("/a", "a" * 50, incomplete="response_gap", response={"missing_bytes": 4}),
            exchange("/b", "b"),
            exchange("/c", "c" * 100, incomplete="response_gap", response={"missing_bytes": 100}),
        ],
        {"gap_bytes": 104, "gaps": 2},
    )


def mid_stream() -> Case:
    talk = Conversation().start_mid_stream()
    talk.server(b"the rest of a body that began before the capture did\r\n")
    talk.client(get("/m1")).server(ok(b"m1")).client(get("/m2")).server(ok(b"m2")).close()
    return Case(
        "mid-stream",
        "The capture begins inside a response: the first whole exchange is the first one "
        "reported as complete.",
        "Sensors start while connections are open.",
        capture_segments(talk.segments),
        [exchange("/m1", "m1"), exchange("/m2", "m2")],
        {"connections_mid_stream": 1},
    )


def mid_stream_response_first() -> Case:
    talk = Conversation().start_mid_stream()
    talk.server(ok(b"to a request before the capture"))
    talk.client(get("/m1")).server(ok(b"m1")).close()
    return Case(
        "mid-stream-response-first",
        "The first thing captured is the response to a request that was sent before.",
        "It must not be given to the next request.",
        capture_segments(talk.segments),
        [
            exchange(None, "to a request before the capture", incomplete="no_request"),
            exchange("/m1", "m1"),
        ],
    )


def unanswered() -> Case:
    talk = (
        Conversation().handshake().client(get("/a")).server(ok(b"a")).client(get("/b")).fin(False).ack(True)
    )
    return Case(
        "closed-without-an-answer",
        "The server closes without answering the last request; nothing was lost.",
        "A server may close an idle connection at the moment a request arrives.",
        capture_segments(talk.segments),
        [exchange("/a", "a"), exchange("/b", status=None, incomplete="no_response")],
        {"gaps": 0},
    )


def many_after_one_loss() -> Case:
    turns = []
    for i in range(300):
        turns += [(True, get(f"/i{i}")), (False, ok(b"response %d." % i))]
    segments = converse(turns)
    expected = [exchange(f"/i{i}", f"response {i}.") for i in range(300)]
    expected[150] = exchange("/i150", status=None, incomplete="response_gap")
    return Case(
        "three-hundred-after-one-lost-response",
        "One of 300 responses is missing; nothing piles up behind it.",
        "A network monitor's queue of pending requests grows to its cap after one loss.",
        capture_segments(drop(segments, _at(segments, b"response 150."))),
        expected,
    )


def loss_then_silence() -> Case:
    answer = ok(b"a" * 60 + b"LOST" * 10 + b"z" * 60)
    at = answer.index(b"LOST")
    first = converse([(True, get("/slow")), (False, answer)], cuts=[[], [at, at + 40]], close=False)
    lost = drop(first, _at(first, b"LOST"))
    talk = Conversation().handshake().skip(True, len(get("/slow"))).skip(False, len(answer))
    done = len(talk.segments)
    talk.client(get("/later")).server(ok(b"later")).close()
    later = talk.segments[done:]
    start = 1_700_000_000_000_000_000
    return Case(
        "gap-released-by-time",
        "A missing segment is waited for until the stream timeout, not for ever: traffic goes "
        "on a minute later.",
        "The stream timeout of the sensor.",
        capture_segments(lost, start_ns=start) + capture_segments(later, start_ns=start + 60 * 10**9),
        [
            exchange("/slow", "a" * 60 + "z" * 60, incomplete="response_gap", response={"missing_bytes": 40}),
            exchange("/later", "later"),
        ],
    )


MAKERS = [
    gap_in_length_body,
    gap_in_request_body,
    gap_inside_chunk,
    gap_over_chunk_size,
    lost_response,
    lost_request,
    lost_exchange,
    gap_in_request_head,
    gap_in_response_head,
    gap_to_the_end,
    acknowledged_gap_to_the_end,
    two_gaps_at_the_end,
    mid_stream,
    mid_stream_response_first,
    unanswered,
    many_after_one_loss,
    loss_then_silence,
]
