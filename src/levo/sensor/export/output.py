"""One output: a bounded queue and the threads that empty it into a destination.

Without a spool one thread encodes and sends. With one, a writer thread encodes and appends to the spool at
once, and a sender thread delivers from it, oldest first; what a killed process loses is what the writer had
not reached.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from levo.sensor.export.batch import EncodedRequest, ExportBatch
from levo.sensor.export.compression import compress
from levo.sensor.export.destination import Destination, Receipt
from levo.sensor.export.failure import (
    ExhaustedError,
    ExportError,
    HandshakeError,
    PermanentExportError,
    RetryableExportError,
    SpoolError,
)
from levo.sensor.export.retry import Backoff, RetryPolicy
from levo.sensor.export.spool import Lease, Spool
from levo.sensor.export.statistics import OutputStatistics

_JOIN_GRACE_S = 0.5
_CUT_SHORT = "closed before everything was delivered"
_Handler = Callable[[EncodedRequest], None]


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """Bounds of what one output holds in memory, what is being sent included."""

    bytes: int = 32 * 1024 * 1024
    """By ``nbytes`` of the batches. A single larger batch is taken when nothing else is held."""
    traces: int = 200_000


class Output:
    """Delivers batches to one destination from its own threads, which start here and end in ``close``.

    ``submit``, ``submit_metrics`` and ``statistics`` never wait for the destination and may be called by any
    thread. The output owns *destination* and *spool* and closes both.
    """

    def __init__(
        self,
        destination: Destination,
        *,
        name: str,
        resource: bytes = b"",
        limits: QueueLimits | None = None,
        retry: RetryPolicy | None = None,
        spool: Spool | None = None,
        rng: random.Random | None = None,
    ) -> None:
        """*resource* is the encoded ``Resource`` message that requests carry; *rng* draws the jitter."""
        self._destination = destination
        self._name = name
        self._resource = resource
        self._limits = limits or QueueLimits()
        self._retry = retry or RetryPolicy()
        self._spool = spool
        self._rng = rng or random.Random()
        # One condition guards all that follows. It is never held across I/O, nor while waiting for the
        # spool's lock, which is held across I/O: ``submit`` and ``statistics`` must not wait for a slow disk.
        self._changed = threading.Condition()
        self._queue: deque[ExportBatch] = deque()
        self._bypass: deque[EncodedRequest] = deque()  # requests the spool refused, at most one
        self._metrics: bytes | None = None
        self._sending_metrics = False
        self._stop_at: float | None = None  # monotonic; set once, by close
        self._abandoned = False
        self._writer_done = False
        self._backing_off = False
        self._exhausted_since: float | None = None  # monotonic; the sender's own
        self._received = self._exported = self._queue_full = self._failed = self._rejected = 0
        self._held = self._held_bytes = 0
        self._spooled = self._recovered = 0
        self._evicted = self._damaged = self._torn = 0
        self._requests = self._retries = self._bytes_sent = 0
        self._metrics_sent = self._metrics_failed = 0
        self._last_success_ns: int | None = None
        self._last_error: str | None = None
        self._last_error_ns: int | None = None
        self._last_loss: str | None = None
        self._organization_rejected = False
        if spool is None:
            loops = [self._run_direct]
        else:
            found = spool.statistics()
            self._recovered = found.recovered_traces
            self._spooled = self._recovered
            self._torn = found.torn_records
            self._collect_losses()
            loops = [self._run_writer, self._run_sender]
        self._threads = [
            threading.Thread(
                target=loop, name=f"levo-{name}{'-write' if loop == self._run_writer else ''}", daemon=True
            )
            for loop in loops
        ]
        for thread in self._threads:
            thread.start()

    @property
    def consumes(self) -> bool:
        """Whether it changes what it is given: its destination releases what it has read of a batch."""
        return self._destination.consumes

    def submit(self, batch: ExportBatch) -> bool:
        """Take *batch*, unchanged and shared, for delivery. False when it was refused and counted."""
        traces, size = len(batch), batch.nbytes
        with self._changed:
            self._received += traces
            if self._stop_at is not None:
                self._failed += traces
                return False
            over = self._held_bytes + size > self._limits.bytes or self._held + traces > self._limits.traces
            if over and (self._queue or self._held):
                self._queue_full += traces
                return False
            if traces:
                self._held += traces
                self._held_bytes += size
                self._queue.append(batch)
                self._changed.notify_all()
            return True

    def submit_metrics(self, encoded: bytes) -> None:
        """Send an encoded ``ExportMetricsServiceRequest`` soon, once; a newer one replaces it."""
        with self._changed:
            if self._stop_at is not None or self._metrics is not None:
                self._metrics_failed += 1
            if self._stop_at is None:
                self._metrics = encoded
                self._changed.notify_all()

    def flush(self, deadline_s: float) -> bool:
        """Wait until all that was submitted has left, at most *deadline_s* seconds.

        With a spool, waits for the disk, and for the destination only while it answers. True when nothing is
        left in memory.
        """
        with self._changed:
            self._changed.wait_for(self._is_flushed, timeout=max(0.0, deadline_s))
            return self._held == 0

    def close(self, deadline_s: float = 5.0) -> None:
        """Deliver what is left for at most *deadline_s* seconds, then stop. Legal twice.

        What cannot be delivered by then is counted as failed, or stays in the spool.
        """
        with self._changed:
            first = self._stop_at is None
            if first:
                self._stop_at = time.monotonic() + max(0.0, deadline_s)
            self._changed.notify_all()
        if not first:
            return
        for thread in self._threads:
            thread.join(max(0.0, self._stop_at - time.monotonic()) + _JOIN_GRACE_S)  # type: ignore[operator]
        stuck = any(thread.is_alive() for thread in self._threads)
        if stuck:
            self._destination.abandon()
            for thread in self._threads:
                thread.join(_JOIN_GRACE_S)
            stuck = any(thread.is_alive() for thread in self._threads)
        with self._changed:
            self._abandoned = True
            if self._metrics is not None:
                self._metrics = None
                self._metrics_failed += 1
            if self._held:
                self._failed += self._held
                self._held = 0
                self._note_loss(self._cut_short())
            self._held_bytes = 0
            self._queue.clear()
            self._bypass.clear()
            self._changed.notify_all()
        if not stuck:
            try:
                self._destination.close()
            except ExportError as exc:
                with self._changed:
                    self._note_error(str(exc))
        if self._spool is not None:
            self._spool.close()

    def statistics(self) -> OutputStatistics:
        spool_bytes = 0 if self._spool is None else self._spool.bytes_on_disk
        with self._changed:
            return OutputStatistics(
                name=self._name,
                received=self._received,
                recovered=self._recovered,
                exported=self._exported,
                queue_full=self._queue_full,
                failed=self._failed,
                rejected=self._rejected,
                spooled=self._spooled,
                held=self._held,
                spool_evicted=self._evicted,
                spool_damaged=self._damaged,
                spool_torn_records=self._torn,
                held_bytes=self._held_bytes,
                spool_bytes=spool_bytes,
                requests=self._requests,
                retries=self._retries,
                bytes_sent=self._bytes_sent,
                metrics_sent=self._metrics_sent,
                metrics_failed=self._metrics_failed,
                last_success_ns=self._last_success_ns,
                last_error=self._last_error,
                last_error_ns=self._last_error_ns,
                last_loss=self._last_loss,
                organization_rejected=self._organization_rejected,
            )

    # The thread of an output without a spool.

    def _run_direct(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._queue or self._metrics is not None or self._stop_at is not None
                )
                batch = self._queue.popleft() if self._queue else None
            self._send_metrics()
            if batch is not None:
                self._each_request(batch, self._deliver)
            elif self._stop_at is not None:
                return

    def _each_request(self, batch: ExportBatch, handle: _Handler) -> None:
        """Encode *batch* and hand its requests on; whatever happens, each trace is counted once."""
        size, left = batch.nbytes, len(batch)
        try:
            for request in self._destination.encode(batch, self._resource):
                left -= request.traces
                handle(request)
        except Exception as exc:  # a fault of an encoder costs its batch, not the thread
            with self._changed:
                self._note_loss(f"cannot encode a batch: {type(exc).__name__}")
        with self._changed:
            if left and not self._abandoned:
                self._held -= left
                self._failed += left
            if not self._abandoned:
                self._held_bytes -= size
            self._changed.notify_all()

    def _deliver(self, request: EncodedRequest) -> None:
        """Send from memory: retry within the policy, then give up. Counts the request's traces."""
        backoff = Backoff(self._retry, self._rng)
        started = time.monotonic()
        while True:
            try:
                receipt = self._attempt(request)
            except RetryableExportError as exc:
                delay = backoff.delay_s(exc.retry_after_s)
                in_time = time.monotonic() - started + delay <= self._retry.total_s
                worth_it = self._retry.waits_for_repair or not isinstance(exc, HandshakeError)
                if in_time and worth_it and self._pause(delay, str(exc)):
                    continue
                self._settle_held(request.traces, None, str(exc))
            except PermanentExportError as exc:
                self._settle_held(request.traces, None, str(exc), exc.organization_rejected)
            else:
                self._settle_held(request.traces, receipt)
            return

    # The two threads of an output with a spool.

    def _run_writer(self) -> None:
        assert self._spool is not None
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._stop_at is not None)
                batch = self._queue.popleft() if self._queue else None
            if batch is not None:
                self._each_request(batch, self._write)
                with self._changed:
                    caught_up = not self._queue
                if caught_up:
                    try:
                        self._spool.sync()
                    except SpoolError as exc:
                        with self._changed:
                            self._note_error(str(exc))
            elif self._stop_at is not None:
                with self._changed:
                    self._writer_done = True
                    self._changed.notify_all()
                return

    def _write(self, request: EncodedRequest) -> None:
        """Move a request from memory to disk, or, when the disk refuses, hand it to the sender directly."""
        assert self._spool is not None
        if not request.gzipped:
            body = compress(request.body)
            request = EncodedRequest(request.traces, body, gzipped=True)
        with self._changed:
            if self._abandoned:
                return
            # Counted before it is done, so that the sender cannot settle what is not yet counted.
            self._held -= request.traces
            self._spooled += request.traces
        try:
            self._spool.append(request)
        except SpoolError as exc:
            with self._changed:
                self._spooled -= request.traces
                if self._abandoned:
                    self._failed += request.traces
                    return
                self._held += request.traces
                self._note_error(str(exc))
                self._changed.wait_for(lambda: not self._bypass or self._abandoned)
                if not self._abandoned:
                    self._bypass.append(request)
        self._collect_losses()

    def _run_sender(self) -> None:
        assert self._spool is not None
        backoff = Backoff(self._retry, self._rng)
        while self._wait_for_sending():
            with self._changed:
                bypassed = self._bypass.popleft() if self._bypass else None
                self._changed.notify_all()
            if bypassed is not None:
                self._deliver(bypassed)
                continue
            self._send_metrics()
            lease = self._spool.lease()
            self._collect_losses()
            if lease is not None:
                self._deliver_lease(lease, backoff)

    def _wait_for_sending(self) -> bool:
        """Wait until the sender has something to do; False when it never will again."""
        assert self._spool is not None
        with self._changed:
            while True:
                left = None if self._stop_at is None else self._stop_at - time.monotonic()
                if self._abandoned:
                    return False
                if self._bypass:
                    return True
                if left is not None and left <= 0:
                    if self._writer_done:
                        return False
                    left = None  # too late to send; the writer still brings what it has to safety
                elif self._metrics is not None or self._spool.has_waiting():
                    return True
                elif left is not None and self._writer_done:
                    return False
                self._changed.wait(left)

    def _deliver_lease(self, lease: Lease, backoff: Backoff) -> None:
        """One attempt; a failure that may pass leaves the record where it was and waits."""
        assert self._spool is not None
        receipt: Receipt | None = None
        error: str | None = None
        rejected = False
        try:
            receipt = self._attempt(lease.request)
        except RetryableExportError as exc:
            self._exhausted_since = None
            self._put_back(lease, backoff.delay_s(exc.retry_after_s), str(exc))
            return
        except PermanentExportError as exc:
            if isinstance(exc, ExhaustedError) and self._may_wait_for_room():
                self._put_back(lease, backoff.delay_s(), str(exc))
                return
            error, rejected = str(exc), exc.organization_rejected
        backoff.reset()
        self._exhausted_since = None
        self._spool.settle(lease)
        with self._changed:
            if not self._abandoned:
                self._spooled -= lease.request.traces
                self._count(lease.request.traces, receipt, error, rejected)
                self._changed.notify_all()

    def _put_back(self, lease: Lease, delay_s: float, error: str) -> None:
        assert self._spool is not None
        self._spool.release(lease)
        self._collect_losses()
        self._pause(delay_s, error)

    def _may_wait_for_room(self) -> bool:
        """Whether the receiver is exhausted for less than the policy's time: no record blocks for ever."""
        now = time.monotonic()
        if self._exhausted_since is None:
            self._exhausted_since = now
        return now - self._exhausted_since < self._retry.total_s

    # Shared by the threads.

    def _attempt(self, request: EncodedRequest) -> Receipt:
        """One send, within what ``close`` leaves of time; an unexpected fault is a permanent error."""
        remaining: float | None = None
        if self._stop_at is not None:
            remaining = self._stop_at - time.monotonic()
            if remaining <= 0:
                with self._changed:
                    raise RetryableExportError(self._cut_short())
        try:
            return self._destination.send(request, remaining)
        except ExportError:
            raise
        except Exception as exc:  # a fault of a destination costs its request, not the thread
            raise PermanentExportError(f"{self._name}: {type(exc).__name__}") from None

    def _pause(self, delay_s: float, error: str) -> bool:
        """Wait before the next attempt; False when ``close`` leaves no time for one."""
        until = time.monotonic() + delay_s
        with self._changed:
            self._retries += 1
            self._organization_rejected = False
            self._note_error(error)
            self._backing_off = True
            self._changed.notify_all()
            while True:
                now = time.monotonic()
                end = until if self._stop_at is None else min(until, self._stop_at)
                if now >= end or self._abandoned:
                    break
                self._changed.wait(end - now)
            self._backing_off = False
            return not self._abandoned and (self._stop_at is None or time.monotonic() < self._stop_at)

    def _send_metrics(self) -> None:
        with self._changed:
            encoded, self._metrics = self._metrics, None
            remaining = None if self._stop_at is None else self._stop_at - time.monotonic()
            self._sending_metrics = encoded is not None
        if encoded is None:
            return
        try:
            if remaining is not None and remaining <= 0:
                raise PermanentExportError("closed before the metrics were delivered")
            self._destination.send_metrics(encoded, remaining)
        except Exception as exc:  # as for traces
            text = str(exc) if isinstance(exc, ExportError) else f"{self._name}: {type(exc).__name__}"
            with self._changed:
                self._metrics_failed += 1
                self._note_error(text)
        else:
            with self._changed:
                self._metrics_sent += 1
        with self._changed:
            self._sending_metrics = False
            self._changed.notify_all()

    def _settle_held(
        self,
        traces: int,
        receipt: Receipt | None,
        error: str | None = None,
        organization_rejected: bool = False,
    ) -> None:
        with self._changed:
            if self._abandoned:
                return
            self._held -= traces
            self._count(traces, receipt, error, organization_rejected)
            self._changed.notify_all()

    def _count(
        self, traces: int, receipt: Receipt | None, error: str | None, organization_rejected: bool
    ) -> None:
        """The fate of *traces* that were sent once: a receipt, or none and they failed."""
        if receipt is None:
            self._failed += traces
            self._organization_rejected = organization_rejected
            self._note_loss(error or "failed")
            return
        rejected = min(max(receipt.rejected, 0), traces)
        self._rejected += rejected
        self._exported += traces - rejected
        self._requests += 1
        self._bytes_sent += receipt.bytes_sent
        self._last_success_ns = time.time_ns()
        self._organization_rejected = False
        if rejected:
            self._note_loss(f"the receiver rejected {rejected} of {traces} traces")

    def _collect_losses(self) -> None:
        """Count what the spool dropped, and wake whoever waits for its state."""
        assert self._spool is not None
        losses = self._spool.take_losses()
        with self._changed:
            self._spooled -= losses.evicted_traces + losses.damaged_traces
            self._evicted += losses.evicted_traces
            self._damaged += losses.damaged_traces
            self._changed.notify_all()

    def _is_flushed(self) -> bool:
        if self._abandoned:
            return True
        if self._held or self._metrics is not None or self._sending_metrics:
            return False
        return self._spooled == 0 or self._backing_off

    def _cut_short(self) -> str:
        """Why what is left was not delivered: the trouble that lasted until the end, where there was one."""
        trouble, since, success = self._last_error, self._last_error_ns or 0, self._last_success_ns or 0
        if trouble is None or since < success or trouble.endswith(_CUT_SHORT):
            return _CUT_SHORT
        return f"{trouble}; {_CUT_SHORT}"

    def _note_loss(self, text: str) -> None:
        self._last_loss = text
        self._note_error(text)

    def _note_error(self, text: str) -> None:
        self._last_error = text
        self._last_error_ns = time.time_ns()
