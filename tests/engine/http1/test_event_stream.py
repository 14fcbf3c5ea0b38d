"""Server-sent events: a response that is reported while it lasts."""

from __future__ import annotations

from levo.engine.engine import Engine
from tests.helpers.websocket import frame

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
REQUEST = b"GET /events HTTP/1.1\r\nHost: a.example\r\nAccept: text/event-stream\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_an_event_stream_is_reported_once_while_it_lasts_and_the_next_exchange_is_exact():
    """After the stream timeout the exchange leaves with what came; later events end no exchange twice."""
    engine = Engine(stream_timeout_ns=10 * SECOND)
    seqs = {True: 1, False: 1}
    now = START

    def send(from_client: bool, payload: bytes, flags: int = 0x18) -> None:
        engine.feed(
            [(now, frame(from_client, seqs[from_client], seqs[not from_client], payload, flags), None)]
        )
        seqs[from_client] += len(payload)

    engine.feed([(now, frame(True, 0, 0, b"", 2), None), (now, frame(False, 0, 1, b"", 0x12), None)])
    send(True, REQUEST)
    send(False, HEAD)
    for _ in range(5):
        now += 3 * SECOND
        send(False, b"9\r\ndata: 1\n\n\r\n")
        engine.tick(now)

    (reported,) = engine.take().exchanges()
    assert (reported.incomplete, reported.request.path) == ("still_open", "/events")
    assert reported.response.body == b"data: 1\n\n" * (len(reported.response.body) // 9) != b""

    send(False, b"0\r\n\r\n")
    send(True, b"GET /next HTTP/1.1\r\nHost: a.example\r\n\r\n")
    send(False, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    engine.finish()

    (following,) = engine.take().exchanges()
    assert (following.incomplete, following.request.path, following.response.body) == (None, "/next", b"ok")
