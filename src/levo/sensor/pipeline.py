"""The sensor's threads and clocks: source -> engine -> hand-over -> finish (decode, mask) -> outputs.

Three kinds of threads, sharing a bounded queue and immutable snapshots, nothing else:

* *capture* pumps frames through the engine and drains finished exchanges. Live, it waits for nobody: what the
  hand-over cannot take is counted as queue-full. Reading a file, it waits, because a file can.
* *finish* hands each batch to every output. A batch carries what is to be done to it, decoding and masking:
  for several outputs this thread has it done first; a lone one's does it to what it is about to encode.
* *control* is the caller's thread: it waits in :meth:`Pipeline.run`, woken by signals and once a second.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypedDict

from levo.sensor.export.statistics import OutputStatistics

if TYPE_CHECKING:
    from levo.engine.engine import Engine
    from levo.engine.exchange.batch import Batch
    from levo.model.statistics import EncryptedEndpoint, EngineStatistics, PortUse, UnnamedTunnel
    from levo.sensor.capture.file import FileSource
    from levo.sensor.capture.live import LiveSource
    from levo.sensor.capture.statistics import FileStatistics, LiveStatistics, ProbeStatistics

_NS = 1_000_000_000
_FRAMES_PER_PUMP = 8192
_PUMP_WAIT_MS = 100
_ROOM_POLL_S = 0.05


class OutputLike(Protocol):
    """What is asked of ``levo.sensor.export.output.Output``."""

    @property
    def consumes(self) -> bool: ...
    def submit(self, batch: Batch) -> bool: ...
    def flush(self, deadline_s: float) -> bool: ...
    def close(self, deadline_s: float = 5.0) -> None: ...
    def statistics(self) -> OutputStatistics: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """When a batch leaves the engine, and how much may wait between the threads."""

    interval_ns: int = 10 * _NS
    """Longest time that a finished exchange waits in the engine."""
    batch_exchanges: int = 512
    """A batch leaves when so many exchanges wait, whatever the time."""
    largest_batch: int = 5000
    """Most exchanges in one batch: what came in one go leaves in one, for each batch costs the same again."""
    batch_bytes: int = 4 << 20
    """... or when they hold so many octets. One batch holds little more than twice that."""
    handover_bytes: int = 32 << 20
    """Most octets between capture and finish; one larger batch passes when nothing else waits."""
    output_bytes: int = 32 << 20
    """The bound of each output's queue; what a replay waits for."""
    output_traces: int = 200_000


@dataclass(frozen=True, slots=True)
class PipelineStatistics:
    """Cumulative counts of exchanges between the engine and the outputs, unless the name says otherwise."""

    drained: int = 0
    """Left the engine."""
    submitted: int = 0
    """Offered to every output."""
    queue_full: int = 0
    """Given up because the hand-over to the finishing thread was full."""
    unfinished: int = 0
    """Given up because decoding or masking failed: a bug, never sent unmasked."""
    held: int = 0
    """Between the threads now. A gauge; drained = submitted + queue_full + unfinished + held."""
    held_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the sensor has seen and done, taken at one moment by each of its threads."""

    engine: EngineStatistics
    """``Engine.statistics()``."""
    ready: int
    """Finished exchanges that wait in the engine."""
    capture: FileStatistics | LiveStatistics
    pipeline: PipelineStatistics
    outputs: tuple[OutputStatistics, ...]
    last_frame_ns: int | None
    """Wall clock when frames came last, for people."""
    capturing: bool
    """The capture thread is at work."""
    ports: tuple[PortUse, ...] = ()
    """``Engine.ports()``: the busiest server ports."""
    encrypted: tuple[EncryptedEndpoint, ...] = ()
    """``Engine.encrypted()``: endpoints that are talked to over TLS."""
    tls_processes: tuple[Mapping[str, int], ...] = ()
    """``Engine.tls_processes()``: what became of the connections of processes that a probe hears."""
    unnamed_tunnels: tuple[UnnamedTunnel, ...] = ()
    """``Engine.unnamed_tunnels()``: UDP ports that look like VXLAN and are not opened."""
    probe: ProbeStatistics | None = None
    """What the probe of TLS libraries counted; None where there never was one."""


class _Seen(TypedDict):
    """The fields of a :class:`Snapshot` that only the capture thread may read, while it runs."""

    engine: EngineStatistics
    ready: int
    capture: FileStatistics | LiveStatistics
    ports: tuple[PortUse, ...]
    encrypted: tuple[EncryptedEndpoint, ...]
    tls_processes: tuple[Mapping[str, int], ...]
    unnamed_tunnels: tuple[UnnamedTunnel, ...]


class Handover:
    """A bounded queue of batches between two threads."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._changed = threading.Condition()
        self._batches: deque[Batch] = deque()
        self._bytes = self._held = self._drained = self._submitted = self._full = self._unfinished = 0
        self._closed = False

    def put(self, batch: Batch, *, wait: bool, give_up: Callable[[], bool]) -> bool:
        """Pass *batch* on. Without *wait* a full queue refuses and counts it; with it, until *give_up()*."""
        size, count = batch.nbytes, len(batch)
        with self._changed:
            self._drained += count
            while self._held and self._bytes + size > self._limit:
                if not wait or give_up():
                    self._full += count
                    return False
                self._changed.wait(_ROOM_POLL_S)
            self._batches.append(batch)
            self._bytes += size
            self._held += count
            self._changed.notify_all()
            return True

    def get(self) -> Batch | None:
        """The next batch, waiting for it; None when closed and empty. It counts as held until ``done``."""
        with self._changed:
            self._changed.wait_for(lambda: self._batches or self._closed)
            return self._batches.popleft() if self._batches else None

    def done(self, count: int, size: int, *, submitted: bool) -> None:
        """A batch of *count* exchanges, *size* octets when it was put, has been dealt with."""
        with self._changed:
            self._held -= count
            self._bytes -= size
            if submitted:
                self._submitted += count
            else:
                self._unfinished += count
            self._changed.notify_all()

    def close(self) -> None:
        """No more batches will come. Legal twice."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def statistics(self) -> PipelineStatistics:
        with self._changed:
            return PipelineStatistics(
                self._drained, self._submitted, self._full, self._unfinished, self._held, self._bytes
            )


class Pipeline:
    """One sensor at work, from a source to its outputs. Runs once."""

    def __init__(
        self,
        engine: Engine,
        source: FileSource | LiveSource,
        outputs: Sequence[OutputLike],
        *,
        live: bool,
        finish: Callable[[Batch, int, int], None],
        pace: Pace | None = None,
        clock: Callable[[], int] = time.time_ns,
        steady: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """*finish* decodes and masks a batch in place, from one position to another, each exchange once.

        It must raise rather than leave it unmasked. *clock* tells the time of day for time stamps; *steady*,
        which nobody sets, when something is due.
        """
        self._engine = engine
        self._source = source
        self._outputs = tuple(outputs)
        self._live = live
        self._finish = finish
        self._pace = pace or Pace()
        self._clock = clock
        self._steady = steady
        self._handover = Handover(self._pace.handover_bytes)
        self._stop = threading.Event()
        self._hurry = threading.Event()  # a replay stops waiting for its outputs
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._orders: deque[Callable[[Engine], None]] = deque()
        self._failure: BaseException | None = None
        self._last_frame_ns: int | None = None
        self._beat_s = time.monotonic()
        self._seen = self._look()

    def run(
        self,
        on_wake: Callable[[], None] | None = None,
        stop_after_s: float = 4.0,
        on_delivered: Callable[[], None] | None = None,
    ) -> None:
        """Capture until the source ends or :meth:`stop`, then deliver what is left.

        *on_wake* is called in this thread once a second and after :meth:`wake`. After :meth:`stop`, delivery
        gets *stop_after_s* seconds; after the end of a file it gets as long as the outputs retry.
        *on_delivered* is called before the outputs are closed, when what could be delivered has been.

        Raises:
            CaptureError: the source failed; what was captured until then has been delivered.
        """
        capture = threading.Thread(target=self._run_capture, name="levo-capture", daemon=True)
        finish = threading.Thread(target=self._run_finish, name="levo-finish", daemon=True)
        finish.start()
        capture.start()
        while not self._ended.is_set():
            self._wake.wait(1.0)
            self._wake.clear()
            if on_wake is not None:
                on_wake()
        capture.join()
        self._deliver(finish, stop_after_s, on_wake, on_delivered)
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Stop capturing and deliver soon. May be called by a signal handler, and again."""
        self._stop.set()
        self._hurry.set()
        self._wake.set()

    def wake(self) -> None:
        """Have *on_wake* called now. May be called by a signal handler."""
        self._wake.set()

    def order(self, change: Callable[[Engine], None]) -> threading.Event:
        """Have the capture thread apply *change* to the engine, between two pumps; set when that is done.

        After the capture has ended there is nothing to change, and the event is set at once.
        """
        done = threading.Event()

        def apply(engine: Engine) -> None:
            change(engine)
            done.set()

        self._orders.append(apply)
        if self._ended.is_set():
            done.set()
        return done

    @property
    def stalled_s(self) -> float:
        """Seconds since the capture thread came round; 0 once it has ended. For watchdogs."""
        return 0.0 if self._ended.is_set() else time.monotonic() - self._beat_s

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    @property
    def failed(self) -> bool:
        """Whether the source, the engine or the masking failed: the run does not end cleanly."""
        return self._failure is not None

    def snapshot(self) -> Snapshot:
        """At most a second old; exact once :meth:`run` has returned. For any thread."""
        return Snapshot(
            **self._seen,
            pipeline=self._handover.statistics(),
            outputs=tuple(output.statistics() for output in self._outputs),
            last_frame_ns=self._last_frame_ns,
            capturing=not self._ended.is_set(),
        )

    # The capture thread.

    def _run_capture(self) -> None:
        try:
            self._capture()
        except BaseException as error:
            self._failure = error
        try:
            self._engine.finish()
            self._drain(everything=True)
            self._publish()
        except BaseException as error:
            self._failure = self._failure or error
        finally:
            self._ended.set()
            self._wake.set()
            self._obey()

    def _capture(self) -> None:
        engine, source, live, steady = self._engine, self._source, self._live, self._steady
        wait_ms = min(_PUMP_WAIT_MS, max(1, self._pace.interval_ns // 1_000_000))
        came_round = next_drain = next_publish = steady()
        while not self._stop.is_set():
            frames = engine.pump(source, _FRAMES_PER_PUMP, wait_ms)
            if frames < 0:
                return
            now = steady()
            time_of_day = self._clock()
            self._beat_s = time.monotonic()
            if frames:
                self._last_frame_ns = time_of_day
            if live:
                engine.tick(time_of_day, now - came_round)
            came_round = now
            self._obey()
            if self._full_batch() or now >= next_drain:
                self._drain(everything=False)
                next_drain = now + self._pace.interval_ns
            if now >= next_publish:
                self._publish()
                next_publish = now + _NS // 2
        if live:
            # What the kernel has captured belongs to us. It hands over its last frames when their block times
            # out, after half of the first wait. A busy interface must not hold us up.
            if engine.pump(source, _FRAMES_PER_PUMP, _PUMP_WAIT_MS) < 0:
                return
            for _ in range(64):
                if engine.pump(source, _FRAMES_PER_PUMP, 0) <= 0:
                    break

    def _obey(self) -> None:
        while self._orders:
            self._orders.popleft()(self._engine)

    def _full_batch(self) -> bool:
        engine = self._engine
        return engine.ready >= self._pace.batch_exchanges or engine.ready_bytes >= self._pace.batch_bytes

    def _drain(self, everything: bool) -> None:
        while self._engine.ready:
            batch = self._engine.take(self._pace.largest_batch, 2 * self._pace.batch_bytes)
            if not len(batch):
                break
            self._handover.put(batch, wait=not self._live, give_up=self._hurry.is_set)
            if not everything and not self._full_batch():
                break
        self._engine.set_external(
            self._handover.statistics().held_bytes
            + sum(output.statistics().held_bytes for output in self._outputs)
        )

    def _publish(self) -> None:
        self._seen = self._look()

    def _look(self) -> _Seen:
        engine = self._engine
        return {
            "engine": engine.statistics(),
            "ready": engine.ready,
            "capture": self._source.statistics(),
            "ports": tuple(engine.ports()),
            "encrypted": tuple(engine.encrypted()),
            "tls_processes": tuple(engine.tls_processes()),
            "unnamed_tunnels": tuple(engine.unnamed_tunnels()),
        }

    # The finishing thread.

    def _run_finish(self) -> None:
        while (batch := self._handover.get()) is not None:
            count, size = len(batch), batch.nbytes
            alone = len(self._outputs) == 1
            batch.attach(self._finish_some, sole=alone and self._outputs[0].consumes)
            if not alone:  # else its thread masks what it encodes next, while the cache of its core holds it
                try:
                    batch.process()
                except Exception:
                    self._handover.done(count, size, submitted=False)
                    continue
            for output in self._outputs:
                if not self._live:
                    self._wait_for_room(output, len(batch), batch.nbytes)
                output.submit(batch)
            self._handover.done(count, size, submitted=True)
            del batch

    def _finish_some(self, batch: Batch, start: int, stop: int) -> None:
        """What cannot be masked must not leave, and must not stop the sensor: who reads it gets the error."""
        try:
            self._finish(batch, start, stop)
        except Exception as error:
            self._failure = self._failure or error
            raise

    def _wait_for_room(self, output: OutputLike, count: int, size: int) -> None:
        """Wait until *output* can take a batch. Only this thread submits, so room does not vanish again."""
        while not self._hurry.is_set():
            seen = output.statistics()
            if not seen.held or (
                seen.held_bytes + size <= self._pace.output_bytes
                and seen.held + count <= self._pace.output_traces
            ):
                return
            output.flush(_ROOM_POLL_S)

    # The caller's thread, at the end.

    def _deliver(
        self,
        finish: threading.Thread,
        stop_after_s: float,
        on_wake: Callable[[], None] | None,
        on_delivered: Callable[[], None] | None,
    ) -> None:
        self._handover.close()
        stop_at: float | None = None
        next_wake = time.monotonic()
        while finish.is_alive() or not all(output.flush(0.0) for output in self._outputs):
            if self._stop.is_set() and stop_at is None:
                stop_at = time.monotonic() + stop_after_s
            if stop_at is not None and time.monotonic() >= stop_at:
                break
            if finish.is_alive():
                finish.join(_ROOM_POLL_S)
            else:
                for output in self._outputs:
                    output.flush(_ROOM_POLL_S)
            if on_wake is not None and (self._wake.is_set() or time.monotonic() >= next_wake):
                self._wake.clear()
                next_wake = time.monotonic() + 1.0
                on_wake()
        if on_delivered is not None:
            on_delivered()
        for output in self._outputs:
            output.close(max(0.2, stop_at - time.monotonic()) if stop_at is not None else 5.0)
