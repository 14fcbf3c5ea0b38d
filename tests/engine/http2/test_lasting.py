"""Streams of HTTP/2 that last: reported once, while they do; what else is on the connection stays exact."""

from __future__ import annotations

import struct

import pytest

from levo.engine.engine import Engine
from levo.model.exchange import Exchange
from tests.helpers.http2_peers import Peers, request_head, response_head
from tests.helpers.websocket import frame

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
GRPC = (b"content-type", b"application/grpc")
EVENTS = (b"content-type", b"text/event-stream")


def message(octets: bytes) -> bytes:
    return struct.pack(">BI", 0, len(octets)) + octets


class Overheard:
    """Two h2 peers on one connection, and an engine that is told the time."""

    def __init__(self, **settings: int) -> None:
        self.peers = Peers()
        self.now = START
        self.engine = Engine(stream_timeout_ns=10 * SECOND, **settings)
        self._seqs = {True: 1, False: 1}
        self._sent = 0
        self.engine.feed(
            [(START, frame(True, 0, 0, b"", 2), None), (START, frame(False, 0, 1, b"", 18), None)]
        )

    def hear(self, seconds: float = 0) -> list[Exchange]:
        """What the peers have said since goes over the wire; then *seconds* pass, a tick each half of one."""
        for side in (True, False):
            self.peers.flush(side)
        for from_client, octets in self.peers.turns[self._sent :]:
            mine, other = self._seqs[from_client], self._seqs[not from_client]
            self.engine.feed([(self.now, frame(from_client, mine, other, octets), None)])
            self._seqs[from_client] += len(octets)
        self._sent = len(self.peers.turns)
        for _ in range(round(2 * seconds)):
            self.now += SECOND // 2
            self.engine.tick(self.now)
        return list(self.engine.take().exchanges())

    def end(self) -> list[Exchange]:
        found = self.hear()
        self.engine.finish()
        return found + list(self.engine.take().exchanges())

    def ask(self, stream: int, path: str, *fields: tuple[bytes, bytes], end: bool = True) -> None:
        self.peers.head(True, stream, request_head("POST" if fields else "GET", path, *fields), end=end)


def assert_others_are_exact(heard: Overheard, stream: int) -> None:
    """An exchange made now is read as ever."""
    heard.ask(stream, "/next")
    heard.hear()
    heard.peers.head(False, stream, response_head(200))
    heard.peers.data(False, stream, b"ok", end=True)
    (found,) = heard.hear()
    assert (found.request.path, found.response.body, found.incomplete) == ("/next", b"ok", None)


def test_an_event_stream_is_reported_after_the_timeout_and_only_once():
    heard = Overheard()
    heard.ask(1, "/events")
    heard.hear()
    heard.peers.head(False, 1, response_head(200, EVENTS))
    assert heard.hear(4) == []
    for _ in range(3):
        heard.peers.data(False, 1, b"data: 1\n\n")
        heard.hear(1)

    (found,) = heard.hear(4)

    assert (found.request.path, found.response.status, found.incomplete) == ("/events", 200, "still_open")
    assert found.response.body == b"data: 1\n\n" * 3
    assert_others_are_exact(heard, 3)
    heard.peers.data(False, 1, b"data: 2\n\n", end=True)
    assert heard.end() == []


def test_an_event_stream_that_ends_in_time_is_whole():
    heard = Overheard()
    heard.ask(1, "/events")
    heard.hear()
    heard.peers.head(False, 1, response_head(200, EVENTS))
    heard.peers.data(False, 1, b"data: 1\n\n")
    assert heard.hear(9) == []
    heard.peers.data(False, 1, b"data: 2\n\n", end=True)

    (found,) = heard.hear(5)

    assert (found.response.body, found.incomplete) == (b"data: 1\n\ndata: 2\n\n", None)


def test_other_responses_are_waited_for():
    """A slow download is no stream of events: it is reported at its end, whole."""
    heard = Overheard()
    heard.ask(1, "/events")
    heard.ask(3, "/download")
    heard.hear()
    heard.peers.head(False, 1, response_head(200, EVENTS))
    heard.peers.head(False, 3, response_head(200))
    heard.peers.data(False, 3, b"first ")
    assert [x.request.path for x in heard.hear(60)] == ["/events"]
    heard.peers.data(False, 3, b"second", end=True)

    (found,) = heard.hear()

    assert (found.response.body, found.incomplete) == (b"first second", None)


@pytest.mark.parametrize("side", ["client", "server", "both"])
def test_grpc_streams_of_every_kind_are_reported_with_their_counts(side: str):
    heard = Overheard()
    heard.ask(1, "/a.B/Talk", GRPC, end=False)
    heard.hear()
    if side != "client":
        heard.peers.head(False, 1, response_head(200, GRPC))
    for _ in range(3):
        if side != "server":
            heard.peers.data(True, 1, message(b"asked"))
        if side != "client":
            heard.peers.data(False, 1, message(b"answered"))
        heard.hear(1)

    (found,) = heard.hear(9)

    assert (found.incomplete, found.grpc) == ("still_open", True)
    assert found.grpc_streaming == {"both": "bidirectional"}.get(side, side)
    assert found.request.data_messages == (0 if side == "server" else 3)
    assert (found.response is not None) == (side != "client")
    if found.response is not None:
        assert (found.response.data_messages, found.response.data_message_bytes) == (3, 24)
    assert_others_are_exact(heard, 3)
    heard.peers.server.send_headers(
        1, [*([(b":status", b"200")] * (side == "client")), (b"grpc-status", b"0")], True
    )
    assert heard.end() == []


@pytest.mark.parametrize("part", ["request", "answer", "response"])
def test_a_slow_unary_call_is_waited_for(part: str):
    """Its one message is long, or its answer takes its time."""
    heard = Overheard()
    asked, answer = message(b"a" * 5000), message(b"b" * 6000)
    heard.ask(1, "/a.B/Slow", GRPC, end=False)
    heard.peers.data(True, 1, asked[:3000])
    assert heard.hear(30 if part == "request" else 0) == []
    heard.peers.data(True, 1, asked[3000:], end=True)
    assert heard.hear(30 if part == "answer" else 0) == []
    heard.peers.head(False, 1, response_head(200, GRPC))
    heard.peers.data(False, 1, answer[:3000])
    assert heard.hear(30 if part == "response" else 0) == []
    heard.peers.data(False, 1, answer[3000:])
    heard.peers.trailers(False, 1, [(b"grpc-status", b"0")])

    (found,) = heard.hear()

    assert (found.incomplete, found.grpc_streaming) == (None, "")
    assert found.response is not None and found.response.body == answer


def test_a_stream_that_fills_its_bound_is_reported_at_once():
    heard = Overheard(max_message_bytes=100)
    heard.ask(1, "/events")
    heard.hear()
    heard.peers.head(False, 1, response_head(200, EVENTS))
    heard.peers.data(False, 1, b"data: %d\n\n" % (10**50) * 3)

    (found,) = heard.hear(0.5)

    assert found.incomplete == "still_open"
    assert found.response is not None
    assert (len(found.response.body), found.response.truncated) == (100, True)
