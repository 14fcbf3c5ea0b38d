"""Every connection under TLS ends in one state, which says why it was not read where it was not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from levo.engine.engine import Engine
from levo.sensor.capture.tlsprobe import ProbeSource
from tests.engine.tls.test_keys import SECOND, V12, V13, engine_with, frames_of, http1_peers, read
from tests.helpers.packets import CapturedFrame
from tests.helpers.tls_peers import TlsPeers
from tests.sensor.capture.test_tlsprobe import Ring
from tests.tlsprobe.test_program import KINDS

STATES = {
    *("open", "read", "other", "no_secrets", "secret_lost", "joined_late", "suite", "out_of_step"),
    *("unfinished", "memory", "malformed"),
}


def states(engine: Engine) -> dict[str, int]:
    """The states above zero, which balance and are those of the endpoints."""
    seen = engine.statistics()
    found = {name: int(seen[f"tls_{name}"]) for name in STATES}
    assert seen["tls_received"] == sum(found.values())
    unread = {name: count for name, count in found.items() if count and name not in ("open", "read")}
    told: dict[str, int] = {}
    for endpoint in engine.encrypted():
        for name, count in endpoint["unread"].items():
            told[name] = told.get(name, 0) + count
    assert told == unread
    return {name: count for name, count in found.items() if count}


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> TlsPeers:
    return http1_peers(tmp_path_factory.mktemp("outcomes"), V13)


def without(secrets: bytes, label: str) -> bytes:
    return b"".join(line for line in secrets.splitlines(keepends=True) if label.encode() not in line)


def waiting(secrets: bytes) -> Engine:
    engine = Engine()
    engine.set_key_source(lambda: secrets, wait=True)
    return engine


def test_a_connection_is_open_until_it_has_ended_and_read_then(peers: TlsPeers) -> None:
    engine = engine_with(peers.key_log.read_bytes())
    engine.feed(frames_of(peers.talk, closed=False))
    assert states(engine) == {"open": 1}

    engine.finish()

    assert states(engine) == {"read": 1}


@pytest.mark.parametrize("make", [Engine, lambda: waiting(b"")], ids=["nobody to ask", "asked in vain"])
def test_without_secrets(peers: TlsPeers, make: Callable[[], Engine]) -> None:
    engine = make()
    assert read(frames_of(peers.talk), engine) == []

    assert states(engine) == {"no_secrets": 1}


def test_secrets_that_come_up_when_nobody_waits_any_more(peers: TlsPeers) -> None:
    engine = waiting(b"")
    engine.feed(frames_of(peers.talk, closed=False))
    engine.tick(engine.now_ns + 11 * SECOND)

    assert states(engine) == {"no_secrets": 1}


@pytest.mark.parametrize("label", ["CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"])
def test_one_secret_of_several_is_missing(peers: TlsPeers, label: str) -> None:
    engine = waiting(without(peers.key_log.read_bytes(), label))
    read(frames_of(peers.talk), engine)

    assert states(engine) == {"secret_lost": 1}


def test_secrets_that_open_nothing(peers: TlsPeers) -> None:
    """They have the right client random and the wrong octets: nothing was read with them."""
    lines = [line.split() for line in peers.key_log.read_bytes().splitlines() if line[:1] != b"#"]
    wrong = b"".join(
        b"%s %s %s\n" % (label, random, b"ab" * (len(secret) // 2)) for label, random, secret in lines
    )
    engine = engine_with(wrong)

    assert read(frames_of(peers.talk), engine) == []
    assert states(engine) == {"secret_lost": 1}
    assert [each["decrypted_connections"] for each in engine.encrypted()] == [0]


def test_a_connection_that_is_older_than_the_capture(peers: TlsPeers) -> None:
    engine = engine_with(peers.key_log.read_bytes())
    read(large_frames(peers)[2:], engine)

    assert states(engine) == {"joined_late": 1}


def test_a_hole_in_the_handshake(peers: TlsPeers) -> None:
    frames = frames_of(peers.talk, 200)
    engine = engine_with(peers.key_log.read_bytes())
    read([*frames[:5], *frames[6:]], engine)

    assert states(engine) == {"joined_late": 1}


def test_a_suite_that_is_not_read(tmp_path: Path) -> None:
    peers = http1_peers(tmp_path, V12, "ECDHE-ECDSA-AES128-SHA256")
    engine = engine_with(peers.key_log.read_bytes())
    read(frames_of(peers.talk), engine)

    assert states(engine) == {"suite": 1}


def test_a_place_that_is_lost(tmp_path: Path) -> None:
    """With ChaCha20-Poly1305 the number of a record behind a hole of over 256 of them is out of reach."""
    peers = TlsPeers(tmp_path, version=V12, ciphers="ECDHE-ECDSA-CHACHA20-POLY1305").handshake()
    for _ in range(400):
        peers.send(True, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").send(False, b"HTTP/1.1 204 No Content\r\n\r\n")
    engine = engine_with(peers.key_log.read_bytes())
    frames = frames_of(peers.talk)
    read([*frames[:40], *frames[-60:]], engine)

    assert states(engine) == {"out_of_step": 1}


def test_what_is_not_http(tmp_path: Path) -> None:
    peers = TlsPeers(tmp_path, version=V13).handshake()
    for _ in range(20):
        peers.send(True, bytes(range(200)) * 5).send(False, bytes(range(100, 250)) * 5)
    engine = engine_with(peers.key_log.read_bytes())
    assert read(frames_of(peers.talk), engine) == []

    assert states(engine) == {"other": 1}


def test_a_handshake_that_nothing_follows(peers: TlsPeers) -> None:
    engine = engine_with(b"")
    read(frames_of(peers.talk[:1]), engine)

    assert states(engine) == {"unfinished": 1}


def large_frames(peers: TlsPeers) -> list[CapturedFrame]:
    """Without the TCP handshake and the client's hello."""
    return [frame for frame in frames_of(peers.talk, 60_000) if len(frame[1]) > 100]


def test_what_waits_beyond_its_room(tmp_path: Path) -> None:
    peers = TlsPeers(tmp_path, version=V13).handshake()
    peers.send(True, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    peers.send(False, b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + bytes(300_000))
    engine = waiting(b"")
    read(frames_of(peers.talk), engine)

    assert states(engine) == {"memory": 1}


def test_each_process_is_told_what_became_of_its_connections(peers: TlsPeers) -> None:
    """Both ends run here: each has had all secrets. A third one's connection is not captured."""
    ring = Ring()
    for line in peers.key_log.read_text().splitlines():
        if not line.startswith("#") and (kind := KINDS.get(line.split()[0])) is not None:
            _, random, secret = line.split()
            for process in (70_001, 70_002):
                ring.put(kind, bytes.fromhex(random), bytes.fromhex(secret), process=process)
    ring.put(0, bytes(32), bytes(48), process=70_003)
    source = ProbeSource()
    source.adopt(ring.descriptor, ring.counters, ring.size_bytes)
    engine = Engine()
    engine.set_key_probe(source, SECOND)

    engine.feed(frames_of(peers.talk, closed=False))
    reading = engine.tls_processes()
    engine.finish()

    expected = [{"process": 70_001, "connections": 1}, {"process": 70_002, "connections": 1}]
    assert reading == [*({**each, "open": 1} for each in expected), unseen := {**UNSEEN}]
    assert engine.tls_processes() == [*({**each, "open": 0, "read": 1} for each in expected), unseen]


UNSEEN = {"process": 70_003, "connections": 1, "open": 0}


def test_many_processes_are_bounded_and_none_is_forgotten() -> None:
    ring = Ring()
    for number in range(600):
        ring.put(0, number.to_bytes(32), bytes(48), process=number + 1)
    source = ProbeSource()
    source.adopt(ring.descriptor, ring.counters, ring.size_bytes)
    engine = Engine()
    engine.set_key_probe(source, SECOND)
    engine.tick(1)

    found = engine.tls_processes()

    assert sum(each["connections"] for each in found) == 600
    assert len(found) == 257 and found[-1] == {"process": 0, "connections": 344, "open": 0}
    assert {each["process"] for each in found[:-1]} == set(range(345, 601))
