"""What TLS shows in the clear: Python's ssl module talks, the engine overhears."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from levo.engine.engine import Engine
from tests.helpers.conversation import Conversation
from tests.helpers.effort import scaled
from tests.helpers.packets import Ends, capture_segments
from tests.helpers.pcap import shared_captures
from tests.helpers.tls_peers import Talk, TlsPeers

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
HELLO = bytes([22, 3, 1])
STATES = ("parsed", "duplicate", "opaque", "skipped", "evicted", "closed", "out_of_window", "held")


def overheard(talk: Talk, *, mss: int = 1460, ends: Ends | None = None, close: bool = True) -> Engine:
    conversation = Conversation(mss=mss).handshake()
    for from_client, octets in talk:
        conversation.send(from_client, octets)
    if close:
        conversation.close()
    engine = Engine()
    engine.feed(capture_segments(conversation.segments, ends or Ends(server_port=8443)))
    engine.finish()
    return engine


def endpoint(engine: Engine) -> dict[str, Any]:
    (found,) = engine.encrypted()
    return dict(found)


@pytest.fixture(scope="module")
def talk_13(tmp_path_factory: pytest.TempPathFactory) -> Talk:
    peers = TlsPeers(tmp_path_factory.mktemp("tls"), version=V13, offers=["h2", "http/1.1"], accepts=["h2"])
    return peers.handshake().send(True, b"x" * 500).send(False, b"y" * 40_000).talk


@pytest.fixture(scope="module")
def talk_12(tmp_path_factory: pytest.TempPathFactory) -> Talk:
    peers = TlsPeers(
        tmp_path_factory.mktemp("tls"), version=V12, offers=["h2", "http/1.1"], accepts=["http/1.1"]
    )
    return peers.handshake().send(True, b"x" * 500).send(False, b"y" * 40_000).talk


@pytest.mark.parametrize("mss", [1, 7, 100, 1460])
def test_tls_1_2_shows_name_choice_and_certificate_however_it_is_cut(talk_12: Talk, mss: int) -> None:
    found = endpoint(overheard(talk_12, mss=mss))

    assert found["server_name"] == "api.example"
    assert found["alpn"] == "http/1.1"
    assert found["version"] == "1.2"
    assert found["certificate_names"] == ("api.example", "*.api.example")
    assert found["server_port"] == 8443
    assert (found["connections"], found["decrypted_connections"]) == (1, 0)
    assert found["bytes"] == sum(len(octets) for _, octets in talk_12)


@pytest.mark.parametrize("mss", [1, 7, 100, 1460])
def test_tls_1_3_shows_name_and_version_the_offers_stand_for_the_choice(talk_13: Talk, mss: int) -> None:
    found = endpoint(overheard(talk_13, mss=mss))

    assert (found["server_name"], found["version"]) == ("api.example", "1.3")
    assert found["alpn"] == "h2,http/1.1"
    assert found["certificate_names"] == ()


def test_hello_spread_over_records(talk_12: Talk) -> None:
    (from_client, first), *others = talk_12
    message = first[5:]
    records = b"".join(
        HELLO + len(message[at : at + 50]).to_bytes(2, "big") + message[at : at + 50]
        for at in range(0, len(message), 50)
    )

    assert endpoint(overheard([(from_client, records), *others]))["server_name"] == "api.example"


def test_connections_to_one_endpoint_are_counted_together(talk_12: Talk, talk_13: Talk) -> None:
    engine = Engine()
    for port, talk in enumerate((talk_12, talk_12, talk_13), 40_000):
        conversation = Conversation().handshake()
        for from_client, octets in talk:
            conversation.send(from_client, octets)
        engine.feed(capture_segments(conversation.close().segments, Ends(client_port=port, server_port=443)))
    engine.finish()

    assert [(each["version"], each["connections"]) for each in engine.encrypted()] == [("1.2", 2), ("1.3", 1)]


def test_a_connection_joined_late_is_known_as_encrypted(talk_13: Talk) -> None:
    data = Conversation().start_mid_stream().client(talk_13[-2][1]).server(talk_13[-1][1]).segments
    engine = Engine()
    engine.feed(capture_segments(data, Ends(client_port=50_000, server_port=443)))
    engine.finish()

    found = endpoint(engine)

    assert (found["server_port"], found["server_name"], found["version"]) == (443, "", "")


def test_memory_is_given_back(talk_12: Talk) -> None:
    def held(connections: int) -> int:
        engine = Engine(linger_ns=0)
        for port in range(connections):
            conversation = Conversation().handshake()
            for from_client, octets in talk_12:
                conversation.send(from_client, octets)
            segments = conversation.close().segments
            engine.feed(capture_segments(segments, Ends(client_port=40_000 + port, server_port=443)))
        engine.finish()
        engine.tick(engine.now_ns + 10_000_000_000)
        return int(engine.memory_used_bytes)

    assert held(5) == held(1)


@settings(max_examples=scaled(150), deadline=None)
@given(data=st.data())
def test_damaged_handshakes_do_no_harm(talk_12: Talk, talk_13: Talk, data: st.DataObject) -> None:
    """Any octets changed, cut out or put in: every octet is still counted once, and one endpoint at most."""
    talk = [(way, bytearray(octets)) for way, octets in data.draw(st.sampled_from([talk_12, talk_13]))]
    for _ in range(data.draw(st.integers(1, 4))):
        _, octets = talk[data.draw(st.integers(0, min(2, len(talk) - 1)))]
        at = data.draw(st.integers(0, len(octets) - 1))
        octets[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9)) or b"\xff"
    engine = overheard(
        [(way, bytes(octets)) for way, octets in talk], mss=data.draw(st.sampled_from([11, 1460]))
    )

    seen = engine.statistics()

    assert len(engine.encrypted()) <= 1
    assert seen["payload_bytes_received"] == sum(
        seen[f"payload_bytes_{state}"]
        for state in (
            "parsed",
            "duplicate",
            "opaque",
            "skipped",
            "evicted",
            "closed",
            "out_of_window",
            "held",
        )
    )
    assert all(
        0x20 < ord(c) < 0x7F for each in engine.encrypted() for c in each["server_name"] + each["alpn"]
    )


FOLDER = shared_captures()


@pytest.mark.skipif(FOLDER is None, reason="shared captures are absent (LEVO_CAPTURES)")
def test_shared_captures() -> None:
    from levo.sensor.capture.file import FileSource

    assert FOLDER is not None
    found = {}
    for name in ("suricata-verify__tls-alpn-log-detect-02", "zeek__tls__tls12-decryption"):
        engine = Engine()
        with FileSource(str(FOLDER / name / "input.pcap")) as source:
            while engine.pump(source) >= 0:
                pass
        engine.finish()
        found[name.partition("__")[0]] = endpoint(engine)

    assert (found["suricata-verify"]["alpn"], found["suricata-verify"]["version"]) == ("http/1.1", "1.2")
    assert found["zeek"]["server_name"] == "heise.de"
    assert found["zeek"]["certificate_names"] == ("heise.de",)


def test_memory_is_given_back_where_a_side_ended_before_the_first_octets(talk_12: Talk) -> None:
    """Found by fuzzing: the side that had ended was waited for."""

    def held(ends_first: bool) -> int:
        engine = Engine(linger_ns=0)
        conversation = Conversation().handshake()
        if ends_first:
            conversation.fin(False).send(True, talk_12[0][1]).fin(True)
        else:
            conversation.send(True, talk_12[0][1]).fin(False).fin(True)
        engine.feed(capture_segments(conversation.segments, Ends(client_port=40_000, server_port=443)))
        engine.finish()
        engine.tick(engine.now_ns + 10_000_000_000)
        return int(engine.memory_used_bytes)

    assert held(True) == held(False)
