"""Capture files for benchmarks. Seeded: the same arguments give the same octets on every machine."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path

EXCHANGES = 100_000
CONNECTIONS = 32

_HEADER = struct.Struct("!HHIIBBHHH")


def http1(path: Path, *, exchanges: int = EXCHANGES, connections: int = CONNECTIONS, seed: int = 1) -> Path:
    """Keep-alive exchanges over several connections: one packet each way, GET and POST, 0.5 kB JSON answers.

    Ethernet, IPv4, TCP with the timestamp option left out; checksums are zero, as offloading network cards
    leave them. Written once; a file that is there already is taken as it is.
    """
    if path.exists():
        return path
    chance = random.Random(seed)
    numbers = [[1 + chance.getrandbits(31), 1 + chance.getrandbits(31)] for _ in range(connections)]
    prefixes = [_addresses(i) for i in range(connections)]
    time_ns = 1_700_000_000_000_000_000
    temporary = path.with_suffix(".part")
    with temporary.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1))
        for number in range(exchanges):
            way = number % connections
            client, server = numbers[way]
            request, response = _exchange(number, chance)
            for from_client, octets in ((True, request), (False, response)):
                seq, ack = (client, server) if from_client else (server, client)
                time_ns += chance.randint(2_000, 20_000)
                frame = _frame(prefixes[way], from_client, seq, ack, octets)
                file.write(struct.pack("<IIII", *divmod(time_ns, 10**9), len(frame), len(frame)) + frame)
                if from_client:
                    client += len(octets)
                else:
                    server += len(octets)
            numbers[way] = [client % 2**32, server % 2**32]
    temporary.rename(path)
    return path


def _addresses(way: int) -> tuple[bytes, bytes, int]:
    return bytes((10, 0, 0, 1 + way)), bytes((10, 0, 1, 1)), 40_000 + way


def _frame(ends: tuple[bytes, bytes, int], from_client: bool, seq: int, ack: int, octets: bytes) -> bytes:
    client, server, port = ends
    source, destination = (client, server) if from_client else (server, client)
    ports = (port, 8080) if from_client else (8080, port)
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
