"""One output: a queue in memory or on disk, retrying, a sender, and the thread that runs them in a row."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator

from levo.sensor.export.batch import EncodedRequest, ExportBatch
from levo.sensor.export.closing import Closing
from levo.sensor.export.counters import OutputCounters
from levo.sensor.export.destination import Destination
from levo.sensor.export.failure import ExportError
from levo.sensor.export.queue import MemoryQueue, Queue, QueueLimits, SpoolQueue
from levo.sensor.export.retry import RetryPolicy
from levo.sensor.export.sender import LatestMetrics, Retry, Sender
from levo.sensor.export.spool import Spool
from levo.sensor.export.statistics import OutputStatistics

_JOIN_GRACE_S = 0.5


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
        self._closing = Closing()
        self._counters = OutputCounters(name, self._closing)
        shared = self._closing, self._counters

        def encode(batch: ExportBatch) -> Iterator[EncodedRequest]:
            return destination.encode(batch, resource)

        self._queue: Queue
        if spool is None:
            self._queue = MemoryQueue(encode, limits or QueueLimits(), *shared)
        else:
            self._queue = SpoolQueue(spool, encode, limits or QueueLimits(), *shared)
        self._sender = Sender(destination, name, *shared)
        self._retry = Retry(self._sender, retry or RetryPolicy(), rng or random.Random(), *shared)
        self._metrics = LatestMetrics(*shared)
        self._threads = [threading.Thread(target=self._run, name=f"levo-{name}", daemon=True)]
        for loop in self._queue.loops():
            self._threads.append(threading.Thread(target=loop, name=f"levo-{name}-write", daemon=True))
        for thread in self._threads:
            thread.start()

    @property
    def consumes(self) -> bool:
        """Whether it changes what it is given: its destination releases what it has read of a batch."""
        return self._destination.consumes

    def submit(self, batch: ExportBatch) -> bool:
        """Take *batch* for delivery. False when it was refused and counted."""
        return self._queue.submit(batch)

    def submit_metrics(self, encoded: bytes) -> None:
        """Send an encoded ``ExportMetricsServiceRequest`` soon, once; a newer one replaces it."""
        self._metrics.submit(encoded)

    def flush(self, deadline_s: float) -> bool:
        """Wait until all that was submitted has left, at most *deadline_s* seconds.

        With a spool, waits for the disk, and for the destination only while it answers. True when nothing is
        left in memory.
        """
        with self._closing.changed:
            self._closing.changed.wait_for(self._is_flushed, timeout=max(0.0, deadline_s))
            return self._counters.held == 0

    def close(self, deadline_s: float = 5.0) -> None:
        """Deliver what is left for at most *deadline_s* seconds, then stop. Legal twice.

        What cannot be delivered by then is counted as failed, or stays in the spool.
        """
        if not self._closing.begin(deadline_s):
            return
        for thread in self._threads:
            thread.join(max(0.0, self._closing.left_s or 0.0) + _JOIN_GRACE_S)
        stuck = any(thread.is_alive() for thread in self._threads)
        if stuck:
            self._destination.abandon()
            for thread in self._threads:
                thread.join(_JOIN_GRACE_S)
            stuck = any(thread.is_alive() for thread in self._threads)
        with self._closing.changed:
            self._closing.abandoned = True
            self._metrics.drop()
            self._counters.abandon()
            self._queue.clear()
        if not stuck:
            try:
                self._destination.close()
            except ExportError as exc:
                self._counters.note_error(str(exc))
        self._queue.close()

    def statistics(self) -> OutputStatistics:
        return self._counters.snapshot(self._queue.bytes_on_disk)

    def _run(self) -> None:
        while self._closing.wait_for(self._is_ready, self._queue.ended):
            self._metrics.send_with(self._sender)
            taken = self._queue.take()
            if taken is not None:
                self._retry.deliver(taken)

    def _is_ready(self) -> bool:
        return self._queue.ready() or (self._metrics.waiting and not self._closing.late)

    def _is_flushed(self) -> bool:
        if self._closing.abandoned:
            return True
        if self._counters.held or self._metrics.pending:
            return False
        return self._counters.spooled == 0 or self._retry.waiting
