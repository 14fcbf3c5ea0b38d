"""Two HTTP/2 peers of the h2 library talking to each other, and what they said: octets and exchanges.

The octets become segments by ``tests.helpers.conversation``; the exchanges are the truth that the engine's
reading is compared with. Nothing here parses what the engine parses: h2 wrote it, and h2 on the other side
accepted it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.settings

Field = tuple[bytes, bytes]


@dataclass(slots=True)
class Said:
    """One side of a stream as it was sent."""

    head: list[Field] = field(default_factory=list)
    body: bytes = b""
    trailers: list[Field] = field(default_factory=list)
    ended: bool = False

    def pseudo(self, name: bytes) -> str:
        return next((value.decode() for key, value in self.head if key == name), "")

    @property
    def fields(self) -> list[list[str]]:
        """Without pseudo-header fields, as text."""
        return [[n.decode("latin-1"), v.decode("latin-1")] for n, v in self.head if not n.startswith(b":")]


class Peers:
    """A client and a server; what each sends is delivered to the other at once and recorded (``turns``)."""

    def __init__(self, *, start: bool = True) -> None:
        self.client = self._peer(True)
        self.server = self._peer(False)
        self.turns: list[tuple[bool, bytes]] = []
        self.requests: dict[int, Said] = {}
        self.responses: dict[int, Said] = {}
        self.reset: set[int] = set()
        self.interim: dict[int, int] = {}
        self._resized: set[bool] = set()
        if start:
            self.client.initiate_connection()
            self.flush(True)
            self.server.initiate_connection()
            self.flush(False)
            self.flush(True)

    @staticmethod
    def _peer(client_side: bool) -> h2.connection.H2Connection:
        config = h2.config.H2Configuration(
            client_side=client_side, header_encoding=None, validate_outbound_headers=False,
            validate_inbound_headers=False, normalize_outbound_headers=False,
        )  # fmt: skip
        return h2.connection.H2Connection(config=config)

    def _of(self, from_client: bool) -> h2.connection.H2Connection:
        return self.client if from_client else self.server

    def _said(self, from_client: bool) -> dict[int, Said]:
        return self.requests if from_client else self.responses

    def flush(self, from_client: bool) -> None:
        """Send what a side has to say as one turn."""
        octets = self._of(from_client).data_to_send()
        if octets:
            self.turns.append((from_client, octets))
            self._of(not from_client).receive_data(octets)

    def head(
        self, from_client: bool, stream: int, fields: Sequence[Field], *, end: bool = False, weight: int = 0
    ) -> None:
        """A header section; *weight*, when given, goes with it as priority."""
        peer = self._of(from_client)
        peer.send_headers(stream, list(fields), end_stream=end, priority_weight=weight or None)
        self._resized.discard(not from_client)
        status = next((value for name, value in fields if name == b":status"), b"")
        if status.startswith(b"1"):
            self.interim[stream] = self.interim.get(stream, 0) + 1
            return
        self._said(from_client)[stream] = Said(list(fields), ended=end)

    def data(
        self, from_client: bool, stream: int, octets: bytes, *, end: bool = False, pad: int | None = None
    ) -> None:
        """DATA in frames of at most 16,384 octets, padding included; windows are topped up at once."""
        peer, other = self._of(from_client), self._of(not from_client)
        said = self._said(from_client)[stream]
        room = 16384 - (pad + 1 if pad is not None else 0)
        pieces = [octets[at : at + room] for at in range(0, len(octets), room)] or [b""]
        for i, piece in enumerate(pieces):
            peer.send_data(stream, piece, end_stream=end and i == len(pieces) - 1, pad_length=pad)
            self.flush(from_client)
            used = len(piece) + (pad + 1 if pad is not None else 0)
            if used:
                other.increment_flow_control_window(used)
                if not (end and i == len(pieces) - 1):
                    other.increment_flow_control_window(used, stream)
            self.flush(not from_client)
        said.body += octets
        said.ended = end

    def trailers(self, from_client: bool, stream: int, fields: Sequence[Field]) -> None:
        self._of(from_client).send_headers(stream, list(fields), end_stream=True)
        said = self._said(from_client)[stream]
        said.trailers, said.ended = list(fields), True

    def abort(self, from_client: bool, stream: int, code: int = 8) -> None:
        self._of(from_client).reset_stream(stream, code)
        self.reset.add(stream)

    def table_size(self, from_client: bool, size: int) -> None:
        """Tell the other side which HPACK table this one accepts; acknowledged at once.

        Nothing happens while an earlier size has not been taken up: hpack announces one of the two only.
        """
        if from_client in self._resized:
            return
        self._resized.add(from_client)
        self._of(from_client).update_settings({h2.settings.SettingCodes.HEADER_TABLE_SIZE: size})
        self.flush(from_client)
        self.flush(not from_client)


def request_head(method: str, path: str, *more: Field, authority: str = "api.test") -> list[Field]:
    return [
        (b":method", method.encode()),
        (b":scheme", b"http"),
        (b":path", path.encode()),
        (b":authority", authority.encode()),
        *more,
    ]


def response_head(status: int, *more: Field) -> list[Field]:
    return [(b":status", str(status).encode()), *more]


def simple_exchanges(count: int) -> Peers:
    """*count* exchanges one after the other, with names and values that come and go in the HPACK tables."""
    peers = Peers()
    for i in range(count):
        stream = 2 * i + 1
        body = b'{"n": %d}' % i if i % 3 == 0 else b""
        more = [(b"user-agent", b"test/1"), (b"x-tenant", b"t%d" % (i % 7))]
        if body:
            more.append((b"content-length", b"%d" % len(body)))
        method = "POST" if body else "GET"
        peers.head(True, stream, request_head(method, f"/items/{i}", *more), end=not body)
        if body:
            peers.data(True, stream, body, end=True)
        peers.flush(True)
        answer = b"answer %d " % i * (1 + i % 5)
        if i % 11 == 0:
            answer *= 200
        fields = [
            (b"content-length", b"%d" % len(answer)),
            (b"server", b"s"),
            (b"etag", b'"%d"' % (i * 7919)),
        ]
        peers.head(False, stream, response_head(404 if i % 10 == 9 else 200, *fields))
        peers.data(False, stream, answer, end=True)
        peers.flush(False)
    return peers
