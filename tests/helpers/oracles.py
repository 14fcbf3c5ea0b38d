"""HTTP/1 read by parsers that are not ours: h11 and httptools.

Each reader takes a whole byte stream and returns messages in one plain form, so that readers can be compared
with each other and with the engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import h11
import httptools

from tests.helpers.lines import Exchange, body

Fields = tuple[tuple[bytes, bytes], ...]
"""(lower-cased name, value) in wire order."""


@dataclass(frozen=True, slots=True)
class Request:
    method: bytes
    target: bytes
    version: str
    fields: Fields
    body: bytes


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    reason: bytes
    version: str
    fields: Fields
    body: bytes


def _content(connection: h11.Connection) -> bytes:
    parts = []
    while True:
        event = connection.next_event()
        if isinstance(event, h11.EndOfMessage):
            return b"".join(parts)
        assert isinstance(event, h11.Data), f"h11 stopped at {event!r}"
        parts.append(bytes(event.data))


def requests_by_h11(stream: bytes) -> list[Request]:
    """All requests of one client's stream. A fresh parser each, so HTTP/1.0 keep-alive reads on."""
    found = []
    while stream:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        connection.receive_data(stream)
        head = connection.next_event()
        assert isinstance(head, h11.Request), f"h11 stopped at {head!r}"
        found.append(
            Request(
                bytes(head.method),
                bytes(head.target),
                head.http_version.decode(),
                tuple((bytes(n), bytes(v)) for n, v in head.headers),
                _content(connection),
            )
        )
        stream = connection.trailing_data[0]
    return found


def responses_by_h11(stream: bytes, methods: Sequence[bytes]) -> list[Response]:
    """The final responses to *methods*, in order; interim ones are passed over."""
    found = []
    for method in methods:
        connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
        connection.send(h11.Request(method=method, target=b"/", headers=[(b"Host", b"h")]))
        connection.send(h11.EndOfMessage())
        connection.receive_data(stream)
        head = connection.next_event()
        while isinstance(head, h11.InformationalResponse):
            head = connection.next_event()
        assert isinstance(head, h11.Response), f"h11 stopped at {head!r}"
        parts = []
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                connection.receive_data(b"")
                continue
            assert isinstance(event, h11.Data), f"h11 stopped at {event!r}"
            parts.append(bytes(event.data))
        found.append(
            Response(
                head.status_code,
                bytes(head.reason),
                head.http_version.decode(),
                tuple((bytes(n), bytes(v)) for n, v in head.headers),
                b"".join(parts),
            )
        )
        stream = connection.trailing_data[0]
    return found


class _Collector:
    """Callbacks of an httptools parser; one entry a message in ``messages``."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.parser: Any = None

    def on_message_begin(self) -> None:
        self.messages.append({"target": b"", "reason": b"", "fields": [], "body": b"", "ended": False})

    def on_url(self, data: bytes) -> None:
        self.messages[-1]["target"] += data

    def on_status(self, data: bytes) -> None:
        self.messages[-1]["reason"] += data

    def on_header(self, name: bytes, value: bytes) -> None:
        self.messages[-1]["fields"].append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        now = self.messages[-1]
        now["field_count"] = len(now["fields"])
        now["version"] = self.parser.get_http_version()
        if isinstance(self.parser, httptools.HttpRequestParser):
            now["method"] = self.parser.get_method()
        else:
            now["status"] = self.parser.get_status_code()

    def on_body(self, data: bytes) -> None:
        self.messages[-1]["body"] += data

    def on_message_complete(self) -> None:
        self.messages[-1]["ended"] = True


def requests_by_httptools(stream: bytes) -> list[Request]:
    """All requests of one client's stream, read by one parser."""
    collector = _Collector()
    collector.parser = httptools.HttpRequestParser(collector)
    collector.parser.feed_data(stream)
    return [
        Request(m["method"], m["target"], m["version"], tuple(m["fields"][: m["field_count"]]), m["body"])
        for m in collector.messages
    ]


def responses_by_httptools(stream: bytes) -> list[Response]:
    """Final responses of a server's stream. The parser knows no requests: leave answers to HEAD out."""
    collector = _Collector()
    collector.parser = httptools.HttpResponseParser(collector)
    collector.parser.feed_data(stream)
    return [
        Response(m["status"], m["reason"], m["version"], tuple(m["fields"][: m["field_count"]]), m["body"])
        for m in collector.messages
        if m["status"] >= 200
    ]


def _fields(headers: list[list[str]]) -> Fields:
    return tuple((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers)


def as_request(exchange: Exchange) -> Request:
    """The request of one line of the engine's output, in the oracles' form."""
    m = exchange["request"]
    return Request(
        m["method"].encode("latin-1"),
        m["target"].encode("latin-1"),
        m["version"],
        _fields(m["headers"]),
        body(m),
    )


def as_response(exchange: Exchange) -> Response:
    m = exchange["response"]
    return Response(m["status"], m["reason"].encode("latin-1"), m["version"], _fields(m["headers"]), body(m))
