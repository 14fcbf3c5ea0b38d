"""TLS read with keys: Python's ssl module talks HTTP, the engine overhears it with the key log."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from levo.engine.engine import Engine

from tests.helpers.conversation import Conversation
from tests.helpers.engine_runs import run_frames
from tests.helpers.packets import CapturedFrame, Ends, capture_segments
from tests.helpers.tls_peers import TlsPeers

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
SUITES = [
    (V12, "ECDHE-ECDSA-AES128-GCM-SHA256"),
    (V12, "ECDHE-ECDSA-AES256-GCM-SHA384"),
    (V12, "ECDHE-ECDSA-CHACHA20-POLY1305"),
    (V13, None),
]


def exchange(number: int, size: int) -> tuple[bytes, bytes]:
    body = bytes(number + i & 0xFF for i in range(size))
    return (
        b"GET /%d HTTP/1.1\r\nHost: api.example\r\n\r\n" % number,
        b"HTTP/1.1 200 OK\r\nX-N: %d\r\nContent-Length: %d\r\n\r\n" % (number, size) + body,
    )


def http1_talk(folder: Path, version: ssl.TLSVersion, ciphers: str | None, count: int = 5) -> TlsPeers:
    peers = TlsPeers(folder, version=version, ciphers=ciphers).handshake()
    for number in range(count):
        request, response = exchange(number, 7000 * number)
        peers.send(True, request).send(False, response)
    return peers


def frames_of(peers: TlsPeers, mss: int = 1460) -> list[CapturedFrame]:
    conversation = Conversation(mss=mss).handshake()
    for from_client, octets in peers.talk:
        conversation.send(from_client, octets)
    return list(capture_segments(conversation.close().segments, Ends(server_port=8443)))


@pytest.mark.parametrize(("version", "ciphers"), SUITES)
@pytest.mark.parametrize("mss", [1, 1460, 60_000])
def test_http_1_is_read_through_each_suite(tmp_path, version, ciphers, mss) -> None:
    peers = http1_talk(tmp_path, version, ciphers)
    engine = Engine()
    used, _ = engine.add_secrets(peers.key_log.read_bytes())
    engine.feed(frames_of(peers, mss))
    engine.finish()
    print(engine.statistics())
    batch = engine.drain()
    (found,) = engine.encrypted()
    assert used
    assert found["decrypted_connections"] == 1
    assert len(batch) == 5
