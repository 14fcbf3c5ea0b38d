"""The learner process: journal -> learn -> store.

It runs beside the Satellite's main process, so that learning takes no turn from receiving. Its life hangs
on its standard input: ``w`` says that the journal has grown, ``p`` that people have decided something about
paths, ``d`` that it should learn what is there and end; the end of the input ends it at once, since what is
not committed stays in the journal. After every commit it writes one line of JSON (:class:`Progress`) to its
standard output.
"""

from __future__ import annotations

import fcntl
import logging
import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from functools import partial
from pathlib import Path

import msgspec
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from levo.errors import LevoError
from levo.satellite.learn import (
    DEFAULT_SETTINGS,
    RULES_NAME,
    BodyBudget,
    Detectors,
    LearnSettings,
    NameRule,
    Origin,
    RecentDeliveries,
    SensorReport,
    State,
    Trace,
    learn_all,
    learn_sensor,
    load_rules,
    read_delivery,
    read_metrics,
    read_senders,
)
from levo.satellite.learn.sensors import sent_ns
from levo.satellite.log_rate import RateLimited
from levo.satellite.queue import JournalReader, Position, Record, RecordKind
from levo.satellite.queue.reader import DOUBT_S
from levo.satellite.receipts import ReceiptClock
from levo.satellite.scheduler import DecisionScheduler
from levo.satellite.store import DATABASE_NAME, CatalogWriter
from levo.satellite.store.faults import described, fault_of
from levo.satellite.store.hosts import Limits
from levo.satellite.store.retention import Retention
from levo.satellite.store.rotation import KEY_NAME, make_key

_LOG = logging.getLogger(__name__)
JOURNAL_NAME = "journal"
LOCK_NAME = "learner.lock"
COMMIT_INTERVAL_S = 0.8
"""While traces come in, the catalog is written at most this often …"""
GATHER_S = 0.15
"""… and the first trace after a quiet time waits this long for company."""
MAX_DELTA_ENDPOINTS = 20_000
"""More new facts than these are committed at once, which bounds memory under a flood of random paths."""
PRUNE_INTERVAL_S = 600.0
"""How often old rollups, and what was not seen for long, are deleted."""
LOOKED_AT_ONCE = 100
"""Endpoints that are looked at for sensitive data in one transaction."""
BUSY_SHARE, IDLE_SHARE = 0.1, 0.5
"""Of the time, at most that goes into looking while there is something to learn, and while there is not."""
_NICE = 5
CAREFUL_RECORDS = 1000
"""So many records after a crash, all is well again."""


class Mode(StrEnum):
    """How to go through the journal. The supervisor is more careful after each crash without progress."""

    NORMAL = "normal"
    CAREFUL = "careful"
    """Commit after each record, so that a record that kills the process is the next one."""
    SKIP_ONE = "skip-one"
    """Count the next record as unreadable without looking at it, then as ``CAREFUL``."""


class Progress(msgspec.Struct, frozen=True):
    """What the learner tells after a commit."""

    segment: int
    offset: int
    revision: int
    torn_bytes: int
    damaged_records: int
    unreadable_records: int = 0
    """Since this process started, like the two before."""
    commit_s: float = 0.0
    """How long the commit took that is told of; 0 if none is."""

    @property
    def position(self) -> Position:
        """Everything before it is learned and stored."""
        return Position(self.segment, self.offset)


def learn_record(
    state: State,
    record: Record,
    settings: LearnSettings = DEFAULT_SETTINGS,
    recent: RecentDeliveries | None = None,
    clock: ReceiptClock | None = None,
) -> State:
    """Return *state* with what *record* teaches; all of it or, when the record is unreadable, nothing.

    What *recent* has seen before, a whole delivery or a span, is counted as duplicate and changes nothing.
    *clock* says when it was received.
    """
    reports: list[tuple[Origin, SensorReport]] = []
    traces: list[Trace | None] = []
    clock = clock or ReceiptClock(0)
    received_ns = clock.at(record.received_ns)
    try:
        if record.kind is RecordKind.TRACES:
            latest_ns = clock.latest_ns(record.received_ns)
            resources, traces = read_delivery(record.payload, record.organization, received_ns, latest_ns)
            reports.extend(read_senders(resources, record.organization, received_ns))
            # Where the receipt stands in for a time that cannot be right, no clock has agreed with it.
            ends = [each.end_ns for each in traces if each is not None and each.end_ns != received_ns]
            clock.hear(record.received_ns, max(ends, default=0))
        else:
            metrics = ExportMetricsServiceRequest.FromString(record.payload)
            clock.hear(record.received_ns, sent_ns(metrics))
            received_ns = clock.at(record.received_ns)
            reports.extend(read_metrics(metrics, record.organization, received_ns))
    except Exception as error:
        # Whatever is wrong with one record, the others must be learned. Its text may be captured content.
        _LOG.error(
            "learner: a record of %d octets cannot be learned: %s", len(record.payload), type(error).__name__
        )
        state.unreadable_records += 1
        return state
    identified = any(trace is not None and trace.identity for trace in traces)
    if recent and identified and not recent.is_new_delivery(_identity_of(record.payload, traces)):
        state.duplicate_deliveries += 1
        return state
    for origin, report in reports:
        learn_sensor(state, origin.organization, origin.sensor, report)
    for trace in traces:
        if trace is not None and recent is not None and not recent.is_new(trace):
            state.duplicate_spans += 1
        else:
            learn_all(state, (trace,), settings)
    return state


def _identity_of(payload: bytes, traces: list[Trace | None]) -> bytes:
    """Return what a delivery and its repetition have in common and no other has: the ids of its exchanges."""
    identities = [trace.identity for trace in traces if trace is not None]
    return b"".join(identities) if all(len(each) == 24 for each in identities) else payload


class Learner:
    """Moves the catalog along the journal. Told the time; one thread uses it."""

    def __init__(
        self,
        reader: JournalReader,
        writer: CatalogWriter,
        mode: Mode = Mode.NORMAL,
        settings: LearnSettings = DEFAULT_SETTINGS,
        retention: Retention | None = None,
    ) -> None:
        self._retention = retention
        self._reader = reader
        self._writer = writer
        self._careful_records = 0 if mode is Mode.NORMAL else CAREFUL_RECORDS
        self._skip_one = mode is Mode.SKIP_ONE
        self._settings = settings._replace(known_names=writer.known_names)
        if settings.budget is not None:
            settings.budget.counted(writer.paths_of)
        self._recent = RecentDeliveries(writer.is_known)
        self._clock = ReceiptClock(writer.agreed_ns())
        self._scheduler = DecisionScheduler()
        self._delta = State()
        self._committed = writer.checkpoint()
        self._last_commit_s = self._last_prune_s = float("-inf")
        self._first_uncommitted_s = 0.0
        self._to_look = True
        self._look_s = float("-inf")
        self._unreadable = 0

    def step(self, now_s: float) -> bool:
        """Learn the next records; return False if there were none."""
        records = self._reader.read(1) if self._careful_records else self._reader.read()
        if records and self._delta.is_empty:
            self._first_uncommitted_s = now_s
        for record in records:
            if self._skip_one:
                self._skip_one = False
                _LOG.error("learner: a record of %d octets killed it; left out", len(record.payload))
                self._delta.unreadable_records += 1
            else:
                learn_record(self._delta, record, self._settings, self._recent, self._clock)
        return bool(records)

    def wait_s(self, now_s: float) -> float | None:
        """Return how long the commit may wait: 0 if it is due, None if there is nothing to do."""
        if self._reader.position == self._committed.position:
            due = self._scheduler.due_s(self._writer.pending)
            if due is None:
                return DOUBT_S if self._reader.in_doubt else None
            return max(0.0, due - now_s, self._last_commit_s + GATHER_S - now_s)
        if self._careful_records or len(self._delta.endpoints) > MAX_DELTA_ENDPOINTS:
            return 0.0
        due = max(self._first_uncommitted_s + GATHER_S, self._last_commit_s + COMMIT_INTERVAL_S)
        return max(0.0, due - now_s)

    def commit(self, now_s: float, *, decide_all: bool = False) -> Progress:
        """Write what was learned since the last commit, durably; decide on the hosts that are due, or all.

        Raises:
            LevoError: nothing was written, and nothing was forgotten.
        """
        began_s = time.monotonic()
        self._committed = self._writer.commit(
            self._delta,
            self._reader.position,
            decide=partial(self._scheduler.decide, now_s=float("inf") if decide_all else now_s),
            deliveries=self._recent.fresh,
            agreed_ns=self._clock.agreed_ns,
        )
        self._unreadable += self._delta.unreadable_records
        self._to_look = True
        self._delta = State()
        self._recent.committed()
        self._careful_records = max(0, self._careful_records - 1)
        self._last_commit_s = now_s
        return msgspec.structs.replace(self.progress(), commit_s=time.monotonic() - began_s)

    def prune_wait_s(self, now_s: float) -> float:
        """Return in how long what is kept no longer is to be deleted, whether traffic comes or not."""
        return max(0.0, self._last_prune_s + PRUNE_INTERVAL_S - now_s)

    def prune(self, now_s: float, now_ns: int) -> None:
        """Delete what is kept no longer; *now_ns* is the time of day.

        Raises:
            LevoError: not all of it was deleted; the disk or the file refuses.
        """
        self._last_prune_s = now_s
        self._writer.prune(now_ns, self._retention, is_right=self._clock.is_right(now_ns))
        if self._retention is not None and self._retention.catalog_bytes:
            gone = self._writer.keep_within(self._retention.catalog_bytes)
            if gone:
                went = ", ".join(f"{rows:,} {what}" for what, rows in gone.items())
                _LOG.warning("learner: the catalog is larger than catalog-max-bytes; given up: %s", went)
        self._committed = self._writer.checkpoint()

    def look_wait_s(self, now_s: float) -> float | None:
        """Return in how long some endpoints are to be looked at for sensitive data; None if none is known."""
        return max(0.0, self._look_s - now_s) if self._to_look else None

    def look(self, stopwatch: Callable[[], float] = time.monotonic) -> Progress | None:
        """Look at some endpoints for sensitive data; return None if there was none to look at.

        Raises:
            LevoError: nothing was written; the disk or the file refuses.
        """
        start_s = stopwatch()
        found = self._writer.look(LOOKED_AT_ONCE)
        end_s = stopwatch()
        share = IDLE_SHARE if self._reader.position == self._committed.position else BUSY_SHARE
        self._look_s = end_s + (end_s - start_s) * (1 / share - 1)
        self._to_look = found is not None
        if found is None:
            return None
        self._committed = found
        return self.progress()

    def listen(self) -> None:
        """Notice what people have said about paths.

        Raises:
            LevoError: what they say cannot be read.
        """
        self._writer.listen()
        self._scheduler.listen()

    def progress(self) -> Progress:
        """Return where the last commit got to."""
        damage = self._reader.statistics()
        position = self._committed.position
        return Progress(
            position.segment,
            position.offset,
            self._committed.revision,
            damage.torn_bytes,
            damage.damaged_total,
            self._unreadable,
        )


@contextmanager
def only_learner(data_dir: Path) -> Iterator[None]:
    """Wait until no other learner works on *data_dir*: a killed Satellite's may be in its last commit."""
    descriptor = os.open(data_dir / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class Bounds(msgspec.Struct, frozen=True):
    """How much the learner keeps, and what of it as text; the main process says so."""

    limits: Limits = Limits()
    retention: Retention = Retention()
    memory_octets: int = 256 << 20
    """About how much the paths of hosts may take in memory."""
    names: NameRule = NameRule()
    """What proves that a name is one."""


def run(data_dir: Path, mode: Mode, bounds: Bounds, commands: int, answers: int) -> None:
    """Work until told to end, reading from and writing to the file descriptors given."""
    settings = load_settings(data_dir)._replace(names=bounds.names)
    with (
        only_learner(data_dir),
        CatalogWriter(
            data_dir / DATABASE_NAME,
            key=settings.caller_key,
            names=settings.names,
            limits=bounds.limits,
            memory_octets=bounds.memory_octets,
        ) as writer,
    ):
        reader = JournalReader(data_dir / JOURNAL_NAME, writer.checkpoint().position)
        before = writer.decide_again()
        if before:
            _LOG.info(
                "learner: deciding again on the templates of %d hosts, which were decided by rules of %s",
                len(writer.pending),
                before,
            )
        learner = Learner(reader, writer, mode, settings, bounds.retention)
        learner.listen()
        _tell(answers, learner.progress())
        draining = False
        while True:
            progressed = learner.step(time.monotonic())
            wait = learner.wait_s(time.monotonic())
            if wait is not None and (wait == 0.0 or (draining and not progressed)):
                _tell(answers, learner.commit(time.monotonic(), decide_all=draining))
                wait = learner.wait_s(time.monotonic())
            if draining and not progressed:
                return
            if learner.prune_wait_s(time.monotonic()) == 0.0 and not draining:
                learner.prune(time.monotonic(), time.time_ns())
                _tell(answers, learner.progress())
            pause = learner.prune_wait_s(time.monotonic())
            wait = pause if wait is None else min(wait, pause)
            look = learner.look_wait_s(time.monotonic())
            if look == 0.0 and not draining:
                seen = learner.look()
                if seen is not None:
                    _tell(answers, seen)
                look = learner.look_wait_s(time.monotonic())
            if look is not None:
                wait = min(wait, look)
            if select.select([commands], [], [], 0.0 if progressed or draining else wait)[0]:
                said = os.read(commands, 4096)
                if not said:
                    return
                draining = draining or b"d" in said
                if b"p" in said:
                    learner.listen()


def load_settings(data_dir: Path) -> LearnSettings:
    """Return how to learn here: the user's rules (``detectors.yaml``) and the key of this installation.

    Raises:
        LevoError: a rule cannot be used, or the key cannot be read or made.
    """
    rules = data_dir / RULES_NAME
    detectors = Detectors(load_rules(rules) if rules.exists() else ())
    path = data_dir / KEY_NAME
    try:
        return LearnSettings(detectors, make_key(path), BodyBudget())
    except OSError as error:
        raise LevoError(f"{path}: {error.strerror}") from error


def _tell(answers: int, progress: Progress) -> None:
    os.write(answers, msgspec.json.encode(progress) + b"\n")


def main() -> int:
    """Entry point of the process: the arguments are the data directory, the mode and ``Bounds`` as JSON."""
    import signal

    # Receiving and pages go first on a busy machine: what waits to be learned is safe on disk. A service's
    # filter of system calls may forbid it.
    with suppress(OSError):
        os.nice(_NICE)
    # The terminal's signals reach the whole process group; the main process decides when this one ends.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, format="levo satellite: %(message)s")
    _LOG.addFilter(RateLimited())
    try:
        run(Path(sys.argv[1]), Mode(sys.argv[2]), msgspec.json.decode(sys.argv[3], type=Bounds), 0, 1)
    except BrokenPipeError:
        return 0
    except LevoError as error:
        _LOG.error("%s", error)
        return error.exit_status
    except Exception as error:
        # A damaged catalog shows as it likes; a traceback would hold what was captured.
        _LOG.error("learner: %s", fault_of(error) or f"failed: {described(error)}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
