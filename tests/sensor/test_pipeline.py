"""The pipeline over scripted stages: who waits for whom, what is counted, how it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from levo.errors import CaptureError
from levo.sensor.assembly import ledger_of
from levo.sensor.export.statistics import OutputStatistics
from levo.sensor.pipeline import Pace, Pipeline

QUIET: dict[str, Any] = {
    "frames_received": 0,
    "payload_bytes_received": 0,
    "exchanges_begun": 0,
    "exchanges_emitted": 0,
    "exchanges_open": 0,
    "exchanges_dropped": {},
}


@dataclass
class Batch:
    """A batch of *count* exchanges of 100 octets each."""

    first: int
    count: int
    finished: bool = False
    sole: bool = False
    finisher: Callable[[Batch, int, int], None] | None = None

    def attach(self, finisher: Callable[[Batch, int, int], None], *, sole: bool) -> None:
        assert self.finisher is None
        self.finisher, self.sole = finisher, sole

    def process(self) -> None:
        assert self.finisher is not None
        if not self.finished:
            self.finisher(self, 0, self.count)

    def read(self) -> list[int]:
        """What an encoder does."""
        self.process()
        assert self.finished, "an output read an unmasked batch"
        return list(range(self.first, self.first + self.count))

    def __len__(self) -> int:
        return self.count

    @property
    def nbytes(self) -> int:
        return 100 * self.count


class Source:
    def statistics(self) -> None:
        return None


class ScriptedEngine:
    """Each pump makes as many exchanges as the script says; a None ends the source, an exception fails it."""

    def __init__(
        self, script: list[int | Exception | None], on_idle: Callable[[], None] | None = None
    ) -> None:
        self.script = list(script)
        self.on_idle = on_idle
        self.ready = 0
        self.made = self.taken = 0
        self.finished = 0
        self.threads: set[str] = set()
        self.external: list[int] = []

    def ports(self, most: int = 16) -> list[dict[str, Any]]:
        return []

    def encrypted(self) -> list[dict[str, Any]]:
        return []

    def tls_processes(self) -> list[dict[str, int]]:
        return []

    def unnamed_tunnels(self) -> list[dict[str, Any]]:
        return []

    def pump(self, source: Any, limit: int, timeout_ms: int) -> int:
        self.threads.add(threading.current_thread().name)
        if not self.script:
            if self.on_idle is not None and timeout_ms:
                self.on_idle()
            return 0 if self.on_idle is not None else -1
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        if step is None:
            return -1
        self.ready += step
        self.made += step
        return step or 0

    def tick(self, now_ns: int, passed_ns: int) -> None:
        self.ticked = now_ns
        self.passed_ns += passed_ns

    passed_ns = 0

    def finish(self) -> None:
        self.finished += 1
        self.ready += 1  # what was still open
        self.made += 1

    ready_bytes = 0

    def take(self, limit: int = 0, limit_bytes: int = 0) -> Batch:
        count = min(self.ready, limit or self.ready)
        self.ready -= count
        self.taken += count
        return Batch(self.taken - count, count)

    def statistics(self) -> dict[str, Any]:
        return {**QUIET, "exchanges_emitted": self.made, "exchanges_begun": self.made}

    def set_external(self, nbytes: int) -> None:
        self.external.append(nbytes)


@dataclass
class Sink:
    """An output whose queue holds *limit* traces and empties only when it is waited for (or closed)."""

    limit: int = 10**9
    stuck: bool = False
    name: str = "sink"
    got: list[int] = field(default_factory=list)
    held: int = 0
    received: int = 0
    refused: int = 0
    delivered: int = 0
    left: int = 0
    failed: int = 0
    closed: int = 0
    waits: int = 0
    consumes: bool = True
    seen: set[tuple[bool, bool]] = field(default_factory=set)
    """Whether batches were its own, and whether they were finished when they came."""

    def submit(self, batch: Batch) -> bool:
        self.seen.add((batch.sole, batch.finished))
        self.received += len(batch)
        if self.held and self.held + len(batch) > self.limit:
            self.refused += len(batch)
            return False
        try:
            self.got += batch.read()
        except MemoryError:
            self.failed += len(batch)
        else:
            self.held += len(batch)
        return True

    def flush(self, deadline_s: float) -> bool:
        self.waits += 1
        if not self.stuck:
            self.delivered += self.held
            self.held = 0
        return self.held == 0

    def close(self, deadline_s: float = 5.0) -> None:
        self.closed += 1
        self.left, self.held = self.left + self.held, 0

    def statistics(self) -> OutputStatistics:
        return OutputStatistics(
            self.name,
            received=self.received,
            exported=self.delivered,
            queue_full=self.refused,
            failed=self.left + self.failed,
            held=self.held,
            held_bytes=100 * self.held,
        )


def finish(batch: Batch, start: int, stop: int) -> None:
    assert (start, stop) == (0, batch.count)
    batch.finished = True


PACE = Pace(interval_ns=0, batch_exchanges=10, handover_bytes=2000, output_bytes=2000, output_traces=20)


def run(
    engine: ScriptedEngine, *sinks: Sink, live: bool = False, how: Any = finish, pace: Pace = PACE
) -> Pipeline:
    pipeline = Pipeline(engine, Source(), sinks, live=live, finish=how, pace=pace, clock=lambda: 1)
    pipeline.run()
    return pipeline


@contextmanager
def stopped_once(pipeline: Pipeline, condition: Callable[[], bool]) -> Iterator[threading.Event]:
    """Stop *pipeline* as soon as *condition* holds, which sets the event, or after a minute."""
    came = threading.Event()

    def watch() -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end and not came.wait(0.002):
            if condition():
                came.set()
        pipeline.stop()

    watcher = threading.Thread(target=watch)
    watcher.start()
    yield came
    watcher.join()


def test_a_file_reaches_every_output_whole_and_in_order_whatever_their_queues_hold() -> None:
    engine, small, large = (
        ScriptedEngine([7, 40, 0, 3, 100]),
        Sink(limit=20, name="small"),
        Sink(name="large"),
    )

    pipeline = run(engine, small, large)

    assert small.got == large.got == list(range(151))
    assert (small.refused, small.closed, large.closed, engine.finished) == (0, 1, 1, 1)
    ledger = ledger_of(pipeline.snapshot())
    assert ledger.balanced, ledger.render()
    assert not pipeline.snapshot().capturing


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("consumes", [False, True])
def test_only_an_output_that_is_alone_masks_for_itself_and_may_consume_a_batch(
    count: int, consumes: bool
) -> None:
    sinks = [Sink(consumes=consumes) for _ in range(count)]
    run(ScriptedEngine([3, 3]), *sinks)

    assert [sink.seen for sink in sinks] == [{(count == 1 and consumes, count == 2)}] * count


def test_only_the_capture_thread_touches_the_engine() -> None:
    engine = ScriptedEngine([1, 1, 1])

    run(engine, Sink())

    assert engine.threads == {"levo-capture"}


def test_a_capture_thread_that_hangs_shows() -> None:
    hanging, release = threading.Event(), threading.Event()

    def hang() -> None:
        hanging.set()
        release.wait(60)

    pipeline = Pipeline(
        ScriptedEngine([], on_idle=hang),
        Source(),
        [Sink()],
        live=True,
        finish=finish,
        pace=PACE,
        clock=lambda: 1,
    )
    runner = threading.Thread(target=pipeline.run)
    runner.start()
    assert hanging.wait(60)
    before = pipeline.stalled_s
    assert pipeline.stalled_s > before > 0
    pipeline.stop()
    release.set()
    runner.join(60)
    assert pipeline.stalled_s == 0


def test_live_capture_does_not_wait_for_a_slow_output() -> None:
    """The finishing thread hangs; capture goes on, and what found no room is counted."""
    gate = threading.Event()
    engine = ScriptedEngine([10] * 50, on_idle=gate.set)
    sink = Sink()

    def slow(batch: Batch, start: int, stop: int) -> None:
        gate.wait(60)
        finish(batch, start, stop)

    pipeline = Pipeline(engine, Source(), [sink], live=True, finish=slow, pace=PACE, clock=lambda: 1)
    runner = threading.Thread(target=pipeline.run)
    runner.start()
    assert gate.wait(60)
    pipeline.stop()
    runner.join(60)

    seen = pipeline.snapshot().pipeline
    assert seen.queue_full > 0
    assert seen.drained == 501 == seen.submitted + seen.queue_full
    assert len(sink.got) == seen.submitted
    assert ledger_of(pipeline.snapshot()).balanced


def test_frames_that_the_kernel_still_gathers_when_it_is_stopped_are_waited_for() -> None:
    """A ring hands its current block over only after the block's timeout."""

    class Gathering(ScriptedEngine):
        def pump(self, source: Any, limit: int, timeout_ms: int) -> int:
            if pipeline.stopping and timeout_ms >= 50 and not self.script:
                self.script = [7]
            elif not pipeline.stopping:
                pipeline.stop()
            return super().pump(source, limit, timeout_ms) if self.script else 0

    sink = Sink()
    pipeline = Pipeline(Gathering([]), Source(), [sink], live=True, finish=finish, pace=PACE, clock=lambda: 1)

    pipeline.run(stop_after_s=0.1)

    assert sink.received >= 7
    assert ledger_of(pipeline.snapshot()).balanced


def test_stop_ends_a_replay_that_waits_for_a_stuck_output() -> None:
    engine, sink = ScriptedEngine([10] * 50), Sink(limit=20, stuck=True)
    pipeline = Pipeline(engine, Source(), [sink], live=False, finish=finish, pace=PACE, clock=lambda: 1)

    with stopped_once(pipeline, lambda: sink.waits > 0):
        pipeline.run(stop_after_s=0.1)

    assert sink.closed == 1
    assert sink.left > 0
    ledger = ledger_of(pipeline.snapshot())
    assert ledger.balanced, ledger.render()


@pytest.mark.parametrize("count", [1, 2])
def test_a_batch_that_cannot_be_masked_is_never_sent_and_is_counted(count: int) -> None:
    engine, sinks = ScriptedEngine([10, 10, 10]), [Sink() for _ in range(count)]

    def faulty(batch: Batch, start: int, stop: int) -> None:
        if batch.first == 10:
            raise MemoryError
        finish(batch, start, stop)

    pipeline = Pipeline(engine, Source(), sinks, live=False, finish=faulty, pace=PACE, clock=lambda: 1)
    with pytest.raises(MemoryError):
        pipeline.run()

    for sink in sinks:
        assert 10 not in sink.got and {0, 20, 30} <= set(sink.got)
    # A sole output masks for itself, and is the one that counts it.
    assert (pipeline.snapshot().pipeline.unfinished, sinks[0].failed) == ((0, 10) if count == 1 else (10, 0))
    assert ledger_of(pipeline.snapshot()).balanced


def test_a_failing_source_is_reported_after_what_came_before_it_was_delivered() -> None:
    engine, sink = ScriptedEngine([5, CaptureError("gone")]), Sink()

    pipeline = Pipeline(engine, Source(), [sink], live=True, finish=finish, pace=PACE, clock=lambda: 1)
    with pytest.raises(CaptureError, match="gone"):
        pipeline.run()

    assert sink.got == list(range(6))


def test_orders_run_in_the_capture_thread_between_pumps() -> None:
    seen: list[str] = []
    engine = ScriptedEngine([1, 1, 1])
    pipeline = Pipeline(engine, Source(), [Sink()], live=False, finish=finish, pace=PACE, clock=lambda: 1)

    pipeline.order(lambda asked: seen.append(threading.current_thread().name))
    pipeline.run()

    assert seen == ["levo-capture"]


def test_what_waits_outside_the_engine_is_reported_to_it() -> None:
    engine, sink = ScriptedEngine([10, 10, 10]), Sink(stuck=True)
    pipeline = Pipeline(engine, Source(), [sink], live=False, finish=finish, pace=PACE, clock=lambda: 1)

    with stopped_once(pipeline, lambda: max(engine.external, default=0) > 0) as came:
        pipeline.run(stop_after_s=0.1)

    assert came.is_set()


def test_the_control_thread_is_woken_by_wake() -> None:
    calls: list[str] = []
    release = threading.Event()
    engine = ScriptedEngine([], on_idle=lambda: release.wait(5) and None)
    pipeline = Pipeline(engine, Source(), [Sink()], live=True, finish=finish, pace=PACE, clock=lambda: 1)

    def on_wake() -> None:
        calls.append(threading.current_thread().name)
        pipeline.stop()
        release.set()

    pipeline.wake()
    pipeline.run(on_wake)

    assert calls[0] == threading.current_thread().name


SECOND = 10**9
STEPS = [sign * size * SECOND for size in (1, 60, 3600, 86_400, 10 * 365 * 86_400) for sign in (1, -1)]


@pytest.mark.parametrize("step", STEPS, ids=lambda ns: f"{ns // SECOND:+} s")
def test_no_step_of_the_clock_holds_exchanges_or_counts_back(step: int) -> None:
    """Ten steps, one every 10 s: what is captured leaves and is shown as if nobody had set the clock."""
    now, offset, published = [0], [0], []

    class Steadily(ScriptedEngine):
        """Each pump waits a tenth of a second, and finishes an exchange."""

        def pump(self, source: Any, limit: int, timeout_ms: int) -> int:
            if now[0] >= 101 * SECOND:
                pipeline.stop()
                return 0
            now[0] += SECOND // 10
            if now[0] % (10 * SECOND) == 0:
                offset[0] += step
            self.ready += 1
            self.made += 1
            return 1

        def statistics(self) -> dict[str, Any]:
            published.append(now[0])
            return super().statistics()

    drained: list[int] = []

    class Timed(Steadily):
        def take(self, limit: int = 0, limit_bytes: int = 0) -> Batch:
            drained.append(now[0])
            return super().take(limit, limit_bytes)

    engine, sink = Timed([]), Sink()
    pipeline = Pipeline(
        engine,
        Source(),
        [sink],
        live=True,
        finish=finish,
        pace=Pace(interval_ns=SECOND, batch_exchanges=1000),
        clock=lambda: 10**18 + now[0] + offset[0],
        steady=lambda: now[0],
    )
    pipeline.run()

    for moments in (drained, published):
        assert max(b - a for a, b in pairwise(moments)) <= 2 * SECOND
    assert engine.passed_ns == 101 * SECOND
    assert sink.delivered == engine.made
    assert pipeline.snapshot().last_frame_ns == 10**18 + 101 * SECOND + 10 * step
