"""Capture files for benchmarks. Seeded: the same arguments give the same octets on every machine."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

EXCHANGES = 100_000
CONNECTIONS = 32
MTU_PAYLOAD = 1448
"""TCP payload of a full Ethernet frame with timestamps."""

_HEADER = struct.Struct("!HHIIBBHHH")
_FILE_HEADER = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1)
_START_NS = 1_700_000_000_000_000_000

Ends = tuple[bytes, bytes, int, int]
"""Client address, server address, client port, server port."""


def http1(
    path: Path,
    *,
    exchanges: int = EXCHANGES,
    connections: int = CONNECTIONS,
    seed: int = 1,
    in_turn: bool = True,
) -> Path:
    """Keep-alive exchanges over several connections: one packet each way, GET and POST, 0.5 kB JSON answers.

    The connections are used in turn, or in an order that is random.

    Ethernet, IPv4, TCP with the timestamp option left out; checksums are zero, as offloading network cards
    leave them. Written once; a file that is there already is taken as it is.
    """
    chance = random.Random(seed)
    numbers = [[1 + chance.getrandbits(31), 1 + chance.getrandbits(31)] for _ in range(connections)]
    return _written(
        path,
        _talk(
            exchanges,
            numbers,
            8080,
            lambda number: _exchange(number, chance),
            lambda: chance.randint(2_000, 20_000),
            None if in_turn else random.Random(seed),
        ),
    )


def bodies(path: Path, *, size: int, exchanges: int, connections: int = CONNECTIONS, seed: int = 1) -> Path:
    """Answers with *size* octets of JSON-like text each, cut at Ethernet's MTU; requests without a body."""
    chance = random.Random(seed)
    numbers = [[1 + chance.getrandbits(31), 1 + chance.getrandbits(31)] for _ in range(connections)]
    text = json.dumps(
        [{"id": chance.getrandbits(40), "text": "lorem ipsum dolor"} for _ in range(size // 45 + 1)]
    )
    body = text.encode()[:size]
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s" % (
        len(body),
        body,
    )

    def exchange(number: int) -> tuple[bytes, bytes]:
        return b"GET /files/%d HTTP/1.1\r\nHost: api.example.com\r\nAccept: */*\r\n\r\n" % number, answer

    return _written(path, _talk(exchanges, numbers, 8080, exchange, lambda: 5_000))


def tls(path: Path, *, packets: int = 200_000, connections: int = CONNECTIONS, seed: int = 1) -> Path:
    """A hello each way, then application data as TLS 1.3 shows it, 200 and 1,285 octets in turn."""
    chance = random.Random(seed)
    numbers = [[1 + chance.getrandbits(31), 1 + chance.getrandbits(31)] for _ in range(connections)]
    small = b"\x17\x03\x03\x00\xc3" + chance.randbytes(195)
    large = b"\x17\x03\x03\x05\x00" + chance.randbytes(1280)

    def exchange(number: int) -> tuple[bytes, bytes]:
        if number < connections:
            return _hello(1, chance), _hello(2, chance)
        return small, large

    return _written(path, _talk(packets // 2, numbers, 443, exchange, lambda: 5_000))


def stream(*, exchanges: int, connections: int) -> Iterator[bytes]:
    """A capture file in pieces, for a pipe: small exchanges without end over the same connections."""
    yield _FILE_HEADER
    numbers = [[1 + way, 1 + way] for way in range(connections)]
    answer = (
        b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"text":"'
        + b"x" * 489
        + b'"}'
    )

    def exchange(number: int) -> tuple[bytes, bytes]:
        return b"GET /api/v1/items/%d HTTP/1.1\r\nHost: api.example.com\r\n\r\n" % number, answer

    yield from _talk(exchanges, numbers, 8080, exchange, lambda: 20_000)


def _hello(kind: int, chance: random.Random) -> bytes:
    # A hello without extensions: legacy version, random, no session, one cipher suite, no compression.
    suites = b"\x00\x02\x13\x01\x01\x00" if kind == 1 else b"\x13\x01\x00"
    message = b"\x03\x03" + chance.randbytes(32) + b"\x00" + suites
    handshake = bytes((kind,)) + len(message).to_bytes(3, "big") + message
    return b"\x16\x03\x01" + len(handshake).to_bytes(2, "big") + handshake


def _written(path: Path, records: Iterator[bytes]) -> Path:
    if path.exists():
        return path
    temporary = path.with_suffix(".part")
    with temporary.open("wb") as file:
        file.write(_FILE_HEADER)
        file.writelines(records)
    temporary.rename(path)
    return path


def _talk(
    exchanges: int,
    numbers: list[list[int]],
    port: int,
    exchange: Callable[[int], tuple[bytes, bytes]],
    pause: Callable[[], int],
    order: random.Random | None = None,
) -> Iterator[bytes]:
    """Records of a capture file: the exchanges go round the connections, whose next numbers are *numbers*.

    Each round takes all of them, in an order of *order*'s where it is given.
    """
    prefixes = [_addresses(way, port) for way in range(len(numbers))]
    time_ns = _START_NS
    ways = list(range(len(numbers)))
    for number in range(exchanges):
        if order is not None and number % len(numbers) == 0:
            order.shuffle(ways)
        way = ways[number % len(numbers)]
        client, server = numbers[way]
        request, response = exchange(number)
        for from_client, octets in ((True, request), (False, response)):
            for at in range(0, len(octets), MTU_PAYLOAD):
                piece = octets[at : at + MTU_PAYLOAD]
                seq, ack = (client, server) if from_client else (server, client)
                time_ns += pause()
                frame = _frame(prefixes[way], from_client, seq, ack, piece)
                yield struct.pack("<IIII", *divmod(time_ns, 10**9), len(frame), len(frame)) + frame
                if from_client:
                    client += len(piece)
                else:
                    server += len(piece)
        numbers[way] = [client % 2**32, server % 2**32]


def _addresses(way: int, port: int) -> Ends:
    # 250 clients a subnet; a port of its own for each, so that no two connections share both.
    return bytes((10, 0, way // 250, 1 + way % 250)), bytes((10, 1, 1, 1)), 10_000 + way % 50_000, port


def _frame(ends: Ends, from_client: bool, seq: int, ack: int, octets: bytes) -> bytes:
    client, server, client_port, server_port = ends
    source, destination = (client, server) if from_client else (server, client)
    ports = (client_port, server_port) if from_client else (server_port, client_port)
    tcp = _HEADER.pack(*ports, seq % 2**32, ack % 2**32, 0x50, 0x18, 65535, 0, 0)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40 + len(octets), 0, 0x4000, 64, 6, 0, source, destination)
    return b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\0" + ip + tcp + octets


def _exchange(number: int, chance: random.Random) -> tuple[bytes, bytes]:
    item = {
        "id": number,
        "name": f"item {number}",
        "price": chance.randint(1, 99_999) / 100,
        "tags": ["alpha", "beta", "gamma"][: chance.randint(0, 3)],
        "description": "x" * chance.randint(280, 360),
        "available": chance.random() < 0.5,
    }
    answer = json.dumps(item).encode()
    fields = (
        b"Host: api.example.com\r\nUser-Agent: bench/1.0 (linux; x86_64)\r\nAccept: application/json\r\n"
        b"Authorization: Bearer 0123456789abcdef0123456789abcdef\r\n"
        b"traceparent: 00-%032x-%016x-01\r\n" % (number + 1, number + 1)
    )
    if number % 4 == 3:
        content = json.dumps({"name": item["name"], "price": item["price"], "note": "n" * 60}).encode()
        request = b"POST /api/v1/items?source=bench HTTP/1.1\r\n%sContent-Type: application/json\r\n" % fields
        request += b"Content-Length: %d\r\n\r\n%s" % (len(content), content)
        status = b"201 Created"
    else:
        request = b"GET /api/v1/items/%d?fields=all HTTP/1.1\r\n%s\r\n" % (number, fields)
        status = b"200 OK"
    response = (
        b"HTTP/1.1 %s\r\nServer: bench\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n"
        b"Content-Type: application/json\r\nCache-Control: no-store\r\nContent-Length: %d\r\n\r\n%s"
        % (status, len(answer), answer)
    )
    return request, response
