"""The queue, its threads and its ledger, with destinations that tests hold by the hand."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from levo.sensor.export import (
    EncodedRequest,
    ExportBatch,
    Output,
    OutputStatistics,
    PermanentExportError,
    QueueLimits,
    Receipt,
    RetryableExportError,
    Spool,
    SpoolError,
)
from levo.sensor.export.batch import RequestLimits, otlp_slices
from tests.sensor.export.batches import NumberedBatch, numbers_in
from tests.sensor.export.helpers import balanced, output_to, wait_until


class Gate:
    """A destination that answers when told to."""

    consumes = True

    def __init__(self, is_open: bool = True) -> None:
        self.open = threading.Event()
        if is_open:
            self.open.set()
        self.sending = threading.Event()
        self.numbers: list[int] = []
        self.metrics: list[bytes] = []
        self.failures: list[Exception] = []
        self.closed = 0

    def encode(self, batch: ExportBatch, resource: bytes) -> Iterator[EncodedRequest]:
        for traces, body in otlp_slices(batch, resource, RequestLimits(traces=10)):
            yield EncodedRequest(traces, body)

    def send(self, request: EncodedRequest, timeout_s: float | None = None) -> Receipt:
        import gzip

        self.sending.set()
        assert self.open.wait(90)
        if self.failures:
            raise self.failures.pop(0)
        body = gzip.decompress(request.body) if request.gzipped else request.body
        self.numbers += numbers_in(body)
        return Receipt(bytes_sent=len(request.body))

    def send_metrics(self, encoded: bytes, timeout_s: float | None = None) -> Receipt:
        if self.failures:
            raise self.failures.pop(0)
        self.metrics.append(encoded)
        return Receipt()

    def close(self) -> None:
        self.closed += 1

    def abandon(self) -> None:
        self.open.set()


class Timed(Gate):
    """Knows what it had received when metrics came."""

    before_metrics: list[int] | None = None

    def send_metrics(self, encoded: bytes, timeout_s: float | None = None) -> Receipt:
        self.before_metrics = list(self.numbers)
        return super().send_metrics(encoded, timeout_s)


class Stuck(Gate):
    """A gate that nothing but the test opens."""

    def abandon(self) -> None:
        pass


def test_submit_never_waits_and_a_full_queue_is_counted() -> None:
    gate = Gate(is_open=False)
    output = output_to(gate, queue=QueueLimits(traces=25))
    assert output.submit(NumberedBatch(range(10)))
    assert gate.sending.wait(90)
    assert output.submit(NumberedBatch(range(10, 20)))
    assert not output.submit(NumberedBatch(range(20, 30)))
    assert output.submit(NumberedBatch(range(30, 35)))
    assert not output.submit(NumberedBatch([35]))
    seen = balanced(output)
    assert (seen.received, seen.held, seen.queue_full) == (36, 25, 11)
    gate.open.set()
    assert output.flush(20)
    output.close()
    seen = balanced(output)
    assert (seen.exported, seen.held, seen.held_bytes) == (25, 0, 0)
    assert gate.numbers == [*range(20), *range(30, 35)]


def test_the_queue_is_bounded_by_bytes_except_for_one_batch() -> None:
    gate = Gate(is_open=False)
    output = output_to(gate, queue=QueueLimits(bytes=1_000))
    assert output.submit(NumberedBatch([1], padding=5_000))
    assert not output.submit(NumberedBatch([2]))
    assert balanced(output).held_bytes == 5_100
    gate.open.set()
    assert output.flush(20)
    assert output.submit(NumberedBatch([2], padding=800))
    output.close()
    assert gate.numbers == [1, 2]


def test_close_delivers_what_is_queued_and_refuses_the_rest() -> None:
    gate = Gate()
    output = output_to(gate)
    for number in range(50):
        output.submit(NumberedBatch([number]))
    output.close()
    output.close()
    assert gate.numbers == list(range(50))
    assert gate.closed == 1
    assert not output.submit(NumberedBatch([50]))
    seen = balanced(output)
    assert (seen.exported, seen.failed, seen.received) == (50, 1, 51)


def test_an_empty_batch_is_nothing() -> None:
    output = output_to(Gate())
    assert output.submit(NumberedBatch([]))
    assert output.flush(20)
    output.close()
    assert balanced(output).received == 0


def test_close_gives_up_a_delivery_that_hangs_and_counts_everything_once() -> None:
    gate = Stuck(is_open=False)
    output = output_to(gate)
    for number in range(5):
        output.submit(NumberedBatch([number]))
    assert gate.sending.wait(90)
    output.close(0.01)
    seen = balanced(output)
    assert (seen.failed, seen.held, seen.exported) == (5, 0, 0)
    assert gate.closed == 0  # a send may still be running in it
    gate.open.set()
    wait_until(lambda: not any(thread.name.startswith("levo-test") for thread in threading.enumerate()))
    assert balanced(output) == seen  # what the thread learns after we gave it up changes no count


def test_flush_says_when_time_was_too_short() -> None:
    gate = Gate(is_open=False)
    output = output_to(gate)
    output.submit(NumberedBatch([1]))
    assert not output.flush(0.01)
    gate.open.set()
    assert output.flush(20)
    output.close()


def test_a_fault_in_the_encoder_costs_its_batch_and_no_more() -> None:
    class Broken(NumberedBatch):
        def otlp(self, resource: bytes, start: int = 0, stop: int | None = None) -> bytes:
            if start >= 20:
                raise ZeroDivisionError("secret")
            return super().otlp(resource, start, stop)

    gate = Gate()
    output = output_to(gate)
    output.submit(Broken(range(35)))
    output.submit(NumberedBatch([99]))
    output.close()
    seen = balanced(output)
    assert gate.numbers[-1] == 99
    assert seen.exported == len(gate.numbers)
    assert seen.failed == 36 - len(gate.numbers) > 0
    assert seen.last_error == "cannot encode a batch: ZeroDivisionError"


def test_a_fault_in_the_destination_costs_its_request_and_no_more() -> None:
    gate = Gate()
    gate.failures = [ZeroDivisionError("secret")]
    output = output_to(gate)
    output.submit(NumberedBatch([1]))
    output.submit(NumberedBatch([2]))
    output.close()
    seen = balanced(output)
    assert (seen.failed, seen.exported, seen.last_error) == (1, 1, "test: ZeroDivisionError")


def test_metrics_go_out_once_and_only_the_newest() -> None:
    gate = Gate(is_open=False)
    output = output_to(gate)
    output.submit(NumberedBatch([1]))
    assert gate.sending.wait(90)
    output.submit_metrics(b"old")
    output.submit_metrics(b"new")
    gate.open.set()
    assert output.flush(20)
    gate.failures = [RetryableExportError("busy")]
    output.submit_metrics(b"lost")
    assert output.flush(20)
    output.close()
    output.submit_metrics(b"late")
    seen = balanced(output)
    assert gate.metrics == [b"new"]
    assert (seen.metrics_sent, seen.metrics_failed) == (1, 3)


def test_metrics_do_not_wait_for_the_end_of_a_batch() -> None:
    gate = Timed(is_open=False)
    output = output_to(gate)
    output.submit(NumberedBatch(range(30)))
    assert gate.sending.wait(90)
    output.submit_metrics(b"now")
    gate.open.set()
    assert output.flush(20)
    output.close()
    assert gate.before_metrics == list(range(10))
    assert balanced(output).exported == 30


def test_a_close_during_backoff_does_not_wait_for_its_end() -> None:
    gate = Gate()
    gate.failures = [RetryableExportError("later", retry_after_s=3600)]
    from levo.sensor.export import RetryPolicy

    output = output_to(gate, retry=RetryPolicy(server_ceiling_s=3600, total_s=1e6))
    output.submit(NumberedBatch([1]))
    wait_until(lambda: output.statistics().retries == 1)
    output.close(0.01)
    seen = balanced(output)
    assert (seen.failed, seen.last_error) == (1, "later")


class TestWithSpool:
    def test_an_outage_fills_the_disk_and_not_the_queue(self, tmp_path: Path) -> None:
        gate = Gate(is_open=False)
        output = output_to(gate, spool=Spool(tmp_path), queue=QueueLimits(traces=30))
        for number in range(0, 100, 10):
            wait_until(lambda: output.statistics().held == 0)
            assert output.submit(NumberedBatch(range(number, number + 10)))
        wait_until(lambda: output.statistics().held == 0)
        assert balanced(output).spooled == 100
        gate.open.set()
        assert output.flush(20)
        assert gate.numbers == list(range(100))
        output.close()
        seen = balanced(output)
        assert (seen.exported, seen.spooled, seen.spool_bytes) == (100, 0, 0)

    def test_what_is_not_delivered_waits_for_the_next_run(self, tmp_path: Path) -> None:
        first = Gate(is_open=False)
        output = output_to(first, spool=Spool(tmp_path))
        for number in range(0, 50, 10):
            output.submit(NumberedBatch(range(number, number + 10)))
        assert first.sending.wait(90)
        output.close(0.01)
        seen = balanced(output)
        assert (seen.spooled + seen.exported, seen.failed) == (50, 0)

        second = Gate()
        output = output_to(second, spool=Spool(tmp_path))
        assert output.statistics().recovered == seen.spooled
        output.submit(NumberedBatch(range(50, 60)))
        assert output.flush(20)
        output.close()
        seen = balanced(output)
        assert (seen.received, seen.spooled, seen.failed) == (10, 0, 0)
        assert second.numbers == list(range(60 - len(second.numbers), 60))
        assert set(first.numbers + second.numbers) == set(range(60))

    def test_a_flush_does_not_wait_for_a_receiver_that_is_away(self, tmp_path: Path) -> None:
        gate = Gate()
        gate.failures = [RetryableExportError("away", retry_after_s=3600)]
        from levo.sensor.export import RetryPolicy

        output = output_to(gate, spool=Spool(tmp_path), retry=RetryPolicy(server_ceiling_s=3600))
        output.submit(NumberedBatch([1]))
        flushing = threading.Thread(target=output.flush, args=(3600,), daemon=True)
        flushing.start()
        flushing.join(90)
        assert not flushing.is_alive()
        assert balanced(output).spooled == 1
        output.close(0.01)
        assert balanced(output).spooled == 1

    def test_a_permanent_error_takes_the_request_out(self, tmp_path: Path) -> None:
        gate = Gate()
        gate.failures = [PermanentExportError("no"), PermanentExportError("who?", organization_rejected=True)]
        output = output_to(gate, spool=Spool(tmp_path))
        for number in range(3):
            output.submit(NumberedBatch([number]))
        assert output.flush(20)
        output.close()
        seen = balanced(output)
        assert (seen.failed, seen.exported, seen.spooled) == (2, 1, 0)
        assert gate.numbers == [2]

    def test_a_full_spool_drops_the_oldest_and_counts_them(self, tmp_path: Path) -> None:
        gate = Gate(is_open=False)
        output = output_to(gate, spool=Spool(tmp_path, max_bytes=4_000))
        for number in range(200):
            output.submit(NumberedBatch([number], padding=100))
        wait_until(lambda: output.statistics().held == 0)
        seen = balanced(output)
        assert seen.spool_evicted > 0 and 0 < seen.spool_bytes <= 4_000
        gate.open.set()
        assert output.flush(20)
        output.close()
        seen = balanced(output)
        assert seen.exported == len(gate.numbers)
        assert seen.exported + seen.spool_evicted == 200
        assert gate.numbers[-1] == 199 and gate.numbers == sorted(gate.numbers)

    def test_a_disk_that_refuses_does_not_stop_the_delivery(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gate = Gate()
        spool = Spool(tmp_path)
        output = output_to(gate, spool=spool)

        def refuse(request: EncodedRequest) -> None:
            raise SpoolError("spool directory x: No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(spool, "append", refuse)
            for number in range(20):
                output.submit(NumberedBatch([number]))
            assert output.flush(20)
        seen = balanced(output)
        assert (seen.exported, seen.held, seen.spooled) == (20, 0, 0)
        assert "No space left" in (seen.last_error or "")
        output.submit(NumberedBatch([20]))
        assert output.flush(20)
        output.close()
        assert gate.numbers == list(range(21))
        balanced(output)

    def test_requests_that_the_disk_refuses_hold_no_metrics_up(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gate = Timed(is_open=False)
        spool = Spool(tmp_path)
        output = output_to(gate, spool=spool)
        refused: list[EncodedRequest] = []

        def refuse(request: EncodedRequest) -> None:
            refused.append(request)
            raise SpoolError("spool directory x: No space left on device")

        monkeypatch.setattr(spool, "append", refuse)
        for number in range(5):
            output.submit(NumberedBatch([number]))
        assert gate.sending.wait(90)
        wait_until(lambda: len(refused) == 3)  # one is being sent, one waits for that, one for its turn
        output.submit_metrics(b"now")
        gate.open.set()
        assert output.flush(20)
        output.close()
        assert gate.before_metrics == [0]
        assert balanced(output).exported == 5

    def test_close_gives_up_a_delivery_that_hangs_and_keeps_it_on_disk(self, tmp_path: Path) -> None:
        gate = Stuck(is_open=False)
        output = output_to(gate, spool=Spool(tmp_path))
        output.submit(NumberedBatch([1, 2]))
        assert gate.sending.wait(90)
        output.close(0.01)
        assert balanced(output).spooled == 2
        gate.open.set()
        again = Gate()
        output = output_to(again, spool=Spool(tmp_path))
        assert output.flush(20)
        output.close()
        assert again.numbers == [1, 2]
        balanced(output)


def test_snapshots_balance_at_every_moment(tmp_path: Path) -> None:
    """Readers race with submitters and both threads; no snapshot loses or invents a trace."""
    for spool in (None, Spool(tmp_path, max_bytes=30_000)):
        gate = Gate()
        output = output_to(gate, spool=spool, queue=QueueLimits(traces=200))
        stop = threading.Event()
        seen: list[OutputStatistics] = []
        watcher = threading.Thread(target=_watch, args=(output, stop, seen))
        watcher.start()
        for number in range(300):
            gate.failures += [RetryableExportError("later", retry_after_s=0.0)] if number % 50 == 0 else []
            output.submit(NumberedBatch(range(number * 10, number * 10 + 10), padding=number % 100))
        output.close()
        stop.set()
        watcher.join()
        assert len(seen) > 1
        assert [one for one in seen if one.missing or min(one.held, one.spooled, one.held_bytes) < 0] == []
        final = balanced(output)
        assert final.received == 3000 and final.exported == len(gate.numbers) > 0


def _watch(output: Output, stop: threading.Event, seen: list[OutputStatistics]) -> None:
    while not stop.is_set():
        seen.append(output.statistics())


def test_a_disk_that_hangs_holds_up_neither_submit_nor_statistics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()
    output = output_to(gate, spool=Spool(tmp_path), queue=QueueLimits(traces=20))
    entered, leave = threading.Event(), threading.Event()
    real = os.pwrite

    def hang(descriptor: int, data: bytes, at: int) -> int:
        entered.set()
        assert leave.wait(90)
        return real(descriptor, data, at)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", hang)
        output.submit(NumberedBatch([0]))
        assert entered.wait(90)
        accepted = [output.submit(NumberedBatch([number])) for number in range(1, 40)]
        seen = balanced(output)
        assert (sum(accepted), seen.queue_full) == (20, 19)
        leave.set()
        assert output.flush(20)
    output.close()
    assert balanced(output).exported == 21
