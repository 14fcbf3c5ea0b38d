"""Generated traffic: conversations of each protocol by seed, as they are and as an overloaded tap sees them.

Written once and used for both commits, so what cannot be seeded (TLS keys) is the same for both.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import ssl
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from tests.helpers.conversation import Turn, converse
from tests.helpers.http2_peers import Peers, request_head, response_head, simple_exchanges
from tests.helpers.http_messages import ExchangeText, connections, turns_of
from tests.helpers.mutations import lossy
from tests.helpers.packets import CapturedFrame, Ends, capture_segments
from tests.helpers.pcap import write_pcap
from tests.helpers.tls_peers import TlsPeers
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, Event, Ping, TextMessage
from wsproto.extensions import PerMessageDeflate

Talk = tuple[list[list[Turn]], bytes]
"""The turns of each connection, and the TLS key log."""
START_NS = 1_700_000_000_000_000_000
_HTTP1_CONNECTIONS = 12
_API_EXCHANGES = 60
_UPGRADE = (
    b"GET /chat HTTP/1.1\r\nHost: chat.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
_AGREED = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n%b\r\n"
)


def write_traffic(folder: Path, seeds: int, helpers: Path) -> Path:
    """Write captures for seeds 1 .. *seeds* into *folder*, unless they are there; return it."""
    sources = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(helpers.glob("*.py")):
        sources.update(path.read_bytes())
    stamp, wanted = folder / "stamp", f"{sources.hexdigest()} {seeds}"
    if not stamp.is_file() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for number in range(1, seeds + 1):
            for kind, make in KINDS.items():
                _write(folder, f"{kind}-{number:02}", make(number), number)
        stamp.write_text(wanted)
    return folder


def _write(folder: Path, name: str, talk: Talk, number: int) -> None:
    turns, key_log = talk
    for way, spoil in WAYS.items():
        path = write_pcap(folder / f"{name}-{way}.pcap", spoil(frames_of(turns), number))
        if key_log:
            path.with_name(f"{path.name}.keys").write_bytes(key_log)


def frames_of(talks: Sequence[Sequence[Turn]]) -> list[CapturedFrame]:
    """The frames of connections that run at the same time."""
    step_ns = 100_000
    frames = [
        frame
        for i, turns in enumerate(talks)
        for frame in capture_segments(
            converse(turns, acks=i % 2 == 1, mss=1460 if i % 3 else 400),
            Ends(client_port=40_001 + i, server_port=(8080, 80, 443)[i % 3]),
            start_ns=START_NS + i * 7 * step_ns // 3,
            step_ns=step_ns,
        )
    ]
    return sorted(frames, key=lambda frame: frame[0])


# What becomes of frames on their way. Capture times stay in order, as a tap gives them.


def _retimed(frames: Sequence[CapturedFrame], seen: Sequence[CapturedFrame]) -> list[CapturedFrame]:
    times = [time_ns for time_ns, _, _ in frames] + [frames[-1][0] + i for i in range(len(seen))]
    return [(time_ns, octets, wire) for time_ns, (_, octets, wire) in zip(times, seen, strict=False)]


def _as_sent(frames: list[CapturedFrame], _number: int) -> list[CapturedFrame]:
    return frames


def _reordered(frames: list[CapturedFrame], number: int) -> list[CapturedFrame]:
    return _retimed(frames, lossy(frames, number, hidden=0, doubled=0.05, moved=0.1))


def _lossy(frames: list[CapturedFrame], number: int) -> list[CapturedFrame]:
    return _retimed(frames, lossy(frames, number, hidden=0.03, doubled=0.02, moved=0.03))


def _cut(frames: list[CapturedFrame], number: int) -> list[CapturedFrame]:
    most = (96, 160, 300, 700)[number % 4]
    return [(time_ns, octets[:most], wire) for time_ns, octets, wire in frames]


WAYS: dict[str, Callable[[list[CapturedFrame], int], list[CapturedFrame]]] = {
    "plain": _as_sent,
    "reordered": _reordered,
    "lossy": _lossy,
    "cut": _cut,
}

# What is said.


def _http1(number: int) -> Talk:
    """HTTP/1 in every framing."""
    found: list[list[ExchangeText]] = []

    @seed(number)
    @settings(
        max_examples=_HTTP1_CONNECTIONS,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(connections())
    def collect(exchanges: list[ExchangeText]) -> None:
        found.append(exchanges)

    collect()
    return [turns_of(exchanges, pipelined=1 + i % 3) for i, exchanges in enumerate(found)], b""


def _api_exchange(chance: random.Random) -> tuple[bytes, bytes]:
    """One call of an API with users, orders and a search: what the catalog learns from."""
    user, order = chance.randrange(1, 400), chance.randrange(10_000, 99_999)
    person = {
        "id": user,
        "email": f"user{user}@example.com",
        "phone": f"+1 202 555 {user:04}",
        "born": f"19{50 + user % 50}-0{1 + user % 9}-11",
    }
    if user % 3 == 0:
        person["nickname"] = None if user % 2 else "u" * (user % 9)
    card = {"number": "4111111111111111", "expires": "12/27"}
    method, path, sent, status, answer = chance.choice(
        [
            ("GET", f"/v1/users/{user}", None, 200, person),
            ("GET", f"/v1/users/{user}", None, 404, {"error": "no such user"}),
            ("POST", "/v1/users", {key: person[key] for key in ("email", "phone")}, 201, person),
            ("PUT", f"/v1/users/{user}", person, 200, person),
            ("DELETE", f"/v1/orders/{order}", None, 204, None),
            ("GET", f"/v1/users/{user}/orders/{order}", None, 200, {"order": order, "card": card}),
            ("POST", "/v1/orders", {"user": user, "card": card, "items": [{"sku": "A1", "n": 2}]}, 201, {}),
            ("GET", f"/v1/search?q=term{user % 7}&limit={user % 50}", None, 200, [person, person]),
            ("POST", "/graphql", {"query": "query One { user(id: 1) { email } }"}, 200, {"data": None}),
            ("GET", f"/v1/flaky/{chance.randrange(2**64):016x}", None, 503, None),
        ]
    )
    token = b"Authorization: Bearer secret-%d\r\n" % (user % 5) if user % 4 else b""
    return (
        b"%b %b HTTP/1.1\r\nHost: api.test\r\n%b%b" % (method.encode(), path.encode(), token, _body(sent)),
        b"HTTP/1.1 %d Answer\r\n%b" % (status, _body(answer) if status != 204 else b"\r\n"),
    )


def _body(value: object) -> bytes:
    octets = json.dumps(value).encode() if value is not None else b""
    kind = b"Content-Type: application/json\r\n" if octets else b""
    return b"%bContent-Length: %d\r\n\r\n%b" % (kind, len(octets), octets)


def _api_turns(number: int, count: int) -> list[Turn]:
    chance = random.Random(f"api {number}")
    pairs = [_api_exchange(chance) for _ in range(count)]
    return [turn for request, answer in pairs for turn in ((True, request), (False, answer))]


def _api(number: int) -> Talk:
    return [_api_turns(number * 100 + i, _API_EXCHANGES) for i in range(3)], b""


def _http2_turns(number: int) -> list[Turn]:
    """Streams that overlap, with trailers, padding, resets and changes of the header table."""
    chance = random.Random(f"http2 {number}")
    peers = Peers()
    for first in range(1, 60, 6):
        streams = [first, first + 2, first + 4]
        for stream in streams:
            body = chance.randbytes(chance.randrange(2000)) if chance.random() < 0.4 else b""
            head = request_head("POST" if body else "GET", f"/items/{stream}?page={stream % 4}")
            peers.head(True, stream, head, end=not body)
            if body:
                peers.data(True, stream, body, end=True, pad=chance.choice([None, 0, 9]))
            peers.flush(True)
        chance.shuffle(streams)
        for stream in streams:
            if chance.random() < 0.1:
                peers.abort(False, stream)
            else:
                peers.head(False, stream, response_head(chance.choice([200, 404, 500]), (b"server", b"s")))
                peers.data(False, stream, b'{"n": %d}' % stream * chance.choice([1, 9, 900]))
                peers.trailers(False, stream, [(b"grpc-status", b"0")])
            peers.flush(False)
        if chance.random() < 0.3:
            peers.table_size(chance.random() < 0.5, chance.choice([0, 64, 4096]))
    return peers.turns


def _http2(number: int) -> Talk:
    return [_http2_turns(number), list(simple_exchanges(40).turns), _http2_turns(number + 1000)], b""


def _tls(number: int) -> Talk:
    """HTTP/1 and HTTP/2 inside TLS 1.2 and 1.3, and a connection whose keys are not in the log."""
    talks, logs = [], []
    for i, version in enumerate((ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3) * 2 + (None,)):
        inside = _http2_turns(number) if i >= 2 else _api_turns(number, 20)
        protocol = "h2" if i >= 2 else "http/1.1"
        with tempfile.TemporaryDirectory() as folder:
            peers = TlsPeers(
                Path(folder),
                version=version or ssl.TLSVersion.TLSv1_3,
                offers=[protocol],
                accepts=[protocol],
            ).handshake()
            for from_client, octets in inside:
                peers.send(from_client, octets)
            if version is not None:
                logs.append(peers.key_log.read_bytes())
        talks.append(peers.talk)
    return talks, b"".join(logs)


def _websocket(number: int) -> Talk:
    chance = random.Random(f"websocket {number}")
    talks: list[list[Turn]] = []
    for deflate in (False, True):
        sides = {}
        for from_client, kind in ((True, ConnectionType.CLIENT), (False, ConnectionType.SERVER)):
            extensions = [PerMessageDeflate()] if deflate else []
            for extension in extensions:
                extension._enabled = True  # as the handshake, which wsproto does not see, agrees
            sides[from_client] = Connection(kind, list(extensions))
        said: Sequence[Turn] = [
            (from_client, sides[from_client].send(_message(chance)))
            for from_client in (chance.random() < 0.5 for _ in range(30))
        ]
        agreed = _AGREED % (b"Sec-WebSocket-Extensions: permessage-deflate\r\n" if deflate else b"")
        talks.append([(True, _UPGRADE), (False, agreed), *said])
    return talks, b""


def _message(chance: random.Random) -> Event:
    kind = chance.randrange(3)
    if kind == 0:
        return TextMessage("text " * chance.randrange(1, 200))
    if kind == 1:
        return BytesMessage(chance.randbytes(chance.randrange(1, 5000)))
    return Ping(chance.randbytes(chance.randrange(126)))


KINDS: dict[str, Callable[[int], Talk]] = {
    "http1": _http1,
    "api": _api,
    "http2": _http2,
    "tls": _tls,
    "websocket": _websocket,
}
