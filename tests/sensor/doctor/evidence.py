"""Evidence made from conversations, for tests of what is concluded from it."""

from __future__ import annotations

from typing import Any

from levo.config import SensorConfig, Surroundings, load
from levo.engine.engine import Engine
from levo.sensor.doctor.watch import Sight, Watched
from tests.helpers.conversation import Conversation, converse, exchanges_as_turns
from tests.helpers.packets import Ends, Segment, capture_segments

PAIR = (b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
HTTP = converse(exchanges_as_turns([PAIR, PAIR]))
TLS = Conversation().handshake().client(bytes([22, 3, 1, 0, 64, 1]) + bytes(63)).segments
OTHER = Conversation().handshake().client(b"\xf0\xff" * 20000).segments
EMPTY = Conversation().handshake().segments
ONE_SIDED = [segment for segment in HTTP if segment.from_client]


def config(**flags: Any) -> SensorConfig:
    given: dict[str, Any] = {"output": ("null",), "rate-limit": "0"}
    given |= {name.replace("_", "-"): flag for name, flag in flags.items()}
    return load(given, {}, default_path="/nonexistent", surroundings=Surroundings()).config


def sight(
    *conversations: list[Segment], rules: Any = None, limit: float = 0.0, dropped: int = 0, snap: int = 65536
) -> Sight:
    engine = Engine(rules=rules, traces_per_minute=limit)
    for number, segments in enumerate(conversations):
        frames = capture_segments(segments, Ends(client_port=41000 + number, server_port=8080 + number))
        engine.feed([(time_ns, octets[:snap], wire) for time_ns, octets, wire in frames])
    engine.finish()
    engine.take()
    numbers = engine.statistics()
    return Sight(numbers, tuple(engine.ports()), numbers["frames_tcp"], dropped)


def watched(
    kept: Sight, everything: Sight | None = None, interfaces: tuple[tuple[str, int], ...] = (("lo", 9),)
) -> Watched:
    return Watched(10.0, everything or kept, kept, interfaces)
