"""What a connection may cost before anything is known of it: the time and the size of a request's head."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from levo.satellite.connections import Connections

HEAD_S = 10.0
"""From the opening of a connection, or the first octet of a later request, to the end of the head."""
MAX_HEAD_BYTES = 64 << 10
"""Request line and field lines, and the same again for whatever else of a message is not its body: the
trailer section, the head of a chunk, empty lines before a request."""
MAX_FIELDS = 128
"""Field lines of a message, its trailers included."""
STALL_S = 60.0
"""A client that takes nothing of a response for so long is given up."""
_LINGER_S = 1.0
"""After a refusal what still comes is thrown away for so long: closing at once would reset the connection
before the client has read why."""
_PIECE_BYTES = 4 << 10
"""The parser gets so much at a time: past a limit it has built no more than this holds."""


class _TooLarge(Exception):
    """Ends the parsing of a head; the parser passes it on as an error."""


class _Flow(FlowControl):
    """Reads nothing more while requests sent in advance are still to be parsed, whoever asks for it."""

    holds = False

    def resume_reading(self) -> None:
        if not self.holds:
            super().resume_reading()


def bounded_protocol(  # noqa: C901 (the sum of a class's short methods)
    head_s: float = HEAD_S, connections: Connections | None = None
) -> type[asyncio.Protocol]:
    """Return uvicorn's protocol with bounds on heads, on requests sent in advance and on slow clients.

    A head that takes longer than *head_s* ends the connection, one that is too large is answered with 431
    (or 414). Requests sent in advance are parsed when it is their turn. *connections* learns which ones wait
    for their client. Bodies have their own bound (``receive.http_routes``), idle connections uvicorn's, and
    TLS handshakes asyncio's.
    """
    base: Any = HttpToolsProtocol

    class PatientProtocol(base):  # type: ignore[misc]
        _waiting: asyncio.TimerHandle | None = None
        _stalling: asyncio.TimerHandle | None = None
        _lingering: asyncio.TimerHandle | None = None
        _descriptor = -1
        _rest = b""
        """Received, and not yet parsed since earlier requests are still to be answered."""
        _refusal: tuple[int, str] | None = None
        _reading_head = True
        _progressed = False
        """Whether the last piece had the start of a message or octets of a body."""
        _unfinished_bytes = 0
        """Octets since the last start of a message or octet of a body, counted in pieces."""
        _head_bytes = _fields = 0
        _unsent_bytes = 0

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self.flow = _Flow(self.transport)
            self._wait()
            accepted = transport.get_extra_info("socket")
            if connections is not None and accepted is not None:
                self._descriptor = accepted.fileno()
                connections.attach(self._descriptor, self._waits_for_client)

        def data_received(self, data: bytes) -> None:
            if connections is not None:
                connections.touch(self._descriptor)
            if self._refusal is None:
                self._rest += data
                self._parse()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            for handle in (self._stalling, self._lingering):
                if handle is not None:
                    handle.cancel()
            self._rest = b""
            super().connection_lost(exc)

        def _parse(self) -> None:
            """Give the parser what was received, unless earlier requests are still to be answered."""
            before = self.cycle
            data, at = self._rest, 0
            while at < len(data) and not (self.pipeline or self._refusal or self.transport.is_closing()):
                piece = data[at : at + _PIECE_BYTES]
                at += len(piece)
                self._progressed = False
                super().data_received(piece)
                self._unfinished_bytes = 0 if self._progressed else self._unfinished_bytes + len(piece)
                if self._unfinished_bytes > MAX_HEAD_BYTES and self._refusal is None:
                    self._refuse()
            self._hold(b"" if self._refusal else data[at:])
            if self.cycle is not before:
                self._stop_waiting()
            elif self._waiting is None and self._in_head() and self._refusal is None:
                self._wait()

        def _hold(self, rest: bytes) -> None:
            """Keep *rest* for later, and read nothing more until it is parsed."""
            held, self._rest = self.flow.holds, rest
            self.flow.holds = bool(rest)
            if rest:
                self.flow.pause_reading()
            elif held and not self.pipeline and len(self.cycle.body) <= HIGH_WATER_LIMIT:
                self.flow.resume_reading()

        # Callbacks of the parser.

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._reading_head = self._progressed = True
            self._head_bytes = self._fields = 0

        def on_url(self, url: bytes) -> None:
            self._count(len(url))
            super().on_url(url)

        def on_header(self, name: bytes, value: bytes) -> None:
            self._fields += 1
            self._count(len(name) + len(value) + 4)
            if self._reading_head:  # trailers are no fields of the head (RFC 9110 section 6.5.1)
                super().on_header(name, value)

        def on_headers_complete(self) -> None:
            self._reading_head = False
            super().on_headers_complete()

        def on_body(self, body: bytes) -> None:
            self._progressed = True
            super().on_body(body)

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self._rest and not self.pipeline:
                self.loop.call_soon(self._parse_rest)

        def _parse_rest(self) -> None:
            if self.parser is not None and self._refusal is None:
                self._parse()

        def _count(self, size: int) -> None:
            self._head_bytes += size
            if self._head_bytes > MAX_HEAD_BYTES or self._fields > MAX_FIELDS:
                self._refuse()
                raise _TooLarge

        # Refusals.

        def send_400_response(self, msg: str) -> None:
            if self._refusal is None:
                super().send_400_response(msg)

        def _refuse(self) -> None:
            """Take nothing more of this connection, and answer if it is the turn of this message."""
            if self._fields > MAX_FIELDS:
                self._refusal = 431, f"a request may have {MAX_FIELDS} header fields"
            elif self._reading_head and not self._fields and self._head_bytes > MAX_HEAD_BYTES:
                self._refusal = 414, f"the target of a request may have {MAX_HEAD_BYTES} octets"
            else:
                self._refusal = 431, f"the header section of a request may have {MAX_HEAD_BYTES} octets"
            self._stop_waiting()
            cycle = self.cycle
            if cycle is not None and not cycle.response_complete:
                if self._reading_head:  # of a later request: the connection ends with the answer before it
                    cycle.keep_alive = False
                    return
                if cycle.response_started or self.pipeline:
                    self.transport.abort()
                    return
                cycle.disconnected = True
                cycle.message_event.set()
            self._answer(*self._refusal)

        def _answer(self, status: int, text: str) -> None:
            body = text.encode() + b"\n"
            self._unset_keepalive_if_required()
            self.transport.write(
                STATUS_LINE[status]
                + b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n" % len(body)
                + b"connection: close\r\n\r\n"
                + body
            )
            if self.transport.can_write_eof():
                self.transport.write_eof()
            self._lingering = self.loop.call_later(_LINGER_S, self.transport.abort)

        # Time.

        def pause_writing(self) -> None:
            super().pause_writing()
            self._watch_writing()

        def resume_writing(self) -> None:
            super().resume_writing()
            if self._stalling is not None:
                self._stalling.cancel()
                self._stalling = None

        def _watch_writing(self) -> None:
            self._unsent_bytes = self.transport.get_write_buffer_size()
            self._stalling = self.loop.call_later(STALL_S, self._end_if_stalled)

        def _end_if_stalled(self) -> None:
            if self.transport.get_write_buffer_size() < self._unsent_bytes:
                self._watch_writing()
            else:
                self.transport.abort()

        def _waits_for_client(self) -> bool:
            return self._in_head() or self._stalling is not None or bool(self.cycle.more_body)

        def _in_head(self) -> bool:
            return self.cycle is None or bool(self.cycle.response_complete)

        def _wait(self) -> None:
            self._waiting = self.loop.call_later(head_s, self._end)

        def _stop_waiting(self) -> None:
            if self._waiting is not None:
                self._waiting.cancel()
                self._waiting = None

        def _end(self) -> None:
            self._waiting = None
            if self._in_head() and not self.transport.is_closing():
                self.transport.close()

    return PatientProtocol
