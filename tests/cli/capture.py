"""A small capture for tests of commands: two exchanges, one with a credential."""

from __future__ import annotations

from pathlib import Path

from tests.helpers.conversation import converse, exchanges_as_turns
from tests.helpers.packets import Ends, capture_segments
from tests.helpers.pcap import write_pcap

CANARY = "canary-5f3a9c"

PAIRS = [
    (
        b"GET /users/7?full=1 HTTP/1.1\r\nHost: api.example:8080\r\nAuthorization: Bearer "
        + CANARY.encode()
        + b"\r\n\r\n",
        b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{"id":7}',
    ),
    (
        b"GET /health HTTP/1.1\r\nHost: api.example:8080\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ),
]


def write_capture(path: Path) -> Path:
    return write_pcap(path, capture_segments(converse(exchanges_as_turns(PAIRS)), Ends()))
