"""The engine as an object: feeding, draining, limits, statistics."""

from __future__ import annotations

import pytest

from levo.engine.engine import DROP_NAMES, Engine
from levo.sensor.capture.memory import MemorySource
from tests.helpers.conversation import Conversation
from tests.helpers.engine_runs import run_frames
from tests.helpers.packets import CapturedFrame, Ends, capture_segments, ethernet, frame, ipv4
from tests.helpers.websocket import conversation_frames

REQUEST = b"GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
FRAMES = conversation_frames([(True, REQUEST), (False, ANSWER)] * 5)


def test_the_same_frames_give_the_same_exchanges_fed_or_pumped():
    fed = Engine()
    fed.feed(FRAMES)
    fed.finish()
    pumped = Engine()
    source = MemorySource([(t, o, len(o)) for t, o, _ in FRAMES])
    while pumped.pump(source, 3, 0) >= 0:
        pass
    pumped.finish()
    assert fed.take().jsonl() == pumped.take().jsonl() != b""


def test_drain_hands_over_at_most_what_was_asked_for_in_order():
    engine = Engine()
    engine.feed(FRAMES)
    assert engine.ready == 5
    first, rest = engine.take(2), engine.take()
    assert (len(first), len(rest), engine.ready, len(engine.take())) == (2, 3, 0, 0)
    assert [x.start_ns for x in first.exchanges()] < [x.start_ns for x in rest.exchanges()]


def pipelined(connections: int, rounds: int, depth: int = 64) -> list[CapturedFrame]:
    """Tiny requests in one segment, tiny answers in the next: a frame finishes *depth* exchanges."""
    ask, answer = b"GET / HTTP/1.1\r\n\r\n" * depth, b"HTTP/1.1 204 N\r\n\r\n" * depth
    found = []
    for number in range(connections):
        talk = Conversation(
            client_isn=number * 7_777_777, server_isn=number * 5_555_555, mss=2000
        ).handshake()
        for _ in range(rounds):
            talk.send(True, ask).send(False, answer)
        found += capture_segments(talk.segments, Ends(client_port=2000 + number))
    return found


@pytest.mark.parametrize("frames_at_once", [1, 100, 8192])
def test_what_tiny_exchanges_cost_is_within_the_budget(frames_at_once: int):
    """A pump returns in time for what it finished to be taken: nothing is given up to make room for it."""
    limit = 4 << 20
    frames = pipelined(20, 40)
    engine = Engine(max_memory_bytes=limit)
    source = MemorySource([(time_ns, octets, len(octets)) for time_ns, octets, _ in frames])
    taken = 0
    while engine.pump(source, frames_at_once, 0) >= 0:
        assert engine.memory_used_bytes <= limit
        taken += len(engine.take())
    statistics = engine.statistics()
    assert taken == 20 * 40 * 64
    assert statistics["connections_evicted"] == statistics["exchanges_emitted_incomplete"] == 0


def test_memory_is_given_back():
    """After finish and drain only the entries of closed connections are left, and they go with time."""
    engine = Engine(linger_ns=0)
    engine.feed(FRAMES)
    engine.finish()
    engine.take()
    engine.tick(FRAMES[-1][0] + 10**9)
    assert engine.memory_used_bytes == 0


def test_finish_is_legal_twice_and_an_engine_may_be_dropped_full():
    engine = Engine()
    engine.feed(FRAMES[:5])
    engine.finish()
    engine.finish()
    del engine


def test_rules_are_asked_once_a_request_and_counted():
    asked = []

    def rules(method, host, path, target, client, client_port, server, server_port):
        asked.append((method, host, path, target, client, client_port, server, server_port))
        return 4

    engine = Engine(rules=rules)
    engine.feed(FRAMES)
    engine.finish()
    assert asked == [(b"GET", b"a.example", b"/x", b"/x", "10.0.0.1", 40000, "10.0.0.2", 80)] * 5
    assert len(engine.take()) == 0
    assert engine.statistics()["exchanges_dropped"][DROP_NAMES[4]] == 5


def test_a_rule_that_fails_hides_nothing():
    def rules(*_):
        raise RuntimeError("broken")

    engine = Engine(rules=rules)
    engine.feed(FRAMES)
    assert engine.ready == 5


def test_policy_can_change_while_capture_goes_on():
    engine = Engine()
    engine.feed(FRAMES)
    engine.set_policy(traces_per_minute=0, rules=lambda *_: 2)
    engine.feed(conversation_frames([(True, REQUEST.replace(b"/x", b"/y")), (False, ANSWER)]))
    assert engine.ready == 5


@pytest.mark.parametrize("frame", [b"", b"\x00", bytes(13), bytes(14)])
def test_frames_too_short_for_anything_are_counted(frame):
    engine = Engine()
    engine.feed([(1, frame, None)])
    assert engine.statistics()["frames_received"] == 1


# The clock.

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
UDP = ethernet(ipv4("10.9.9.9", "10.9.9.8", b"\x27\x0f\x27\x10\0\x08\0\0", protocol=17))
STRANGE = [-365 * 24 * HOUR, -6 * 60 * SECOND, -2 * SECOND, 2 * SECOND, 6 * 60 * SECOND, 26 * HOUR, 2**62]
CLOCKS = pytest.mark.parametrize("jump", STRANGE, ids=lambda ns: f"{ns / SECOND:+.0f} s")


def keep_alive(count: int, pause_ns: int = 1_000_000) -> list[CapturedFrame]:
    """*count* exchanges on each of four connections in turn, the answer after a pause."""
    peers = [Conversation(client_isn=10**8 + i, server_isn=10**9 + i).handshake() for i in range(4)]
    frames = []
    at = 1_700_000_000 * SECOND
    for number in range(count):
        for i, talk in enumerate(peers):
            talk.client(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % number).server(ANSWER)
            for segment in talk.segments:
                octets = frame(segment, Ends().with_client_port(20_000 + i))
                frames.append((at, octets, len(octets)))
                at += pause_ns
            talk.segments.clear()
    return frames


@CLOCKS
@pytest.mark.parametrize("kind", ["UDP", "a segment without a payload", "a segment with a payload"])
def test_a_frame_with_a_strange_clock_moves_nothing(jump, kind):
    """One in every 50 frames, among them holes, half-open connections and requests that wait."""
    frames = []
    for number, (at, octets, size) in enumerate(keep_alive(500)):
        payload = size > 60
        strange = number % 50 == 25
        if strange and kind == "UDP":
            frames.append((max(0, at + jump), UDP, len(UDP)))
        elif number % 51 == 26 and kind != "UDP" and payload == ("with a" in kind):
            at = max(0, at + jump)
        frames.append((at, octets, size))
    run = run_frames(frames)
    assert len(run.complete) == len(run.exchanges) == 2000
    assert run.statistics["connections_opened"] == 4


@CLOCKS
def test_a_step_of_the_clock_that_lasts_is_followed(jump):
    frames = keep_alive(20)
    half = len(frames) // 2
    moved = [(max(1, at + jump // 2), octets, size) for at, octets, size in frames[half:]]
    engine = Engine()
    engine.feed(frames[:half] + moved)
    assert abs(engine.now_ns - moved[-1][0]) < SECOND
    engine.finish()
    assert len(engine.take()) == 80


def test_a_connection_goes_on_over_26_hours():
    """Pauses of minutes and hours, told by the frames of others."""
    engine = Engine()
    talk = Conversation().handshake()
    at = 1_700_000_000 * SECOND
    pauses = [310 * SECOND, HOUR, 2 * HOUR, 23 * HOUR]
    for number, pause in enumerate(pauses):
        talk.client(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % number).server(ANSWER)
        engine.feed([(at, frame(each, Ends()), None) for each in talk.segments])
        talk.segments.clear()
        for minute in range(1, pause // (60 * SECOND)):
            engine.feed([(at + minute * 60 * SECOND + i, UDP, None) for i in range(3)])
        at += pause
    engine.feed([(at, frame(each, Ends()), None) for each in talk.client(REQUEST).server(ANSWER).segments])
    found = engine.take().exchanges()
    assert [(x.request.path, x.incomplete) for x in found] == [
        *((f"/{number}", None) for number in range(len(pauses))),
        ("/x", None),
    ]
    assert engine.statistics()["connections_opened"] == 1


# Whose connection it was.


@pytest.mark.parametrize(
    ("own", "direction"),
    [
        (["10.0.0.2", "127.0.0.1"], "inbound"),
        (["10.0.0.1"], "outbound"),
        (["10.0.0.1", "10.0.0.2", "fe80::1"], ""),
        (["192.0.2.1"], ""),
        ([], ""),
    ],
    ids=["the server is here", "the client is here", "both are", "none is", "not known"],
)
def test_an_exchange_is_inbound_or_outbound_by_who_opened_its_connection(own, direction):
    engine = Engine()
    engine.set_host_addresses(own)
    talk = Conversation().handshake().client(REQUEST).server(ANSWER)
    engine.feed([(SECOND, frame(each, Ends()), None) for each in talk.segments])
    batch = engine.take()
    (found,) = batch.exchanges()
    assert found.direction == direction
    assert (b'"direction":"%s"' % direction.encode() in batch.jsonl()) == bool(direction)
    assert (b"levo.direction" in bytes(batch.otlp(b""))) == bool(direction)


@pytest.mark.parametrize("time_ns", [-(2**63), -1, 2**63 - 1])
@pytest.mark.parametrize("first", [0, 3, 4])
def test_a_time_that_no_clock_shows_is_the_nearest_one_that_may_be(time_ns, first):
    """pcapng counts in 64 bits from any offset; times are differences in the engine, and unsigned in OTLP."""
    frames = keep_alive(2)
    frames[first:] = [(time_ns, octets, size) for _, octets, size in frames[first:]]
    run = run_frames(frames)

    assert [x["incomplete"] for x in run.exchanges] == [None] * 8
    assert all(0 <= x["start_ns"] <= x["end_ns"] < 2**63 - 10**9 for x in run.exchanges)
