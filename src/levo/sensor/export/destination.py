"""What an ``Output`` asks of a destination."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from levo.sensor.export.batch import EncodedRequest, ExportBatch


@dataclass(frozen=True, slots=True)
class Receipt:
    """A delivery that the destination answered for."""

    rejected: int = 0
    """Traces (or metric points) it refused for good: a partial success."""
    bytes_sent: int = 0
    """Octets of the request's body as sent or written."""
    trouble: str = ""
    """What was wrong although it was delivered, in one line without captured content."""
    date: str = ""
    """When it was answered, by the receiver's clock, as an HTTP date; only of a request without traces."""


class Destination(Protocol):
    """One place that traces go to. Called by the threads of one ``Output``; ``abandon`` by any thread."""

    @property
    def consumes(self) -> bool:
        """Whether ``encode`` releases what it has read of a batch, piece by piece."""

    def encode(self, batch: ExportBatch, resource: bytes) -> Iterator[EncodedRequest]:
        """Split and encode *batch*; the requests' trace counts add up to ``len(batch)``."""

    def send(self, request: EncodedRequest, timeout_s: float | None = None) -> Receipt:
        """Deliver the whole of *request* or raise; *timeout_s* shortens the destination's own limit.

        Raises:
            RetryableExportError: the same request may succeed later.
            PermanentExportError: it never will; the caller counts it.
        """

    def send_metrics(self, encoded: bytes, timeout_s: float | None = None) -> Receipt:
        """Deliver an encoded ``ExportMetricsServiceRequest``; raises as ``send``. Files ignore it."""

    def close(self) -> None:
        """Finish files, release sockets. Called once, when no send is running. May raise ExportError."""

    def abandon(self) -> None:
        """Cancel what is running, as far as possible: the owner stops waiting for it. Never blocks."""
