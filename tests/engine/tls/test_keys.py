"""TLS read with keys: Python's ssl module talks HTTP, the engine overhears it with the key log."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from levo.engine.engine import Engine
from tests.helpers.conversation import Conversation
from tests.helpers.effort import scaled
from tests.helpers.engine_runs import assert_balanced
from tests.helpers.http2_peers import simple_exchanges
from tests.helpers.lines import Exchange, body
from tests.helpers.packets import CapturedFrame, Ends, capture_segments
from tests.helpers.tls_peers import Talk, TlsPeers

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
SUITES = [
    (V12, "ECDHE-ECDSA-AES128-GCM-SHA256"),
    (V12, "ECDHE-ECDSA-AES256-GCM-SHA384"),
    (V12, "ECDHE-ECDSA-CHACHA20-POLY1305"),
    (V13, None),
]
COUNT = 6
SECOND = 1_000_000_000


def request_of(number: int) -> bytes:
    return b"GET /%d HTTP/1.1\r\nHost: api.example\r\n\r\n" % number


def content_of(number: int) -> bytes:
    return bytes(number + i & 0xFF for i in range(7000 * number))


def response_of(number: int) -> bytes:
    content = content_of(number)
    return b"HTTP/1.1 200 OK\r\nX-N: %d\r\nContent-Length: %d\r\n\r\n" % (number, len(content)) + content


def http1_peers(folder: Path, version: ssl.TLSVersion, ciphers: str | None = None) -> TlsPeers:
    peers = TlsPeers(folder, version=version, ciphers=ciphers).handshake()
    for number in range(COUNT):
        peers.send(True, request_of(number)).send(False, response_of(number))
    return peers


def frames_of(talk: Talk, mss: int = 1460, *, closed: bool = True) -> list[CapturedFrame]:
    conversation = Conversation(mss=mss).handshake()
    for from_client, octets in talk:
        conversation.send(from_client, octets)
    if closed:
        conversation.close()
    return list(capture_segments(conversation.segments, Ends(server_port=8443)))


def read(frames: Sequence[CapturedFrame], engine: Engine) -> list[Exchange]:
    """What *engine* makes of *frames*, every octet and exchange counted once."""
    engine.feed(frames)
    engine.finish()
    lines = engine.take().jsonl().splitlines()
    seen = engine.statistics()
    assert_balanced(seen)
    assert seen["exchanges_open"] == 0
    assert all(count < 1 << 60 for name, count in seen.items() if name.startswith("payload_bytes"))
    return [orjson.loads(line) for line in lines]


def engine_with(secrets: bytes, **options: Any) -> Engine:
    engine = Engine(**options)
    engine.add_secrets(secrets)
    return engine


def assert_http1_exact(exchanges: Sequence[Exchange]) -> None:
    assert [x["incomplete"] for x in exchanges] == [None] * COUNT
    assert [x["request"]["target"] for x in exchanges] == [f"/{number}" for number in range(COUNT)]
    assert [body(x["response"]) for x in exchanges] == [content_of(number) for number in range(COUNT)]


@pytest.fixture(scope="module", params=[V12, V13], ids=["1.2", "1.3"])
def recorded(request, tmp_path_factory) -> tuple[Talk, bytes]:
    """HTTP/1.1 over one connection, and its key log."""
    peers = http1_peers(tmp_path_factory.mktemp("tls"), request.param)
    return peers.talk, peers.key_log.read_bytes()


@pytest.mark.parametrize(("version", "ciphers"), SUITES)
def test_http_1_is_read_through_each_suite(tmp_path, version, ciphers) -> None:
    peers = http1_peers(tmp_path, version, ciphers)
    engine = engine_with(peers.key_log.read_bytes())

    assert_http1_exact(read(frames_of(peers.talk), engine))

    (found,) = engine.encrypted()
    assert (found["connections"], found["decrypted_connections"]) == (1, 1)
    assert found["certificate_names"] == ("api.example", "*.api.example")


@pytest.mark.parametrize("mss", [1, 333, 60_000])
def test_records_are_read_however_segments_cut_them(recorded, mss: int) -> None:
    talk, secrets = recorded

    assert_http1_exact(read(frames_of(talk, mss), engine_with(secrets)))


@pytest.mark.parametrize("version", [V12, V13])
def test_http_2_is_known_by_its_alpn(tmp_path, version) -> None:
    peers = TlsPeers(tmp_path, version=version, offers=["h2"], accepts=["h2"]).handshake()
    turns = simple_exchanges(40).turns
    for from_client, octets in turns:
        peers.send(from_client, octets)

    engine = engine_with(peers.key_log.read_bytes())
    exchanges = read(frames_of(peers.talk), engine)

    clear = read(frames_of(list(turns)), Engine())
    assert [seen_in(x) for x in exchanges] == [seen_in(x) for x in clear]
    assert [x["incomplete"] for x in exchanges] == [None] * 40
    assert engine.encrypted()[0]["alpn"] == "h2"


def seen_in(exchange: Exchange) -> tuple[Any, ...]:
    request, response = exchange["request"], exchange["response"]
    return (
        exchange["protocol"], request["method"], request["path"], request["headers"], body(request),
        response["status"], response["headers"], body(response),
    )  # fmt: skip


def test_exchanges_say_that_they_were_encrypted(recorded) -> None:
    talk, secrets = recorded
    engine = engine_with(secrets)
    engine.feed(frames_of(talk))
    engine.finish()

    assert b"https" in engine.take().jsonl()


def test_without_the_secrets_nothing_is_read(recorded) -> None:
    talk, secrets = recorded
    other = secrets.replace(b"0", b"1").replace(b"a", b"b")
    engine = engine_with(other)

    assert read(frames_of(talk), engine) == []

    assert engine.statistics()["payload_bytes_opaque"] == sum(len(octets) for _, octets in talk)


@pytest.mark.parametrize("behind", [5, 9, 14])
def test_secrets_that_come_up_late_are_waited_for(recorded, behind: int) -> None:
    """They are asked for again with each segment; what came before them is held."""
    talk, secrets = recorded
    asked = 0

    def source() -> bytes:
        nonlocal asked
        asked += 1
        return secrets if asked == behind else b""

    engine = Engine()
    engine.set_key_source(source, wait=True)

    assert_http1_exact(read(frames_of(talk, 400), engine))


@pytest.mark.parametrize("closed", [True, False])
def test_secrets_may_come_up_when_all_is_said(recorded, closed: bool) -> None:
    """No further segment asks for them: a quiet or closed connection is looked at as time passes."""
    talk, secrets = recorded
    known = [b""]
    engine = Engine()
    engine.set_key_source(lambda: known[0], wait=True)
    engine.feed(frames_of(talk, closed=closed))
    engine.tick(engine.now_ns + 5 * SECOND)
    assert list(engine.take().exchanges()) == []

    known[0] = secrets
    engine.tick(engine.now_ns + 2 * SECOND)

    exchanges = [orjson.loads(line) for line in engine.take().jsonl().splitlines()]
    assert_http1_exact(exchanges)
    engine.finish()
    assert list(engine.take().exchanges()) == []
    assert_balanced(engine.statistics())


@pytest.mark.parametrize("late", ["CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"])
def test_one_direction_may_be_readable_before_the_other(tmp_path, late: str) -> None:
    """A response is not read before its request, whose stream HTTP/2 would not know yet."""
    peers = TlsPeers(tmp_path, version=V13, offers=["h2"], accepts=["h2"]).handshake()
    turns = simple_exchanges(3).turns
    for from_client, octets in turns:
        peers.send(from_client, octets)
    frames = frames_of(peers.talk)
    lines = peers.key_log.read_bytes().splitlines(keepends=True)
    expected = [seen_in(x) for x in read(frames_of(list(turns)), Engine())]

    for known_at in range(len(frames) + 1):
        engine = engine_with(b"".join(line for line in lines if late.encode() not in line))
        engine.set_key_source(lambda: b"", wait=True)
        engine.feed(frames[:known_at])
        engine.add_secrets(b"".join(line for line in lines if late.encode() in line))
        exchanges = read(frames[known_at:], engine)

        assert [seen_in(x) for x in exchanges] == expected, known_at
        assert [x["incomplete"] for x in exchanges] == [None] * 3, known_at


def test_what_all_connections_hold_is_bounded(tmp_path) -> None:
    """An eighth of the budget: past it, connections are given up, and their octets are counted as opaque."""
    peers = http1_peers(tmp_path, V13)
    engine = Engine(max_memory_bytes=1 << 20)
    engine.set_key_source(lambda: b"", wait=True)

    for port in range(40):
        conversation = Conversation().handshake()
        for from_client, octets in peers.talk:
            conversation.send(from_client, octets)
        ends = Ends(client_port=40_000 + port, server_port=8443)
        engine.feed(list(capture_segments(conversation.segments, ends)))
        assert engine.statistics()["memory_used_bytes"] < 1 << 19
    opaque = engine.statistics()["payload_bytes_opaque"]
    engine.finish()

    assert opaque > 20 * sum(len(octets) for _, octets in peers.talk)
    assert_balanced(engine.statistics())


def test_secrets_are_counted_as_used_once(recorded) -> None:
    talk, secrets = recorded
    engine = engine_with(secrets)
    read(frames_of(talk), engine)

    counted = engine.statistics()

    needed = counted["secrets_received"]
    assert needed in (1, 4)
    assert counted["secrets_used"] == needed
    assert counted["secrets_unused"] == counted["secrets_refused"] == counted["secrets_held"] == 0


def test_secrets_of_key_updates_do_not_take_the_place_of_the_first_ones(recorded) -> None:
    """A library may log them before the packets of the first ones are read."""
    talk, secrets = recorded
    lines = [line.split() for line in secrets.splitlines()]
    later = [(x[0], x[1], b"5a" * (len(x[2]) // 2)) for x in lines if b"_TRAFFIC_SECRET_0" in x[0]]

    engine = engine_with(secrets + b"".join(b"%s %s %s\n" % line for line in later))

    assert_http1_exact(read(frames_of(talk), engine))
    assert engine.statistics()["secrets_unused"] == len(later)


def test_octets_wait_for_their_secrets_as_long_as_for_a_segment(recorded) -> None:
    """Behind the stream timeout they are counted as opaque, and secrets that come up then are too late."""
    talk, secrets = recorded
    known = [b""]
    engine = Engine(stream_timeout_ns=10 * SECOND)
    engine.set_key_source(lambda: known[0], wait=True)
    engine.feed(frames_of(talk))
    engine.tick(engine.now_ns + 11 * SECOND)
    known[0] = secrets
    engine.tick(engine.now_ns + SECOND)
    engine.finish()

    assert list(engine.take().exchanges()) == []
    assert_balanced(engine.statistics())
    assert engine.statistics()["payload_bytes_parsed"] < 1000  # of the handshake


def test_secrets_that_never_come_cost_no_memory_afterwards(recorded) -> None:
    talk, _ = recorded
    engine = Engine(linger_ns=0)
    engine.set_key_source(lambda: b"", wait=True)

    assert read(frames_of(talk), engine) == []

    engine.tick(engine.now_ns + 10_000_000_000)
    assert engine.memory_used_bytes < 2000


def test_what_is_no_key_log_is_counted_and_left_alone() -> None:
    line = b"CLIENT_RANDOM " + b"0" * 64 + b" " + b"1" * 96
    text = b"# comment\n" + line + b"\nCLIENT_RANDOM 00 11\nRSA x y\n\xff\xfe\n" + line + b" more\n"

    assert Engine().add_secrets(text) == (1, 5)


def test_one_lost_packet_costs_at_most_the_exchange_it_belongs_to(recorded) -> None:
    """Each packet of the conversation that carries records is left out once."""
    talk, secrets = recorded
    frames = frames_of(talk)
    first = next(i for i, x in enumerate(read_targets(frames, secrets)) if x)
    wrong = {}
    for lost in range(first, len(frames) - 3, 3):
        exchanges = read([*frames[:lost], *frames[lost + 1 :]], engine_with(secrets))
        whole = [x for x in exchanges if x["incomplete"] is None]
        for x in whole:
            number = int(x["request"]["target"][1:])
            assert body(x["response"]) == content_of(number), lost
        if len(whole) < COUNT - 1:
            wrong[lost] = len(whole)
    assert wrong == {}


@pytest.mark.parametrize(("version", "ciphers"), SUITES)
def test_reading_goes_on_behind_hundreds_of_lost_records(tmp_path, version, ciphers) -> None:
    """The number of the next record follows from itself, or is within reach of trying."""
    lost = 120 if ciphers is not None and "CHACHA" in ciphers else 900
    peers = TlsPeers(tmp_path, version=version, ciphers=ciphers).handshake()
    for number in range(lost + 20):
        peers.send(True, request_of(number)).send(False, b"HTTP/1.1 204 No Content\r\n\r\n")
    frames = frames_of(peers.talk)
    targets = [x["request"]["target"] for x in read(frames, engine_with(peers.key_log.read_bytes()))]
    assert len(targets) == lost + 20
    half = len(frames) // 2

    engine = engine_with(peers.key_log.read_bytes())
    exchanges = read([*frames[: half - lost], *frames[half + lost :]], engine)

    whole = [x["request"]["target"] for x in exchanges if x["incomplete"] is None]
    assert whole[-5:] == targets[-5:]
    assert len(whole) >= 15
    assert engine.statistics()["gap_bytes"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("version", [V12, V13], ids=["1.2", "1.3"])
def test_reading_goes_on_behind_a_hole_of_many_mebibytes(tmp_path, version) -> None:
    """Past 64 MiB the numbers would be those of another connection: records say that it is the same."""
    size = 90 << 20
    peers = TlsPeers(tmp_path, version=version, ciphers=SUITES[1][1] if version == V12 else None).handshake()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
    peers.send(True, request_of(1)).send(False, head)
    for _ in range(size >> 18):
        peers.send(False, bytes(1 << 18))
    for number in range(2, 6):
        peers.send(True, request_of(number)).send(False, response_of(number))
    frames = frames_of(peers.talk, 60_000)
    large = [number for number, frame in enumerate(frames) if len(frame[1]) > 59_000]

    engine = engine_with(peers.key_log.read_bytes())
    exchanges = read([*frames[: large[5]], *frames[large[-40] :]], engine)

    whole = [x["request"]["target"] for x in exchanges if x["incomplete"] is None]
    assert whole == [f"/{number}" for number in range(2, 6)]
    assert [body(x["response"]) for x in exchanges[-4:]] == [content_of(number) for number in range(2, 6)]
    assert engine.statistics()["gap_bytes"] > 80 << 20


def read_targets(frames: Sequence[CapturedFrame], secrets: bytes) -> list[bool]:
    """For each frame, whether an exchange has begun by then."""
    engine = engine_with(secrets)
    begun = []
    for frame in frames:
        engine.feed([frame])
        begun.append(engine.statistics()["exchanges_begun"] > 0)
    return begun


@settings(max_examples=scaled(60), deadline=None)
@given(data=st.data())
def test_damage_is_never_read_as_content(recorded, data) -> None:
    """Whatever is changed, cut or lost behind the handshake: what is whole is right, and all is counted."""
    talk, secrets = recorded
    damaged = [(way, bytearray(octets)) for way, octets in talk]
    for _ in range(data.draw(st.integers(1, 3))):
        _, octets = damaged[data.draw(st.integers(0, len(damaged) - 1))]
        at = data.draw(st.integers(0, len(octets) - 1))
        octets[at : at + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=8)) or b"\x17"
    frames = frames_of([(way, bytes(octets)) for way, octets in damaged])
    kept = [x for x in frames if data.draw(st.integers(0, 30)) or x is frames[0]]

    for x in read(kept, engine_with(secrets)):
        if x["incomplete"] is None:
            assert body(x["response"]) == content_of(int(x["request"]["target"][1:]))
