"""The output that keeps nothing."""

from __future__ import annotations

from levo.sensor.export.null import Null
from tests.sensor.export.batches import NumberedBatch
from tests.sensor.export.helpers import balanced, output_to


def test_it_counts_has_all_masked_and_does_not_encode() -> None:
    class Unreadable(NumberedBatch):
        def otlp(self, resource: bytes, start: int = 0, stop: int | None = None) -> bytes:
            raise AssertionError("encoded")

        def jsonl(self, start: int = 0, stop: int | None = None) -> bytes:
            raise AssertionError("encoded")

    output = output_to(Null())
    batch = Unreadable(range(5))
    output.submit(batch)
    output.submit_metrics(b"")
    output.close()
    seen = balanced(output)
    assert (seen.exported, seen.bytes_sent, seen.last_error, batch.processed) == (5, 0, None, True)
