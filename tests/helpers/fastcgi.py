"""Records of FastCGI, as a web server and an application write them (FastCGI specification 1.0)."""

from __future__ import annotations

import struct
from collections.abc import Mapping

BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, STDERR = range(1, 8)


def record(kind: int, content: bytes, number: int = 1, padding: int = 0) -> bytes:
    return struct.pack("!BBHHBB", 1, kind, number, len(content), padding, 0) + content + bytes(padding)


def pair(name: bytes, value: bytes) -> bytes:
    def size(octets: bytes) -> bytes:
        return bytes([len(octets)]) if len(octets) < 128 else struct.pack("!I", len(octets) | 1 << 31)

    return size(name) + size(value) + name + value


def parameters(target: str, method: str = "GET", **fields: str) -> dict[str, str]:
    path, _, query = target.partition("?")
    return {
        "SCRIPT_FILENAME": "/srv/index.php",
        "QUERY_STRING": query,
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "/index.php",
        "REQUEST_URI": target,
        "DOCUMENT_URI": path,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "203.0.113.9",
        "HTTP_HOST": "api.example",
        **fields,
    }


def asked(given: Mapping[str, str], body: bytes = b"", number: int = 1, padding: int = 0) -> bytes:
    """A request in the records of a web server that keeps the connection."""
    named = b"".join(pair(name.encode(), value.encode()) for name, value in given.items())
    return (
        record(BEGIN, struct.pack("!HB5x", 1, 1), number)
        + b"".join(
            record(PARAMS, named[at : at + 60000], number, padding) for at in range(0, len(named), 60000)
        )
        + record(PARAMS, b"", number)
        + b"".join(record(STDIN, body[at : at + 60000], number) for at in range(0, len(body), 60000))
        + record(STDIN, b"", number)
    )


def answered(output: bytes, number: int = 1, padding: int = 0) -> bytes:
    return (
        b"".join(
            record(STDOUT, output[at : at + 60000], number, padding) for at in range(0, len(output), 60000)
        )
        + record(STDOUT, b"", number)
        + record(END, bytes(8), number)
    )
