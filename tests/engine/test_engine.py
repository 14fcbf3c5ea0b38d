"""The engine as an object: feeding, draining, limits, statistics."""

from __future__ import annotations

import pytest

from levo.engine.engine import DROP_NAMES, Engine
from levo.sensor.capture.memory import MemorySource
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
