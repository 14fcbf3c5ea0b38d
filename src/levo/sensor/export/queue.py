"""Where an output's requests wait: in memory, or on disk as well. Both look the same to who sends.

A queue is given batches and gives encoded requests, one at a time, oldest first. ``MemoryQueue`` encodes when
it is asked for a request, so that an outage holds batches, not requests. ``SpoolQueue`` is a ``MemoryQueue``
that a thread of its own empties onto disk at once; what a killed process loses is what that thread had not
reached.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from levo.sensor.export.batch import EncodedRequest, ExportBatch
from levo.sensor.export.closing import Closing
from levo.sensor.export.compression import compress
from levo.sensor.export.counters import OutputCounters
from levo.sensor.export.failure import ExportError, SpoolError
from levo.sensor.export.spool import Lease, Spool

Encode = Callable[[ExportBatch], Iterator[EncodedRequest]]


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """Bounds of what one output holds in memory, what is being sent included."""

    bytes: int = 32 * 1024 * 1024
    """By ``nbytes`` of the batches. A single larger batch is taken when nothing else is held."""
    traces: int = 200_000


def _nothing() -> None:
    """What is in memory has left its queue when it is taken."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A request on its way to the destination."""

    request: EncodedRequest
    settle: Callable[[], None] = _nothing
    """Say that it was delivered, or never will be."""
    put_back: Callable[[], None] | None = None
    """Make it the oldest again (or lost, if the bound has dropped it since); None for what is in memory."""

    @property
    def on_disk(self) -> bool:
        return self.put_back is not None


class Queue(Protocol):
    """``submit`` is for any thread and never waits; the rest is for the one that sends, except as told."""

    def submit(self, batch: ExportBatch) -> bool:
        """Take *batch* for delivery. False when it was refused and counted."""

    def ready(self) -> bool:
        """Whether there is something to take. Asked under the condition; never waits for the disk."""

    def ended(self) -> bool:
        """Whether nothing more will come, or too late. Asked as ``ready``, when that is False."""

    def take(self) -> Taken | None:
        """The oldest request; None when there is none after all."""

    def loops(self) -> tuple[Callable[[], None], ...]:
        """What further threads have to run until it returns."""

    def clear(self) -> None:
        """Forget what is in memory. Called by ``close``, under the condition."""

    def close(self) -> None:
        """Release the files. Called by ``close``."""

    @property
    def bytes_on_disk(self) -> int:
        """Never waits for the disk."""


@dataclass(slots=True)
class _Opened:
    """The batch whose requests are being taken."""

    requests: Iterator[EncodedRequest]
    left: int
    size: int


class MemoryQueue:
    """Batches within bounds, encoded by the thread that takes their requests."""

    def __init__(
        self, encode: Encode, limits: QueueLimits, closing: Closing, counters: OutputCounters
    ) -> None:
        self._encode = encode
        self._limits = limits
        self._closing = closing
        self._counters = counters
        self._batches: deque[ExportBatch] = deque()
        self._opened: _Opened | None = None

    def submit(self, batch: ExportBatch) -> bool:
        counters, limits = self._counters, self._limits
        traces, size = len(batch), batch.nbytes
        with self._closing.changed:
            if self._closing.begun:
                counters.refuse_closed(traces)
                return False
            over = counters.held_bytes + size > limits.bytes or counters.held + traces > limits.traces
            if over and (self._batches or counters.held):
                counters.refuse_full(traces)
                return False
            if traces:
                counters.hold(traces, size)
                self._batches.append(batch)
            return True

    def ready(self) -> bool:
        return self._opened is not None or bool(self._batches)

    def ended(self) -> bool:
        return self._closing.begun

    def take(self) -> Taken | None:
        """Whatever happens in an encoder, each trace is counted once."""
        while True:
            if self._opened is None and not self._open():
                return None
            opened = self._opened
            assert opened is not None
            error: str | None = None
            try:
                request = next(opened.requests, None)
            except Exception as exc:  # a fault of an encoder costs its batch, not the thread
                request, error = None, f"cannot encode a batch: {type(exc).__name__}"
            if request is not None:
                opened.left -= request.traces
                return Taken(request)
            self._opened = None
            self._counters.drop_batch(opened.left, opened.size, error)

    def _open(self) -> bool:
        with self._closing.changed:
            if not self._batches:
                return False
            batch = self._batches.popleft()
            self._opened = _Opened(self._requests(batch), len(batch), batch.nbytes)
        return True

    def _requests(self, batch: ExportBatch) -> Iterator[EncodedRequest]:
        yield from self._encode(batch)

    def loops(self) -> tuple[Callable[[], None], ...]:
        return ()

    def clear(self) -> None:
        self._batches.clear()

    def close(self) -> None:
        """Nothing to release."""

    @property
    def bytes_on_disk(self) -> int:
        return 0


class SpoolQueue:
    """Requests on disk. What the disk refuses is taken from memory, one request at a time."""

    def __init__(
        self, spool: Spool, encode: Encode, limits: QueueLimits, closing: Closing, counters: OutputCounters
    ) -> None:
        self._spool = spool
        self._closing = closing
        self._counters = counters
        self._front = MemoryQueue(lambda batch: map(_gzipped, encode(batch)), limits, closing, counters)
        self._refused: deque[EncodedRequest] = deque()  # at most one
        self._written = False  # the writing thread has ended
        found = spool.statistics()
        counters.recover(found.recovered_traces, found.torn_records)
        self._count_losses()

    def submit(self, batch: ExportBatch) -> bool:
        return self._front.submit(batch)

    def ready(self) -> bool:
        # Once it is too late to send, the writing thread still brings what it has to safety.
        return bool(self._refused) or (not self._closing.late and self._spool.has_waiting())

    def ended(self) -> bool:
        return self._closing.begun and self._written

    def take(self) -> Taken | None:
        with self._closing.changed:
            if self._refused:
                refused = Taken(self._refused.popleft())
                self._closing.changed.notify_all()
                return refused
        lease = self._spool.lease()
        self._count_losses()
        if lease is None:
            return None
        return Taken(lease.request, partial(self._spool.settle, lease), partial(self._put_back, lease))

    def _put_back(self, lease: Lease) -> None:
        self._spool.release(lease)
        self._count_losses()

    def loops(self) -> tuple[Callable[[], None], ...]:
        return (self._write_all,)

    def clear(self) -> None:
        self._front.clear()
        self._refused.clear()

    def close(self) -> None:
        self._spool.close()

    @property
    def bytes_on_disk(self) -> int:
        return self._spool.bytes_on_disk

    # The thread that writes.

    def _write_all(self) -> None:
        while self._closing.wait_for(self._front.ready, self._front.ended):
            taken = self._front.take()
            if taken is not None:
                self._write(taken.request)
                continue
            try:
                self._spool.sync()
            except SpoolError as exc:
                self._counters.note_error(str(exc))
        with self._closing.changed:
            self._written = True
            self._closing.changed.notify_all()

    def _write(self, request: EncodedRequest) -> None:
        counters, closing = self._counters, self._closing
        # Counted before it is done, so that the sender cannot settle what is not yet counted.
        if not counters.move_to_disk(request.traces):
            return
        try:
            self._spool.append(request)
        except Exception as exc:  # a fault of the spool costs safety, not the thread
            error = str(exc) if isinstance(exc, ExportError) else f"cannot spool: {type(exc).__name__}"
            with closing.changed:
                counters.move_to_memory(request.traces, error)
                closing.changed.wait_for(lambda: not self._refused or closing.abandoned)
                if not closing.abandoned:
                    self._refused.append(request)
        self._count_losses()

    def _count_losses(self) -> None:
        """Count what the spool dropped, and wake whoever waits for its state."""
        losses = self._spool.take_losses()
        self._counters.lose_on_disk(losses.evicted_traces, losses.damaged_traces)


def _gzipped(request: EncodedRequest) -> EncodedRequest:
    return (
        request if request.gzipped else EncodedRequest(request.traces, compress(request.body), gzipped=True)
    )
