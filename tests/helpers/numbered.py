"""Exchanges that carry their number in target, field and body, so that a wrong pair shows itself."""

from __future__ import annotations

import json

from tests.helpers.conversation import Turn
from tests.helpers.lines import Exchange

Pair = tuple[bytes, bytes]
"""(request octets, response octets)."""


def numbered_pairs(count: int) -> list[Pair]:
    """Keep-alive exchanges in several framings, numbered from 0."""
    pairs = []
    for i in range(count):
        content = json.dumps({"id": i, "pad": "p" * (i % 7) * 40}).encode()
        if i % 3 == 0:
            request = b"GET /item/%d HTTP/1.1\r\nHost: h\r\nX-Id: %d\r\n\r\n" % (i, i)
        else:
            request = b"POST /item/%d HTTP/1.1\r\nHost: h\r\nX-Id: %d\r\nContent-Length: %d\r\n\r\n" % (
                i,
                i,
                len(content),
            )
            request += content
        head = b"HTTP/1.1 200 OK\r\nX-Id: %d\r\nContent-Type: application/json\r\n" % i
        if i % 4 == 1:
            half = len(content) // 2
            response = head + b"Transfer-Encoding: chunked\r\n\r\n"
            for piece in (content[:half], content[half:]):
                response += b"%x\r\n%s\r\n" % (len(piece), piece)
            response += b"0\r\n\r\n"
        else:
            response = head + b"Content-Length: %d\r\n\r\n%s" % (len(content), content)
        pairs.append((request, response))
    return pairs


def item_of(exchange: Exchange) -> int | None:
    """The number in the request's target."""
    request = exchange["request"]
    return int(request["target"].rsplit("/", 1)[1]) if request else None


def ids_in(exchange: Exchange) -> set[int]:
    """Every number an exchange carries; one member unless it was mispaired."""
    found = set()
    for message in (exchange["request"], exchange["response"]):
        if message:
            found |= {int(value) for name, value in message["headers"] if name.lower() == "x-id"}
    if (item := item_of(exchange)) is not None:
        found.add(item)
    return found


def in_batches(pairs: list[Pair], size: int) -> list[Turn]:
    """*size* requests at once, then all their responses, and so on."""
    turns: list[Turn] = []
    for at in range(0, len(pairs), size):
        group = pairs[at : at + size]
        turns.append((True, b"".join(request for request, _ in group)))
        turns.append((False, b"".join(response for _, response in group)))
    return turns


def kept_full(pairs: list[Pair], size: int) -> list[Turn]:
    """*size* requests at once, then one more behind each response."""
    turns: list[Turn] = [(True, b"".join(request for request, _ in pairs[:size]))]
    for i, (_, response) in enumerate(pairs):
        turns.append((False, response))
        if i + size < len(pairs):
            turns.append((True, pairs[i + size][0]))
    return turns
