"""What became of an output's traces."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from levo.sensor.export.closing import Closing
from levo.sensor.export.destination import Receipt
from levo.sensor.export.statistics import OutputStatistics

_MOST_MARKS = 1024
"""Batches whose age is known apart; in an outage that lasts, two neighbors become one."""
_CUT_SHORT = "closed before everything was delivered"


class Waiting:
    """Since when what waits has waited, as if the oldest left first, in few marks of some traces each."""

    def __init__(self, steady: Callable[[], int] = time.monotonic_ns) -> None:
        self._steady = steady
        self._marks: deque[tuple[int, int]] = deque()  # (when the first of them came, how many)
        self._apart_ns = 0  # what comes sooner after a mark belongs to it

    def add(self, traces: int) -> None:
        now_ns = self._steady()
        if not self._marks:
            self._apart_ns = 0
        elif now_ns - self._marks[-1][0] < self._apart_ns:
            since_ns, count = self._marks.pop()
            self._marks.append((since_ns, count + traces))
            return
        if len(self._marks) == _MOST_MARKS:
            self._apart_ns = 2 * max(self._apart_ns, (now_ns - self._marks[0][0]) // _MOST_MARKS)
            pairs = list(self._marks)
            self._marks = deque(
                (first[0], first[1] + second[1])
                for first, second in zip(pairs[::2], pairs[1::2], strict=True)
            )
        if traces:
            self._marks.append((now_ns, traces))

    def leave(self, traces: int) -> None:
        while traces > 0 and self._marks:
            since_ns, count = self._marks.popleft()
            if count > traces:
                self._marks.appendleft((since_ns, count - traces))
            traces -= count

    @property
    def oldest_age_s(self) -> float:
        return (self._steady() - self._marks[0][0]) / 1e9 if self._marks else 0.0


class OutputCounters:
    """Each method moves traces from one state to another in one step, so that every snapshot balances.

    Once the output is abandoned, what was in memory has failed, and what threads still learn is not counted.
    """

    def __init__(self, name: str, closing: Closing) -> None:
        self._closing = closing
        self._changed = closing.changed
        self._name = name
        self.held = self.held_bytes = self.spooled = 0
        self._waiting = Waiting()
        self._received = self._recovered = self._exported = 0
        self._queue_full = self._failed = self._rejected = 0
        self._evicted = self._damaged = self._torn = 0
        self._requests = self._retries = self._bytes_sent = 0
        self._metrics_sent = self._metrics_failed = 0
        self._last_success_ns: int | None = None
        self._last_error: str | None = None
        self._last_error_ns: int | None = None
        self._last_loss: str | None = None
        self._organization_rejected = False

    def snapshot(self, spool_bytes: int) -> OutputStatistics:
        with self._changed:
            return OutputStatistics(
                name=self._name,
                received=self._received,
                recovered=self._recovered,
                exported=self._exported,
                queue_full=self._queue_full,
                failed=self._failed,
                rejected=self._rejected,
                spooled=self.spooled,
                held=self.held,
                spool_evicted=self._evicted,
                spool_damaged=self._damaged,
                spool_torn_records=self._torn,
                held_bytes=self.held_bytes,
                spool_bytes=spool_bytes,
                oldest_age_s=self._waiting.oldest_age_s if self.held or self.spooled else 0.0,
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

    # Into the output.

    def hold(self, traces: int, size: int) -> None:
        """A batch was taken into memory."""
        with self._changed:
            self._received += traces
            self.held += traces
            self.held_bytes += size
            self._waiting.add(traces)
            self._changed.notify_all()

    def refuse_full(self, traces: int) -> None:
        with self._changed:
            self._received += traces
            self._queue_full += traces

    def refuse_closed(self, traces: int) -> None:
        with self._changed:
            self._received += traces
            self._failed += traces

    def recover(self, traces: int, torn_records: int) -> None:
        """Found on disk at start."""
        with self._changed:
            self._recovered += traces
            self.spooled += traces
            self._waiting.add(traces)
            self._torn += torn_records

    # Between memory and disk.

    def move_to_disk(self, traces: int) -> bool:
        """False when it is too late for that, and they have failed."""
        with self._changed:
            if self._closing.abandoned:
                return False
            self.held -= traces
            self.spooled += traces
            return True

    def move_to_memory(self, traces: int, error: str) -> None:
        """The disk has refused them."""
        with self._changed:
            self.spooled -= traces
            if self._closing.abandoned:
                self._failed += traces
                self._waiting.leave(traces)
                return
            self.held += traces
            self.note_error(error)

    def lose_on_disk(self, evicted: int, damaged: int) -> None:
        with self._changed:
            self.spooled -= evicted + damaged
            self._waiting.leave(evicted + damaged)
            self._evicted += evicted
            self._damaged += damaged
            self._changed.notify_all()

    # Out of it.

    def drop_batch(self, traces: int, size: int, error: str | None) -> None:
        """A batch of *size* octets leaves memory; *traces* of it were not encoded, because of *error*."""
        with self._changed:
            if error is not None:
                self._note_loss(error)
            if not self._closing.abandoned:
                self.held -= traces
                self._failed += traces
                self.held_bytes -= size
                self._waiting.leave(traces)
            self._changed.notify_all()

    def deliver(self, traces: int, receipt: Receipt, *, on_disk: bool) -> None:
        """The destination has answered for *traces*."""
        with self._changed:
            if not self._leave(traces, on_disk):
                return
            rejected = min(max(receipt.rejected, 0), traces)
            self._rejected += rejected
            self._exported += traces - rejected
            self._requests += 1
            self._bytes_sent += receipt.bytes_sent
            self._last_success_ns = time.monotonic_ns()
            self._organization_rejected = False
            if receipt.trouble:
                self.note_error(receipt.trouble)
            if rejected:
                self._note_loss(f"the receiver rejected {rejected} of {traces} traces")

    def give_up(self, traces: int, error: str, *, on_disk: bool, organization_rejected: bool = False) -> None:
        """They will never be delivered."""
        with self._changed:
            if not self._leave(traces, on_disk):
                return
            self._failed += traces
            self._organization_rejected = organization_rejected
            self._note_loss(error)

    def abandon(self) -> None:
        """What is in memory has failed."""
        with self._changed:
            if self.held:
                self._waiting.leave(self.held)
                self._failed += self.held
                self.held = 0
                self._note_loss(self.cut_short())
            self.held_bytes = 0
            self._changed.notify_all()

    def _leave(self, traces: int, on_disk: bool) -> bool:
        if self._closing.abandoned:
            return False
        if on_disk:
            self.spooled -= traces
        else:
            self.held -= traces
        self._waiting.leave(traces)
        self._changed.notify_all()
        return True

    # What counts no trace.

    def retry(self, error: str) -> None:
        """An attempt failed and will be repeated."""
        with self._changed:
            self._retries += 1
            self._organization_rejected = False
            self.note_error(error)
            self._changed.notify_all()

    def count_metrics(self, error: str | None = None, *, failed: bool = False) -> None:
        """A metric message was delivered, or *failed*, with an *error* worth noting or none."""
        with self._changed:
            self._metrics_failed += failed
            self._metrics_sent += not failed
            if error is not None:
                self.note_error(error)

    def note_error(self, text: str) -> None:
        with self._changed:
            self._last_error = text
            self._last_error_ns = time.monotonic_ns()

    def cut_short(self) -> str:
        """Why what is left was not delivered: the trouble that lasted until the end, where there was one."""
        with self._changed:
            trouble, since = self._last_error, self._last_error_ns or 0
            if trouble is None or since < (self._last_success_ns or 0) or trouble.endswith(_CUT_SHORT):
                return _CUT_SHORT
            return f"{trouble}; {_CUT_SHORT}"

    def _note_loss(self, text: str) -> None:
        self._last_loss = text
        self.note_error(text)
