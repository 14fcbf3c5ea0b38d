"""Content that looks like messages is content, also where a lost segment hid what announced it."""

from __future__ import annotations

import random

import pytest

from tests.helpers.conversation import Conversation
from tests.helpers.effort import long
from tests.helpers.engine_runs import run_frames
from tests.helpers.lines import Exchange
from tests.helpers.packets import Segment, capture_segments

EXAMPLES = (
    b"GET /v1/customers/%d HTTP/1.1\r\nHost: api.example\r\nAccept: application/json\r\n\r\n",
    b'POST /v1/customers HTTP/1.1\r\nHost: api.example\r\nContent-Length: 12\r\n\r\n{"name": %03d}',
    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{"id":%03d}',
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n%d\n",
    b"DELETE /v1/customers/%d HTTP/1.1\r\nHost: api.example\r\n\r\n",
)
PROSE = b"The API answers each call; see section %d for what a client sends and a server returns.\r\n"
TRUE = {"/first", "/page", "/last"}


def example_text(rng: random.Random) -> bytes:
    """A page about an API: prose between requests and responses, all of them as they are on the wire."""
    parts = []
    for _ in range(rng.randint(30, 80)):
        parts.append((PROSE if rng.random() < 0.3 else rng.choice(EXAMPLES)) % rng.randint(100, 999))
    return b"".join(parts)


def batch(rng: random.Random) -> bytes:
    """A ``multipart/mixed`` body of whole messages, as OData's ``$batch`` has them."""
    parts = [b"--b\r\nContent-Type: application/http\r\n\r\n" + rng.choice(EXAMPLES) % rng.randint(100, 999)]
    return b"\r\n".join(parts * rng.randint(20, 60)) + b"\r\n--b--\r\n"


def chunked(body: bytes, rng: random.Random) -> bytes:
    out, at = b"", 0
    while at < len(body):
        size = rng.randint(100, 3000)
        piece = body[at : at + size]
        out += b"%x\r\n%s\r\n" % (len(piece), piece)
        at += size
    return out + b"0\r\n\r\n"


def framed(body: bytes, rng: random.Random) -> bytes:
    """The rest of a head, and the content."""
    kind = b"multipart/mixed; boundary=b" if body.startswith(b"--b") else b"text/plain"
    if rng.random() < 0.5:
        return b"Content-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n%s" % (kind, chunked(body, rng))
    return b"Content-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (kind, len(body), body)


def transfer(seed: int, upload: bool) -> tuple[list[Segment], list[int]]:
    """A connection whose second exchange carries the text, and where the segments are that may be lost."""
    rng = random.Random(seed)
    body = (batch if rng.random() < 0.3 else example_text)(rng)
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    host = b"Host: shop.example\r\n"
    talk = Conversation(mss=rng.choice([536, 1200, 1460])).handshake()
    if rng.random() < 0.7:
        talk.client(b"GET /first HTTP/1.1\r\n" + host + b"\r\n").server(ok)
    start = len(talk.segments)
    if upload:
        talk.client(b"POST /page HTTP/1.1\r\n" + host + framed(body, rng))
        mine = [i for i in range(start, len(talk.segments)) if talk.segments[i].from_client]
        talk.ack(False).server(ok)
    else:
        talk.client(b"GET /page HTTP/1.1\r\n" + host + b"\r\n")
        start = len(talk.segments)
        talk.server(b"HTTP/1.1 200 OK\r\n" + framed(body, rng))
        mine = list(range(start, len(talk.segments)))
        talk.ack(True)
    if rng.random() < 0.5:
        talk.client(b"GET /last HTTP/1.1\r\n" + host + b"\r\n").server(ok)
    return talk.close().segments, mine


def invented(exchanges: list[Exchange], upload: bool) -> list[object]:
    """What was reported and never sent. A response is true to its request if both are."""
    found: list[object] = [
        x["request"]["target"] for x in exchanges if x["request"] and x["request"]["target"] not in TRUE
    ]
    alone = [x["response"]["status"] for x in exchanges if not x["request"]]
    # Where the only segment with the request line is lost, its response is alone.
    return found + (alone if not upload or len(alone) > 1 or alone not in ([], [200]) else [])


@pytest.mark.parametrize("part", range(5))
@pytest.mark.parametrize("upload", [True, False], ids=["upload", "download"])
def test_text_full_of_messages_is_content_whichever_segment_is_lost(part, upload):
    """1,000 transfers, one lost segment each."""
    for seed in range(part * 100, part * 100 + 100):
        segments, mine = transfer(seed, upload)
        lost = random.Random(seed).choice(mine)
        run = run_frames(capture_segments(segments[:lost] + segments[lost + 1 :]), decode=False)

        assert invented(run.exchanges, upload) == [], (seed, lost)
        last = [x for x in run.exchanges if x["request"] and x["request"]["target"] == "/last"]
        assert all(x["response"]["status"] == 200 and x["incomplete"] is None for x in last), (seed, lost)


@pytest.mark.parametrize("seed", [0, 1, *(long(n) for n in range(2, 40))])
@pytest.mark.parametrize("upload", [True, False], ids=["upload", "download"])
def test_the_same_for_each_segment_of_one_transfer(seed, upload):
    segments, mine = transfer(1000 + seed, upload)
    for lost in mine:
        run = run_frames(capture_segments(segments[:lost] + segments[lost + 1 :]), decode=False)

        assert invented(run.exchanges, upload) == [], lost
