"""What an output needs of a batch of finished exchanges, and what it makes of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from levo.model.exchange import Exchange


class ExportBatch(Protocol):
    """Finished, redacted exchanges in order of completion: ``levo.engine.exchange.batch.Batch``.

    Several outputs may hold the same batch and read it from their own threads; none changes it.
    ``otlp`` may take ``start`` and ``stop`` (positions, half open) and then encodes only that slice; a batch
    whose ``otlp`` takes one argument is sent whole.
    """

    @property
    def nbytes(self) -> int:
        """Octets of memory the batch occupies."""

    def __len__(self) -> int:
        """Number of exchanges, which is the number of traces."""

    def otlp(self, resource: bytes, start: int = ..., stop: int = ..., /) -> bytes | memoryview:
        """Encode an ``ExportTraceServiceRequest``; *resource* is an encoded ``Resource`` message."""

    def jsonl(self, start: int = ..., stop: int = ..., /) -> bytes:
        """One JSON object a line, each line ended by a newline."""

    def exchanges(self) -> Sequence[Exchange]:
        """The same exchanges as Python values."""

    def release(self, stop: int, /) -> None:
        """No exchange before position *stop* is needed again by the one that calls."""

    def prepare(self, stop: int, /) -> None:
        """Do what was left for the reader to do before position *stop*; reading does it as well."""


@dataclass(frozen=True, slots=True)
class EncodedRequest:
    """One delivery: what a destination sends in one go."""

    traces: int
    """Number of traces inside; what the ledger counts."""
    body: bytes = field(repr=False)
    """Encoded for the destination that made it."""
    gzipped: bool = False
    """*body* is a gzip stream of the encoding (RFC 1952)."""


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """How large one OTLP request may become."""

    bytes: int = 4 * 1024 * 1024
    """Octets before compression. A single trace above it still goes, alone."""
    traces: int = 2500

    def sliced(self, traces: int) -> RequestLimits:
        """The same with at most *traces* in one."""
        return replace(self, traces=min(traces, self.traces))


def otlp_slices(
    batch: ExportBatch, resource: bytes, limits: RequestLimits
) -> Iterator[tuple[int, bytes | memoryview]]:
    """Encode *batch* as (traces, request) pairs, each within *limits* where the batch can be sliced."""
    total = len(batch)
    if total == 0:
        return
    parts = max(math.ceil(batch.nbytes / limits.bytes), math.ceil(total / limits.traces), 1)
    step = max(1, total // parts)
    if step >= total:
        whole = batch.otlp(resource)
        if len(whole) <= limits.bytes or total == 1:
            yield total, whole
            return
        step = max(1, total // 2)
    try:
        first = batch.otlp(resource, 0, step)
    except TypeError:
        yield total, batch.otlp(resource)
        return
    yield from _within(batch, resource, 0, step, first, limits)
    for start in range(step, total, step):
        batch.release(start)
        stop = min(start + step, total)
        yield from _within(batch, resource, start, stop, batch.otlp(resource, start, stop), limits)


def _within(
    batch: ExportBatch,
    resource: bytes,
    start: int,
    stop: int,
    encoded: bytes | memoryview,
    limits: RequestLimits,
) -> Iterator[tuple[int, bytes | memoryview]]:
    """Halve a slice until its encoding fits; slices come out in order."""
    if len(encoded) <= limits.bytes or stop - start <= 1:
        yield stop - start, encoded
        return
    del encoded
    middle = (start + stop) // 2
    yield from _within(batch, resource, start, middle, batch.otlp(resource, start, middle), limits)
    yield from _within(batch, resource, middle, stop, batch.otlp(resource, middle, stop), limits)
