"""Queues in memory and on disk, from the side of the one that sends."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from levo.sensor.export import EncodedRequest, ExportBatch, QueueLimits, Spool
from levo.sensor.export.closing import Closing
from levo.sensor.export.counters import OutputCounters
from levo.sensor.export.queue import MemoryQueue, Queue, SpoolQueue
from tests.sensor.export.batches import RESOURCE, NumberedBatch, numbers_in
from tests.sensor.export.helpers import wait_until


class Parts:
    """A queue, what it shares with its output, and the threads that it asks for."""

    def __init__(self, spool: Spool | None = None, limits: QueueLimits | None = None) -> None:
        self.closing = Closing()
        self.counters = OutputCounters("test", self.closing)
        shared = limits or QueueLimits(), self.closing, self.counters
        self.encoded: list[int] = []
        self.queue: Queue = (
            MemoryQueue(self.encode, *shared) if spool is None else SpoolQueue(spool, self.encode, *shared)
        )
        self.threads = [threading.Thread(target=loop, daemon=True) for loop in self.queue.loops()]
        for thread in self.threads:
            thread.start()

    def encode(self, batch: ExportBatch) -> Iterator[EncodedRequest]:
        assert isinstance(batch, NumberedBatch)
        for place in range(0, len(batch), 2):
            self.encoded += batch.numbers[place : place + 2]
            yield EncodedRequest(
                len(batch.numbers[place : place + 2]), batch.otlp(RESOURCE, place, place + 2)
            )

    def take(self) -> list[int]:
        """The numbers of the oldest request, which is settled."""
        taken = self.queue.take()
        if taken is None:
            return []
        taken.settle()
        body = taken.request.body
        return numbers_in(gzip.decompress(body) if taken.request.gzipped else body)

    def close(self) -> None:
        self.closing.begin(20)
        for thread in self.threads:
            thread.join(90)
        self.queue.close()


@pytest.fixture(params=["memory", "disk"])
def parts(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Parts]:
    made = Parts(Spool(tmp_path) if request.param == "disk" else None)
    yield made
    made.close()


def test_requests_come_oldest_first_and_end_with_the_output(parts: Parts) -> None:
    assert not parts.queue.ready() and not parts.queue.ended()
    parts.queue.submit(NumberedBatch(range(5)))
    parts.queue.submit(NumberedBatch([5]))
    if parts.threads:
        wait_until(lambda: parts.counters.held == 0)

    got = [parts.take() for _ in range(4)]

    assert got == [[0, 1], [2, 3], [4], [5]]
    assert parts.take() == [] and not parts.queue.ready()
    parts.close()
    assert parts.queue.ended()
    assert not parts.queue.submit(NumberedBatch([6]))


def test_memory_is_encoded_when_it_is_asked_for_and_given_back_after_the_last_request() -> None:
    parts = Parts()
    parts.queue.submit(NumberedBatch(range(4)))
    assert parts.encoded == []
    assert parts.take() == [0, 1]
    assert parts.encoded == [0, 1]
    assert parts.take() == [2, 3]
    assert parts.queue.ready() and parts.counters.held_bytes == 400
    assert parts.take() == [] and parts.counters.held_bytes == 0


def test_the_disk_takes_what_memory_holds_though_nobody_sends(tmp_path: Path) -> None:
    parts = Parts(Spool(tmp_path), QueueLimits(traces=10))
    for number in range(10):
        wait_until(lambda: parts.counters.held == 0)
        assert parts.queue.submit(NumberedBatch(range(10 * number, 10 * number + 10)))
    wait_until(lambda: parts.counters.held == 0 and parts.counters.held_bytes == 0)
    assert parts.counters.spooled == 100
    assert parts.queue.bytes_on_disk > 0
    parts.close()


def test_what_is_put_back_is_the_oldest_again(tmp_path: Path) -> None:
    parts = Parts(Spool(tmp_path))
    parts.queue.submit(NumberedBatch(range(4)))
    wait_until(lambda: parts.counters.held == 0)
    taken = parts.queue.take()
    assert taken is not None and taken.on_disk and taken.put_back is not None
    taken.put_back()
    assert [parts.take(), parts.take()] == [[0, 1], [2, 3]]
    parts.close()


@pytest.mark.parametrize("fault", [OSError("surprise"), ZeroDivisionError("secret")])
def test_what_the_disk_refuses_is_taken_from_memory(
    fault: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the reason, an error of the spool's own or a fault in it, the writing thread lives on."""
    spool = Spool(tmp_path)
    parts = Parts(spool)

    def refuse(request: EncodedRequest) -> None:
        raise fault

    with monkeypatch.context() as patched:
        patched.setattr(spool, "append", refuse)
        parts.queue.submit(NumberedBatch(range(4)))
        for expected in ([0, 1], [2, 3]):
            wait_until(parts.queue.ready)
            taken = parts.queue.take()
            assert taken is not None and not taken.on_disk
            assert numbers_in(gzip.decompress(taken.request.body)) == expected
    assert (parts.counters.held, parts.counters.spooled) == (4, 0)
    seen = parts.counters.snapshot(0)
    assert seen.last_error == f"cannot spool: {type(fault).__name__}"
    parts.queue.submit(NumberedBatch([4]))
    wait_until(lambda: parts.counters.spooled == 1)
    parts.close()
    assert parts.counters.snapshot(0).missing == 0
