"""``--output jsonl[:PATH]``: one exchange a line, in order of completion."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from levo.sensor.export.batch import EncodedRequest, ExportBatch
from levo.sensor.export.destination import Receipt
from levo.sensor.export.files import FileSink

_ENCODED_TOGETHER = 512 * 1024
"""Octets of exchanges that are encoded, then written, while the processor's cache holds the lines."""


class JsonLines:
    """Each batch is written at once when it arrives, so a killed process leaves whole lines."""

    consumes = True

    def __init__(
        self,
        path: Path | None,
        stdout: BinaryIO | None = None,
        owner: tuple[int, int] | None = None,
        *,
        append: bool = False,
    ) -> None:
        """*owner*: user and group of a file that is made. *append*: go on with one that is there."""
        self._sink = FileSink(path, stdout, owner=owner, append=append)

    def encode(self, batch: ExportBatch, resource: bytes) -> Iterator[EncodedRequest]:
        total = len(batch)
        step = max(1, total * _ENCODED_TOGETHER // max(1, batch.nbytes))
        for start in range(0, total, step):
            batch.release(start)
            stop = min(start + step, total)
            yield EncodedRequest(stop - start, batch.jsonl(start, stop))

    def send(self, request: EncodedRequest, timeout_s: float | None = None) -> Receipt:
        trouble = self._sink.write(request.body)
        return Receipt(bytes_sent=len(request.body), trouble=trouble)

    def send_metrics(self, encoded: bytes, timeout_s: float | None = None) -> Receipt:
        return Receipt()

    def close(self) -> None:
        self._sink.close()

    def abandon(self) -> None:
        """A blocked write cannot be cancelled."""
