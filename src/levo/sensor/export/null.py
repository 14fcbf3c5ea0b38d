"""``--output null``: counts, and keeps nothing."""

from __future__ import annotations

from collections.abc import Iterator

from levo.sensor.export.batch import EncodedRequest, ExportBatch
from levo.sensor.export.destination import Receipt


class Null:
    """Encodes nothing, so that it measures everything in front of it, masking included."""

    consumes = False

    def encode(self, batch: ExportBatch, resource: bytes) -> Iterator[EncodedRequest]:
        batch.process()
        yield EncodedRequest(len(batch), b"")

    def send(self, request: EncodedRequest, timeout_s: float | None = None) -> Receipt:
        return Receipt()

    def send_metrics(self, encoded: bytes, timeout_s: float | None = None) -> Receipt:
        return Receipt()

    def close(self) -> None:
        """Nothing to release."""

    def abandon(self) -> None:
        """Nothing runs."""
