"""The clock is set while connections are open: only time stamps of the moment may differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache

import pytest

from levo.engine.engine import Engine
from tests.engine.exchange.test_hops import CLIENT, PROXY, Leg
from tests.engine.http2.test_lasting import EVENTS, Overheard
from tests.helpers.conversation import Conversation
from tests.helpers.effort import long
from tests.helpers.engine_runs import assert_balanced
from tests.helpers.http2_peers import response_head
from tests.helpers.packets import CapturedFrame, Ends, frame

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
START = 1_700_000_000 * SECOND
SIZES = (SECOND, 30 * SECOND, 301 * SECOND, 3600 * SECOND, 2 * DAY, 400 * DAY, 3650 * DAY)
STEPS = [sign * size for size in SIZES for sign in (1, -1)]
MOMENTS = range(1, 11)
steps = pytest.mark.parametrize("step", STEPS, ids=lambda ns: f"{ns / SECOND:+.0f} s")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n" + b"x" * 3000
PACE = 20_000_000
"""Between two frames."""

Seen = Counter[tuple[str, int | None, str | None]]


@cache
def traffic(rounds: int = 10, connections: int = 5) -> list[CapturedFrame]:
    """Keep-alive connections in turn, one idle but at both ends; every answer has segments out of order."""
    talks = [Conversation(client_isn=10**8 * i, server_isn=10**9 + i).handshake() for i in range(connections)]
    frames: list[CapturedFrame] = []
    for number in range(rounds):
        for i, talk in enumerate(talks):
            if i == 0 and 0 < number < rounds - 1:
                continue
            talk.client(b"GET /%d/%d HTTP/1.1\r\nHost: h\r\n\r\n" % (i, number)).server(ANSWER)
            sent, talk.segments = talk.segments, []
            sent[-2], sent[-1] = sent[-1], sent[-2]
            for each in sent:
                octets = frame(each, Ends().with_client_port(20_000 + i))
                frames.append((START + len(frames) * PACE, octets, len(octets)))
    return frames


def stepped(frames: list[CapturedFrame], step: int, moment: int) -> list[CapturedFrame]:
    """The clock is set by *step* before one of the frames: the first of ten is the second one, and so on."""
    at = max(1, len(frames) * moment // (len(MOMENTS) + 1))
    return [*frames[:at], *((time + step, octets, size) for time, octets, size in frames[at:])]


def read(engine: Engine, frames: Iterable[CapturedFrame]) -> None:
    """As from a file: nothing but the frames tells the time."""
    engine.feed(list(frames))


def live(engine: Engine, frames: Iterable[CapturedFrame]) -> None:
    """As from an interface: the machine's clock is read after some frames, and one that nobody sets."""
    waiting: list[CapturedFrame] = []
    for number, each in enumerate(frames):
        waiting.append(each)
        if number % 5 == 4:
            engine.feed(waiting)
            engine.tick(each[0], 5 * PACE)
            waiting.clear()
    engine.feed(waiting)


ways = pytest.mark.parametrize("way", [read, live])
Way = Callable[[Engine, Iterable[CapturedFrame]], None]


def seen_by(engine: Engine) -> Seen:
    engine.finish()
    found = engine.take().exchanges()
    assert_balanced(engine.statistics())
    assert all(0 <= x.start_ns <= x.end_ns for x in found)
    return Counter((x.request.path, x.response and x.response.status, x.incomplete) for x in found)


@ways
@steps
def test_a_step_loses_no_exchange(step: int, way: Way) -> None:
    frames = traffic()
    for moment in MOMENTS:
        engine = Engine()
        way(engine, stepped(frames, step, moment))
        seen = seen_by(engine)
        assert sum(seen.values()) == 42
        assert {incomplete for _, _, incomplete in seen} == {None}, f"moment {moment}"
        assert engine.statistics()["connections_opened"] == 5


@steps
def test_a_capture_that_goes_on_after_a_step_is_thinned_as_before(step: int) -> None:
    """The bound of a minute is one of a minute that has passed."""
    kept = []
    for by in (0, step):
        engine = Engine(traces_per_minute=30)
        live(engine, stepped(traffic(rounds=30), by, 5))
        kept.append(sum(seen_by(engine).values()))
    assert abs(kept[0] - kept[1]) <= kept[0] // 10


@steps
def test_what_waits_for_its_other_hop_leaves_as_soon(step: int) -> None:
    engine = Engine(hops="merge")
    engine.feed(Leg(CLIENT, PROXY, 1, 9, 80, ended=9.5).frames())
    engine.tick(START)
    assert engine.ready == 0
    for number in range(4):
        engine.tick(START + step + (number + 1) * SECOND, SECOND)
    assert engine.ready == 1


@steps
def test_an_event_stream_is_reported_as_soon(step: int) -> None:
    heard = Overheard()
    heard.engine.tick(heard.now, 0)
    heard.ask(1, "/events")
    heard.hear()
    heard.peers.head(False, 1, response_head(200, EVENTS))
    assert heard.hear() == []
    found = []
    for number in range(24):
        heard.engine.tick(heard.now + step + (number + 1) * SECOND // 2, SECOND // 2)
        found += [(number, x.incomplete) for x in heard.engine.take().exchanges()]
    assert len(found) == 1
    number, incomplete = found[0]
    assert 18 <= number <= 22 and incomplete == "still_open"


@ways
@pytest.mark.parametrize("cycles", [14, long(300)])
def test_memory_holds_however_often_the_clock_is_set(cycles: int, way: Way) -> None:
    """Connections that end nowhere come with every step: what they hold is bounded, the ledger balances."""
    limit = 1 << 20
    engine = Engine(max_memory_bytes=limit)
    at = START
    for cycle in range(cycles):
        at += STEPS[cycle % len(STEPS)]
        frames = []
        for i in range(6):
            talk = Conversation(client_isn=cycle * 10**6 + i).handshake()
            talk.client(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999\r\n\r\n" + b"x" * 20_000)
            for each in talk.segments:
                ends = Ends(client=f"10.9.{cycle % 250}.{i + 1}").with_client_port(2000 + cycle % 50_000)
                frames.append((at + len(frames) * 1000, frame(each, ends), None))
        way(engine, frames)
        engine.take()
        assert engine.statistics()["memory_used_bytes"] <= limit
    engine.finish()
    assert_balanced(engine.statistics())
