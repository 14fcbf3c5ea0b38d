"""The last steps of an output: sending to the destination, within what is left of time, and trying again."""

from __future__ import annotations

import random
import time

from levo.sensor.export.batch import EncodedRequest
from levo.sensor.export.closing import Closing
from levo.sensor.export.counters import OutputCounters
from levo.sensor.export.destination import Destination, Receipt
from levo.sensor.export.failure import (
    ExhaustedError,
    ExportError,
    HandshakeError,
    PermanentExportError,
    RetryableExportError,
)
from levo.sensor.export.queue import Taken
from levo.sensor.export.retry import Backoff, RetryPolicy


class Sender:
    """One attempt at a time; an unexpected fault costs its request, not the thread."""

    def __init__(
        self, destination: Destination, name: str, closing: Closing, counters: OutputCounters
    ) -> None:
        self._destination = destination
        self._name = name
        self._closing = closing
        self._counters = counters

    def send(self, request: EncodedRequest) -> Receipt:
        """Raises ExportError."""
        left = self._closing.left_s
        if left is not None and left <= 0:
            raise RetryableExportError(self._counters.cut_short())
        try:
            return self._destination.send(request, left)
        except ExportError:
            raise
        except Exception as exc:
            raise PermanentExportError(f"{self._name}: {type(exc).__name__}") from None

    def send_metrics(self, encoded: bytes) -> None:
        """Send once and count it."""
        left = self._closing.left_s
        try:
            if left is not None and left <= 0:
                raise PermanentExportError("closed before the metrics were delivered")
            self._destination.send_metrics(encoded, left)
        except ExportError as exc:
            self._counters.count_metrics(str(exc), failed=True)
        except Exception as exc:
            self._counters.count_metrics(f"{self._name}: {type(exc).__name__}", failed=True)
        else:
            self._counters.count_metrics()


class LatestMetrics:
    """The message of metrics that waits: one, for a newer one holds newer values of the same counters."""

    def __init__(self, closing: Closing, counters: OutputCounters) -> None:
        self._closing = closing
        self._counters = counters
        self._waiting: bytes | None = None
        self._sending = False

    def submit(self, encoded: bytes) -> None:
        with self._closing.changed:
            if self._closing.begun or self._waiting is not None:
                self._counters.count_metrics(failed=True)
            if not self._closing.begun:
                self._waiting = encoded
                self._closing.changed.notify_all()

    @property
    def waiting(self) -> bool:
        return self._waiting is not None

    @property
    def pending(self) -> bool:
        """Waiting or being sent."""
        return self.waiting or self._sending

    def send_with(self, sender: Sender) -> None:
        """Send what waits, if anything does."""
        with self._closing.changed:
            encoded, self._waiting = self._waiting, None
            self._sending = encoded is not None
        if encoded is None:
            return
        sender.send_metrics(encoded)
        with self._closing.changed:
            self._sending = False
            self._closing.changed.notify_all()

    def drop(self) -> None:
        with self._closing.changed:
            if self._waiting is not None:
                self._waiting = None
                self._counters.count_metrics(failed=True)


class Retry:
    """Sends what was taken from a queue until its end is known, or puts it back and waits.

    What is in memory is tried within the policy's time, then given up. What is on disk is put back after a
    failure that may pass, for the oldest may be another by then, and waits for as long as it takes; only a
    receiver that is exhausted has the policy's time: no record blocks for ever.
    """

    def __init__(
        self,
        sender: Sender,
        policy: RetryPolicy,
        rng: random.Random,
        closing: Closing,
        counters: OutputCounters,
    ) -> None:
        self._sender = sender
        self._policy = policy
        self._rng = rng
        self._closing = closing
        self._counters = counters
        self._disk_backoff = Backoff(policy, rng)
        self._exhausted_since: float | None = None  # monotonic
        self.waiting = False
        """Between two attempts."""

    def deliver(self, taken: Taken) -> None:
        """Send *taken*; its queue and the counters are told what became of it."""
        traces, on_disk = taken.request.traces, taken.on_disk
        backoff = self._disk_backoff if on_disk else Backoff(self._policy, self._rng)
        started = time.monotonic()
        while True:
            try:
                receipt = self._sender.send(taken.request)
            except ExportError as exc:
                delay_s = self._delay_s(exc, backoff, started, on_disk)
                if delay_s is not None and taken.put_back is not None:
                    taken.put_back()
                    self._pause(delay_s, str(exc))
                    return
                if delay_s is not None and self._pause(delay_s, str(exc)):
                    continue
                taken.settle()
                rejected = isinstance(exc, PermanentExportError) and exc.organization_rejected
                self._counters.give_up(traces, str(exc), on_disk=on_disk, organization_rejected=rejected)
            else:
                taken.settle()
                self._counters.deliver(traces, receipt, on_disk=on_disk)
            if on_disk:
                self._disk_backoff.reset()
                self._exhausted_since = None
            return

    def _delay_s(self, error: ExportError, backoff: Backoff, started: float, on_disk: bool) -> float | None:
        """How long to wait before another attempt; None when there is to be none."""
        now = time.monotonic()
        if isinstance(error, RetryableExportError):
            delay_s = backoff.delay_s(error.retry_after_s)
            if on_disk:
                self._exhausted_since = None
                return delay_s
            worth_it = self._policy.waits_for_repair or not isinstance(error, HandshakeError)
            return delay_s if worth_it and now - started + delay_s <= self._policy.total_s else None
        if on_disk and isinstance(error, ExhaustedError):
            if self._exhausted_since is None:
                self._exhausted_since = now
            if now - self._exhausted_since < self._policy.total_s:
                return backoff.delay_s()
        return None

    def _pause(self, delay_s: float, error: str) -> bool:
        """Wait before the next attempt; False when ``close`` leaves no time for one."""
        with self._closing.changed:
            self._counters.retry(error)
            self.waiting = True
            in_time = self._closing.pause(delay_s)
            self.waiting = False
            return in_time
