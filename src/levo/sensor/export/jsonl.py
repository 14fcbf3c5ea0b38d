"""``--output jsonl[:PATH]``: one exchange a line, in order of completion."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from levo.sensor.export.batch import EncodedRequest, ExportBatch
from levo.sensor.export.destination import Receipt
from levo.sensor.export.files import FileSink


class JsonLines:
    """Each batch is written at once when it arrives, so a killed process leaves whole lines."""

    def __init__(self, path: Path | None, stdout: BinaryIO | None = None) -> None:
        self._sink = FileSink(path, stdout)

    def encode(self, batch: ExportBatch, resource: bytes) -> Iterator[EncodedRequest]:
        yield EncodedRequest(len(batch), batch.jsonl())

    def send(self, request: EncodedRequest, timeout_s: float | None = None) -> Receipt:
        self._sink.write(request.body)
        return Receipt(bytes_sent=len(request.body))

    def send_metrics(self, encoded: bytes, timeout_s: float | None = None) -> Receipt:
        return Receipt()

    def close(self) -> None:
        self._sink.close()

    def abandon(self) -> None:
        """A blocked write cannot be cancelled."""
