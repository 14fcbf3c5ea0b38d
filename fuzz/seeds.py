"""The seed corpus, made afresh: our capture cases, and conversations that other implementations wrote.

Each target reads octets in its own way (``harness.pyx``); here is the other direction, from segments, frames
and messages to octets.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import brotli
import hpack
import orjson
import wsproto.extensions
import wsproto.frame_protocol as ws
import zstandard
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from tests.engine.frame_samples import samples
from tests.helpers.fastcgi import answered, asked, parameters
from tests.helpers.http2_peers import Peers, request_head, response_head, simple_exchanges
from tests.helpers.packets import FIN, SYN
from tests.helpers.pcap import read_pcap
from tests.satellite.requests import Call, traces

from fuzz.sealer import SUITES, hello, record

ROOT = Path(__file__).resolve().parents[1]
CASES = sorted((ROOT / "tests" / "cases").glob("*/input.pcap"))
LINKS = (1, 0, 12, 101, 105, 108, 113, 127, 141, 192, 228, 229, 276, 9, 50, 7)
"""As in ``harness.pyx``."""

GAP, BACK, HOLD, FLAGS, TIME, CONNECTION, CUT = range(1, 8)
LARGEST = 4_096
"""Octets of one seed; longer ones only slow the search down."""


def escaped(octets: bytes) -> bytes:
    """*octets* with the mark doubled."""
    return octets.replace(b"\xff", b"\xff\xff")


def mark(side: int, event: int = 0, value: int | None = None) -> bytes:
    """The end of a segment, and what comes before the next one of *side*."""
    return bytes([0xFF, side | event << 1]) + (b"" if value is None else bytes([value]))


def turns(conversation: Iterable[tuple[bool, bytes]], options: int = 0) -> bytes:
    """(from the client?, octets) pairs, one segment each."""
    return bytes([options]) + b"".join(mark(int(not side)) + escaped(octets) for side, octets in conversation)


def seed_frames() -> Iterator[bytes]:
    for link, octets in samples().values():
        if link in LINKS:
            yield bytes([LINKS.index(link)]) + escaped(octets) + b"\xff\x00" + escaped(octets)
    for path in CASES:
        link, frames = read_pcap(path)
        if link in LINKS:
            joined = b"\xff\x00".join(escaped(octets) for _, octets, _ in frames[:12])
            yield bytes([LINKS.index(link)]) + joined


def segments(frames: Iterable[tuple[int, bytes, int]]) -> Iterator[tuple[int, bytes, int, int, int, int]]:
    """(time_ns, connection, side, seq, flags, payload) of plain IPv4 over Ethernet; the rest is left out."""
    known: dict[bytes, tuple[int, bytes]] = {}
    for time_ns, octets, _ in frames:
        if (
            octets[12:14] != b"\x08\x00"
            or octets[14:15] != b"\x45"
            or octets[23:24] != b"\x06"
            or len(octets) < 54
        ):
            continue
        source, target = octets[26:30] + octets[34:36], octets[30:34] + octets[36:38]
        both = min(source, target) + max(source, target)
        number, client = known.setdefault(both, (len(known) % 4, source))
        seq, _, offset, flags = struct.unpack_from(">IIBB", octets, 38)
        total = struct.unpack_from(">H", octets, 16)[0]
        payload = octets[34 + (offset >> 4) * 4 : 14 + total]
        yield time_ns, payload, number, int(source != client), seq, flags


def seed_conversations() -> Iterator[bytes]:
    """Our capture cases in the harness's notation: gaps, repetitions, flags and time as they are there."""
    for path in CASES:
        _, frames = read_pcap(path)
        expected: dict[tuple[int, int], int] = {}
        parts, connection, clock = [b"\1"], 0, 0
        for time_ns, payload, number, side, seq, flags in segments(frames):
            if number != connection:
                parts.append(mark(side, CONNECTION, number))
                connection = number
            if clock and time_ns - clock > 10**9:
                parts.append(mark(side, TIME, 11))
            clock = time_ns
            ahead = seq - expected.get((number, side), seq)
            while 0 < ahead < 20_000:
                step = min(ahead, 223) if ahead < 1460 else min(ahead // 1460, 32) + 223
                parts.append(mark(side, GAP, step))
                ahead -= step if step < 224 else (step - 223) * 1460
            while -5000 < ahead < 0:
                parts.append(mark(side, BACK, min(-ahead, 255)))
                ahead += min(-ahead, 255)
            parts.append(mark(side, FLAGS, flags) if flags & ~24 or not payload else mark(side))
            parts.append(escaped(payload))
            expected[number, side] = seq + len(payload) + bool(flags & SYN) + bool(flags & FIN)
        yield b"".join(parts)[:LARGEST]


REQUESTS = (
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /a?b=c HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    b"PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: t\r\n\r\n"
    b"3;e=1\r\nabc\r\n0\r\nt: 1\r\n\r\n",
    b"HEAD /h HTTP/1.0\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n",
    b"CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n",
    b"POST /s HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
    b"GET http://user@h:8/p?q#f HTTP/1.1\nHost: a\nExpect: 100-continue\n\n",
    b"GET /h2 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAMAAABk\r\n\r\n",
)
RESPONSES = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 200\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\n12345\r\n00\r\n\r\n",
    b"HTTP/1.0 404 Not Found\r\nConnection: close\r\n\r\nuntil the end",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 Connection established\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\ndata: 2\n\n",
    b"HTTP/1.1 302 Found\nLocation: /x\nContent-Length: 0, 0\n\n",
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
)


def seed_http1() -> Iterator[bytes]:
    for i, request in enumerate(REQUESTS):
        yield turns([(True, request), (False, RESPONSES[i]), (True, REQUESTS[0]), (False, RESPONSES[0])])
        yield turns([(True, request + REQUESTS[1]), (False, RESPONSES[i] + RESPONSES[0])], 64)
    plain, content = b"content that is coded " * 20, [gzip.compress, zlib.compress, brotli.compress]
    for name, code in zip((b"gzip", b"deflate", b"br"), content, strict=True):
        coded = code(plain)
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (name, len(coded))
        yield turns([(True, REQUESTS[0]), (False, head + coded)])
    yield from seed_conversations()


def seed_http2() -> Iterator[bytes]:
    for count in (1, 3, 8):
        yield turns(simple_exchanges(count).turns)[:LARGEST]
        yield turns(list(simple_exchanges(count + 2).turns)[3:], 1)[:LARGEST]
    peers = Peers()
    for stream in (1, 3, 5):
        grpc = (b"content-type", b"application/grpc")
        peers.head(True, stream, request_head("POST", "/a.B/C", grpc, (b"cookie", b"c" * (stream * 400))))
        peers.data(True, stream, b"\0\0\0\0\5hello" * stream, end=True, pad=stream)
        peers.head(False, stream, response_head(103))
        peers.head(False, stream, response_head(200, grpc))
        peers.data(False, stream, b"\1\0\0\0\3abc" * stream)
        peers.trailers(False, stream, [(b"grpc-status", b"0")])
        peers.flush(False)
    yield turns(peers.turns)[:LARGEST]
    upgrade = [(True, REQUESTS[8]), (False, RESPONSES[8])]
    yield turns([*upgrade, *simple_exchanges(2).turns])[:LARGEST]


def seed_hpack() -> Iterator[bytes]:
    encoder = hpack.Encoder()
    blocks = [
        encoder.encode(
            [(":method", "GET"), (":path", f"/items/{i}"), ("x-tenant", f"t{i % 3}"), ("cookie", "c" * i * 9)]
        )
        for i in range(5)
    ]
    whole = b"".join(blocks)
    for exact in range(2):
        cuts, at = [], 0
        for block in blocks[:4]:
            at += len(block)
            cuts.append(min(-(-at * 256 // len(whole)), 255))
        yield bytes([exact, *cuts]) + whole
        for block in blocks:
            yield bytes([exact, 255, 255, 255, 255]) + block
    yield b"\1\x80\x80\x80\x80" + b"\x3f\xe1\x1f\x20\x82\x40\x01a\x01b\x10\x01c\x01d\x00\x01e\x01f\xbe"


def seed_websocket() -> Iterator[bytes]:
    for extensions in ([], [wsproto.extensions.PerMessageDeflate()]):
        for extension in extensions:
            extension.finalize("permessage-deflate")
        client, server = ws.FrameProtocol(True, extensions), ws.FrameProtocol(False, extensions)
        said = [
            (True, bytes(client.send_data("hello", fin=True))),
            (False, bytes(server.send_data(b"x" * 300, fin=False))),
            (False, bytes(server.ping(b"p"))),
            (False, bytes(server.send_data(b"end", fin=True))),
            (True, bytes(client.pong(b"p"))),
            (True, bytes(client.close(1000, "bye"))),
        ]
        yield turns(said)
        yield turns([(side, bytes([octet])) for side, octets in said for octet in octets][:90])


def seed_fastcgi() -> Iterator[bytes]:
    post = parameters("/v1/items?a=1", "POST", CONTENT_TYPE="text/plain", HTTP_X_LONG="x" * 200)
    output = b"Status: 404 Not Found\r\nContent-Type: text/plain\r\n\r\nno"
    said = [(True, asked(parameters("/"))), (False, answered(b"\r\nok", padding=3))]
    said += [(True, asked(post, b"body" * 9, padding=7)), (False, answered(output))]
    yield turns(said)
    yield turns(said[2:], 1)
    yield turns([(True, asked(post, b"b", n)) for n in (1, 2, 700)] + [(False, answered(output, 2))])
    yield turns([(side, bytes([octet])) for side, octets in said for octet in octets][:90])


def seed_proxy() -> Iterator[bytes]:
    four = bytes((203, 0, 113, 9, 10, 0, 0, 2)) + struct.pack("!HH", 56324, 443)
    start = b"\r\n\r\n\0\r\nQUIT\n"
    headers = [
        b"PROXY TCP4 203.0.113.9 10.0.0.2 56324 443\r\n",
        b"PROXY TCP6 2001:db8::9 ::1 56324 443\r\n",
        b"PROXY UNKNOWN\r\n",
        start + b"\x21\x11\0\x0c" + four,
        start + b"\x21\x21\0\x2b" + bytes(32) + four[8:] + b"\3\0\4abcd",
        start + b"\x20\0\0\0",
        b"\r\n\r\n",
    ]
    request, answer = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    for header in headers:
        yield turns([(True, header + request), (False, answer), (True, request), (False, answer)])
        yield turns([(True, header[:9]), (True, header[9:]), (True, request), (False, answer)])
    yield turns([(True, headers[3]), (True, hello(1, b"\0\4\x13\1\xc0\x2f\1\0", b""))])


def seed_networks() -> Iterator[bytes]:
    """Conversations that move from path to path (``Path`` in harness.pyx), and copies of them."""
    said = [(True, REQUESTS[1]), (False, RESPONSES[0])]
    for path in range(1, 64):
        yield b"\0" + mark(0, CONNECTION, path << 2 | 128) + turns(said * 2)[1:]
        if path & 16:
            yield b"\0" + b"".join(
                mark(0, CONNECTION, way) + turns([turn])[1:]
                for turn in said * 3
                for way in (path << 2 & ~64, path << 2)
            )
    for path in (1, 3, 7, 17, 19, 23):
        # Two connections with the same ends, in two networks, by turns; joined late, too.
        for options in (0, 1):
            talks = (path << 2 & 127, (path | 8) << 2 & 127)
            yield bytes([options]) + b"".join(
                mark(0, CONNECTION, talk | (number < 1) << 7) + turns([turn])[1:]
                for number, turn in enumerate(said * 2)
                for talk in talks
            )
    yield from (octets[:1] + mark(0, CONNECTION, 64 + 4 * 7) + octets[1:] for octets in seed_conversations())


def seed_hops() -> Iterator[bytes]:
    """Requests on their way through one proxy or two: in time or not, tried again, with several servers."""

    def ask(target: str, marks: str) -> bytes:
        return f"GET {target} HTTP/1.1\r\nHost: a\r\n{marks}\r\n".encode()

    names = (
        "X-Request-Id: 7\r\n",
        "traceparent: 00-" + "a1" * 16 + "-" + "b2" * 8 + "-01\r\n",
        "x-request-id: 7\r\ntraceparent: 00-" + "a1" * 16 + "-" + "c3" * 8 + "-00\r\n",
    )
    # Connection and side of each turn: the outer exchange is on connection 0, its hops on 1 and 2.
    orders = (
        ((0, 0), (1, 0), (1, 1), (0, 1)),
        ((0, 0), (1, 0), (2, 0), (2, 1), (1, 1), (0, 1)),
        ((0, 0), (1, 0), (0, 1), (1, 1)),
        ((1, 0), (0, 0), (0, 1), (1, 1)),
        ((0, 0), (1, 0), (1, 1), (1, 0), (1, 1), (0, 1)),
        ((0, 0), (1, 0), (0, 1)),
    )
    for options in (0, 2, 32, 64):
        for marks in names:
            for order in orders:
                said = (RESPONSES[0], ask("/hop?a=b", marks))
                yield bytes([options]) + b"".join(
                    mark(0, CONNECTION, number | (order.index((number, 0)) == at and at > 0) << 7)
                    + mark(side)
                    + escaped(said[side == 0])
                    for at, (number, side) in enumerate(order)
                )
    first = ask("/hop", names[0])
    late = [mark(0, CONNECTION, 1), mark(0, TIME, 13), mark(0), escaped(first), mark(1), RESPONSES[0]]
    yield b"\0" + mark(0) + escaped(first) + mark(1) + RESPONSES[0] + b"".join(late)


def seed_clocks() -> Iterator[bytes]:
    """A clock that shows something else before each turn of a conversation (``CLOCKS`` in harness.pyx)."""
    said = [(True, REQUESTS[1]), (False, RESPONSES[0]), (True, REQUESTS[0]), (False, RESPONSES[2])]
    for clock in (*range(240, 256), 31, 220, 207):
        for number in range(len(said)):
            yield turns(said[:number]) + mark(0, TIME, clock) + turns(said[number:])[1:]
            yield (
                turns(said[:number])
                + mark(0, TIME, clock)
                + turns(said[number:] * 2)[1:]
                + mark(1, TIME, 251)
            )
    yield from (octets[:1] + mark(0, TIME, 244) + octets[1:] for octets in seed_conversations())


def seed_cut() -> Iterator[bytes]:
    """Heads of which the snap length or a hole takes a part."""
    request = (
        b"POST /cut?a=b HTTP/1.1\r\nHost: a\r\nX-Long: " + b"v" * 90 + b"\r\nContent-Length: 2\r\n\r\nhi"
    )
    answer = b"HTTP/1.1 200 OK\r\nX-Long: " + b"w" * 90 + b"\r\nContent-Length: 2\r\n\r\nok"
    for size in (2, 4, 6, 30, 60, 100, 130):
        for event in (CUT, GAP):
            for side, octets in ((0, request), (1, answer)):
                cut = mark(side, event, size) + escaped(octets[: len(octets) - size * (event == GAP)])
                first, last = (cut, mark(1) + answer) if side == 0 else (mark(0) + request, cut)
                yield b"\0" + first + last + mark(0) + REQUESTS[0] + mark(1) + RESPONSES[0]
                yield b"\1" + first * 2 + last * 2
                yield b"\4" + first + last
    yield turns([(True, request[:50])])
    yield turns([(True, request), (False, answer[:40])]) + mark(1, FLAGS, 17)


def seed_tls() -> Iterator[bytes]:
    name = b"\0\0\0\x11\0\x0f\0\0\x0capi.test.dev"
    asked = name + b"\0\x10\0\x0e\0\x0c\2h2\x08http/1.1" + b"\0\x2b\0\3\2\3\4"
    agreed = b"\0\x2b\0\2\3\4" + b"\0\x10\0\5\0\3\2h2"
    certificate = bytes.fromhex("0b00001a000017000014") + b"0\x12\xa0\3\2\1\2\2\1\1" + bytes(10)
    first, second = hello(1, b"\0\4\x13\1\xc0\x2f\1\0", asked), hello(2, b"\x13\1\0", agreed)
    sealed = record(20, b"\1") + record(23, bytes(100))
    yield turns([(True, first), (False, second + sealed), (True, sealed), (False, record(21, b"\1\0"))])
    yield turns(
        [(True, first[:40]), (True, first[40:]), (False, second + record(22, certificate)), (True, sealed)]
    )
    yield turns([(True, record(22, first[5:60]) + record(22, first[60:])), (False, record(21, b"\2\x28"))])
    yield turns([(True, sealed), (False, sealed)], 1)


def seed_sealed() -> Iterator[bytes]:
    """HTTP/1.1 and HTTP/2 behind TLS with keys: the harness seals them as it goes."""
    plain = [(True, REQUESTS[1]), (False, RESPONSES[0]), (True, REQUESTS[0]), (False, RESPONSES[2])]
    update = bytes([24, 0, 0, 1, 0])
    for number in range(len(SUITES)):
        for options in (0, 8, 16, 24):
            said = [(side, b"\0" + octets) for side, octets in plain]
            yield bytes([number | options]) + turns(said)
        said = [(side, b"\0" + octets) for side, octets in simple_exchanges(2).turns]
        yield bytes([number | 8 | 32]) + turns(said)[:LARGEST]
    for number in range(3):
        said = [
            (side, kind + octets)
            for side, octets in plain
            for kind, octets in ((b"\1", update), (b"\0", octets))
        ]
        yield bytes([number]) + turns([*said, (True, b"\2\1\0"), (False, b"\x0c" + RESPONSES[1])])
        holes = turns([(side, b"\0" + octets) for side, octets in plain * 3])
        yield bytes([number]) + holes.replace(mark(1), mark(1, HOLD), 1).replace(mark(0), mark(0, GAP, 30), 2)


def seed_coding() -> Iterator[bytes]:
    plain = b"".join(b"line %d of what was sent\n" % i for i in range(40))
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    coded = (
        (0, gzip.compress(plain)),
        (0, gzip.compress(plain[:99]) * 2),
        (1, zlib.compress(plain)),
        (1, raw.compress(plain) + raw.flush()),
        (2, brotli.compress(plain)),
        (3, zstandard.ZstdCompressor().compress(plain)),
        (6, brotli.compress(gzip.compress(plain))),
        (7, gzip.compress(brotli.compress(plain))),
        (8, zstandard.ZstdCompressor().compress(gzip.compress(zlib.compress(plain)))),
        (13, gzip.compress(gzip.compress(gzip.compress(bytes(5000))))),
        (5, plain),
    )
    for number, body in coded:
        for bound in (12, 2):
            yield bytes([number, bound]) + body
        yield bytes([number, 140]) + body[: len(body) // 2]
    chunks = b"64;x=y\r\n" + plain[:100] + b"\r\n1\r\n!\r\n0\r\n\r\n"
    yield bytes([12 | 16, 12]) + gzip.compress(plain)
    yield bytes([12 | 16 | 32, 12]) + gzip.compress(chunks)
    yield bytes([12 | 16 | 64, 12]) + chunks
    yield bytes([12 | 16 | 96, 12]) + gzip.compress(zlib.compress(chunks))
    for charset in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
        yield bytes([12 | 128, 12]) + '{"a\U0001f600": "\u4e2d"}'.encode(charset)
        yield bytes([12, 2]) + '\ufeff{"a\U0001f600": "\u4e2d"}'.encode(charset)


def seed_encode() -> Iterator[bytes]:
    trace = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    lines = [
        b"host",
        b"shop.example:8080",
        b"traceparent",
        trace,
        b"tracestate",
        b"a=1",
        b"cookie",
        b"k=v; s=t",
    ]
    answer = [
        b"content-type",
        b"application/json",
        b"set-cookie",
        b"a=b",
        b"x-odd",
        "\u00fc\u4e2d".encode(),
        b"e",
        b"\xe4",
    ]
    for kind in range(3):
        numbers = bytes([kind, kind * 4, 7 * kind, 1, 0x10, 0x73, 0, 200, 255, 5])
        texts = [
            b"GET",
            b"http://h/a%20b?x=1",
            b"https",
            b"auth",
            b"OK",
            b'{"a":"\x01"}',
            "t\u00e9xt".encode(),
            *lines,
            *answer,
        ]
        yield numbers + b"\xff".join(texts)
        yield numbers + b"\xff".join(
            [b"M\x00", b"*", b"", b"[::1]:9", b"", b"\x80\xfe", b"\xed\xa0\x80", *lines]
        )


def seed_redact() -> Iterator[bytes]:
    secret = b'{"user":{"password":"s3\\"cr\\u0041et","SSN":123,"k":[1,{"a":null}],"mail":"a@b.example"}}'
    form = b"a=1&password=s3cret&card%2Dnumber=4111&k[]=2;ssn=078-05-1120&b"
    part = b'--X\r\nContent-Disposition: form-data; name="ssn"\r\n\r\n078-05-1120\r\n--X--\r\n'
    xml = b'<user password="x"><ssn>123</ssn><k a="1">v</k></user>'
    for kind, body in enumerate(
        (secret, form, part, form, xml, secret, secret + b"\n" + secret, b"\0\0\0\0\5" + secret)
    ):
        yield bytes([kind]) + body
        yield bytes([kind | 128]) + body
        yield bytes([kind | 64]) + body[:-9]
    head = b"POST /a?k=1 HTTP/1.1\r\nAuthorization: Basic Zm9v\r\n bar\r\nCookie: a=b; c=d\r\nReferer: http://u:p@h/\r\n\r\n"
    for kind in (8, 9, 10):
        yield bytes([kind | 32]) + b"--X\r\n\r\n" * (kind == 10) + head
    yield (
        bytes([11 | 32]) + b"\xef\xbb\xbf<a:password b=\"1\"><![CDATA[x]]></a:password><q token = 't'/>" + xml
    )
    yield bytes([32]) + b'{"dsn": "postgres:\\/\\/u:p@h/d", "mail": "a@b"}'
    yield b"\0/pay?password=x&ssn=1"
    yield b"\0" + secret.decode().encode("utf-16")


def seed_secrets() -> Iterator[bytes]:
    for kind in range(6):
        for charset in range(8):
            yield bytes([kind, charset, kind & 1, charset % 5, 40, 200]) + b"text"
            yield bytes([kind, charset, 0x42 | charset << 5 & 0xA0 | kind & 1, kind % 5, 7, 3]) + b'a"b\\c=&d'


def seed_captures() -> Iterator[bytes]:
    for path in CASES[::6]:
        octets = path.read_bytes()[:4096]
        yield octets
        yield gzip.compress(octets)
        _, frames = read_pcap(path)
        yield pcapng(frames[:6], "<")
        yield pcapng(frames[:6], ">")


def seed_spans() -> Iterator[bytes]:
    calls = (
        Call(
            "POST",
            "/a/1",
            201,
            3,
            more={
                "url.query": "q=\u00e4",
                "client.address": "10.0.0.1",
                "levo.http.request.body": b"\xff\x00",
                "levo.http.response.body": "text",
                "levo.exchange.incomplete": "gap",
                "http.request.header.accept": "*/*",
                "http.response.header.x-a": "1",
            },
        ),
        Call(kind=Span.SPAN_KIND_CLIENT),
        Call("BREW", status=None, port=None, end_ns=1),
    )
    for chosen in (calls, calls[:1], calls[1:], ()):
        octets = traces(chosen).SerializeToString()
        yield octets
        yield octets[: len(octets) * 2 // 3]
    odd = ExportTraceServiceRequest()
    span = (
        odd.resource_spans.add()
        .scope_spans.add(schema_url="x")
        .spans.add(name="n", kind=Span.SPAN_KIND_SERVER)
    )
    span.events.add(name="e").attributes.add(key="k").value.bool_value = True
    span.links.add(trace_id=b"t" * 16).attributes.add(key="l").value.double_value = 1.5
    values = span.attributes.add(key="http.request.header.a").value.array_value.values
    values.add().string_value = "one"
    values.add().kvlist_value.values.add(key="deep").value.array_value.values.add().int_value = -1
    yield odd.SerializeToString()
    yield odd.SerializeToString() + b"\x0b\x0c\xf8\x07\x01"


def seed_observe() -> Iterator[bytes]:
    bodies = (
        b'{"id":7,"type":"card","name":"a b","price":1.5,"at":"2026-11-22T04:00:00Z","tags":["x",null,true]}',
        b'{"id":"8","type":"iban","8f14e45fceea167a":{"a@b.example":-3},"password":"pending"}',
        b'[{"kind":"paid","ip":"10.0.0.1","u":"0af76519-16cd-43dd-8448-eb211c80319c"},[1,[2,[]]],1e300]',
        b'[9223372036854775808,-1,"0123456789abcdef0","1.50","::1","https://a.example/","\\ud83d\\ude00"]',
    )
    yield from bodies
    yield b"\xff".join(bodies)
    yield b"\xff".join((bodies[0], bodies[0], b"2026-11-22", b"1.2.3.4", b"a@b.example"))


def seed_stored() -> Iterator[bytes]:
    from levo.satellite.learn.schema import Body, Knowledge, Node, Observer, Response, pack_knowledge

    node, fields = Node(), Node()
    for body in seed_observe():
        with suppress(orjson.JSONDecodeError):
            Observer(key=b"0123456789abcdef", path="/a").observe(node, orjson.loads(body))
    Observer().observe(fields, {"x-page": 7})
    bodies = {"application/json": Body(seen=2, learned=1, schema=node)}
    yield pack_knowledge(Knowledge())
    yield pack_knowledge(
        Knowledge(accepted=300, query=fields, segments={"1": fields}, auth={"basic": 70_000})
    )
    yield pack_knowledge(Knowledge(bodies=bodies, responses={"200": Response(seen=1 << 40, bodies=bodies)}))


def pcapng(frames: Iterable[tuple[int, bytes, int]], order: str) -> bytes:
    """A capture file of every kind of block that our reader knows."""

    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        size = len(body) + 12
        return struct.pack(order + "II", kind, size) + body + struct.pack(order + "I", size)

    interface = struct.pack(order + "HHIHHB3xHHqHH", 1, 0, 65535, 9, 1, 9, 14, 8, 1, 0, 0)
    parts = [
        block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1)),
        block(1, interface),
        block(10, struct.pack(order + "II", 0x544C534B, 30) + b"CLIENT_RANDOM 00 00 #" + bytes(9)),
    ]
    for time_ns, octets, wire in frames:
        high, low = time_ns >> 32, time_ns & 0xFFFFFFFF
        head = struct.pack(order + "IIIII", 0, high, low, len(octets), wire)
        parts.append(block(6, head + octets))
        parts.append(block(3, struct.pack(order + "I", len(octets)) + octets))
    parts += [block(5, struct.pack(order + "III", 0, 0, 0)), block(4, bytes(4)), block(0xBAD, b"custom")]
    return b"".join(parts)


SEEDS: dict[str, Callable[[], Iterator[bytes]]] = {
    "frame": seed_frames,
    "tcp": seed_conversations,
    "networks": seed_networks,
    "hops": seed_hops,
    "clocks": seed_clocks,
    "cut": seed_cut,
    "http1": seed_http1,
    "http2": seed_http2,
    "hpack": seed_hpack,
    "proxy": seed_proxy,
    "fastcgi": seed_fastcgi,
    "websocket": seed_websocket,
    "tls": seed_tls,
    "sealed": seed_sealed,
    "coding": seed_coding,
    "encode": seed_encode,
    "redact": seed_redact,
    "secrets": seed_secrets,
    "capture": seed_captures,
    "spans": seed_spans,
    "observe": seed_observe,
    "stored": seed_stored,
}
"""Target -> what makes its seeds."""


def write_seeds(folder: Path, target: str) -> int:
    """Write the seeds of *target* into *folder*; returns how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    made = list(dict.fromkeys(SEEDS[target]()))
    for number, octets in enumerate(made):
        (folder / f"{number:04}").write_bytes(octets)
    return len(made)


DICTIONARIES: dict[str, tuple[bytes, ...]] = {
    "http": (
        b"HTTP/1.1",
        b"HTTP/1.0",
        b"GET ",
        b"POST ",
        b"HEAD ",
        b"CONNECT ",
        b"\r\n",
        b"\r\n\r\n",
        b"0\r\n\r\n",
        b"chunked",
        b"Transfer-Encoding: ",
        b"Content-Length: ",
        b"Content-Encoding: ",
        b"Connection: ",
        b"Upgrade: ",
        b"close",
        b"keep-alive",
        b"Expect: 100-continue",
        b"Host: ",
        b" 200 OK\r\n",
        b"HTTP/1.1 101 ",
        b"HTTP/1.1 204 ",
    ),
    "marks": tuple(bytes([0xFF, side | event << 1]) for side in range(2) for event in range(8)),
    "http2": (
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\0\0\4\x08\0\0\0\0\0\0\0\0\1",
        b"\0\0\0\4\1\0\0\0\0",
        b"\0\0\x08\6\0\0\0\0\0",
        b"\0\0\1\1\5\0\0\0\1\x82",
        b"\0\0\1\x09\4\0\0\0\1",
        b"\0\0\5\0\1\0\0\0\1",
        b"\0\0\4\3\0\0\0\0\1\0\0\0\x08",
        b"\0\0\x08\7\0\0\0\0\0",
        b"application/grpc",
    ),
    "proxy": (
        b"PROXY ",
        b"TCP4 ",
        b"TCP6 ",
        b"UNKNOWN",
        b"\r\n\r\n\0\r\nQUIT\n",
        b"\x21\x11\0\x0c",
        b"\x21\x21\0\x24",
        b"\x20\0\0\0",
        b"::ffff:",
    ),
    "fastcgi": (
        b"\1\1\0\1\0\x08\0\0\0\1\1\0\0\0\0\0",
        b"\1\4\0\1\0\0\0\0",
        b"\1\5\0\1\0\0\0\0",
        b"\1\6\0\1\0\4\0\0",
        b"\1\3\0\1\0\x08\0\0",
        b"\x0e\3REQUEST_METHODGET",
        b"\x0b\1REQUEST_URI/",
        b"\x06\1HTTP_Ax",
        b"Status: 200\n\n",
    ),
    "websocket": (
        b"\x81\x85",
        b"\x82\x7e",
        b"\x82\x7f",
        b"\x89\x00",
        b"\x8a\x80",
        b"\x88\x02\x03\xe8",
        b"\xc1\x05",
        b"\0\0",
    ),
    "otlp": (
        b"http.request.method",
        b"url.path",
        b"server.address",
        b"levo.http.response.body",
        b"levo.sample.weight",
        b"http.request.header.",
        b"http.response.header.x",
        b"\x4a\x09\x0a\x01k\x12\x04\x2a\x02\x0a\0",
        b"\x31\x02",
    ),
    "json": (
        b'{"id":',
        b'"type":"card"',
        b"[[",
        b"null",
        b"true",
        b"1e9",
        b'"2026-11-22"',
        b'","',
        b"\\u0041",
    ),
}
"""Pieces that a mutation may insert."""

USES = {
    "tcp": ("marks", "http"),
    "networks": ("marks", "http"),
    "hops": ("marks", "http"),
    "clocks": ("marks", "http"),
    "cut": ("marks", "http"),
    "http1": ("marks", "http"),
    "http2": ("marks", "http2"),
    "proxy": ("marks", "http", "proxy"),
    "fastcgi": ("marks", "fastcgi"),
    "websocket": ("marks", "websocket"),
    "tls": ("marks",),
    "sealed": ("marks", "http", "http2"),
    "encode": ("http",),
    "spans": ("otlp",),
    "observe": ("json",),
}


def write_dictionary(path: Path, target: str) -> bool:
    """Write the dictionary of *target* in libFuzzer's form; False when it has none."""
    words = [word for name in USES.get(target, ()) for word in DICTIONARIES[name]]
    lines = ['"' + "".join(f"\\x{octet:02x}" for octet in word) + '"' for word in words]
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    return bool(words)
