"""Takes checked requests in: one place for bounds, counting and the durable hand-over."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from levo.satellite.queue import JournalFull, JournalUnavailable, Position, Record, RecordKind
from levo.satellite.receive.otlp import BadRequest, Checked, TooMany, check_json, check_protobuf

_WORTH_A_THREAD_BYTES = 8 << 20
"""Checking less than this on the event loop is cheaper than handing it to a thread …"""
_JSON_WORTH_A_THREAD_BYTES = 256 << 10
"""… and so is decoding less JSON than this."""


class RefusalReason(StrEnum):
    """Why a request was not taken in. The value is a metric label."""

    BAD_REQUEST = "bad_request"
    """The octets are no export request. Sending them again is useless."""
    BAD_ENCODING = "bad_encoding"
    """A content coding or media type that OTLP does not have, or damaged compression."""
    TOO_LARGE = "too_large"
    """Larger than a request may be, compressed or not."""
    BUSY = "busy"
    """Too much is being received at this moment, or the learners are behind. The same may fit later."""
    UNAVAILABLE = "unavailable"
    """The disk refuses, or the Satellite is ending. The same may fit later, or elsewhere."""
    TOO_SLOW = "too_slow"
    """The body did not arrive in time."""
    UNAUTHENTICATED = "unauthenticated"
    """A token is needed, and there was none that is valid."""
    FORBIDDEN = "forbidden"
    """The token is of another organization."""


_RETRYABLE = {RefusalReason.BUSY, RefusalReason.UNAVAILABLE}


class Refusal(Exception):
    """A request was not taken in. The text is for the sender and holds nothing of the request."""

    def __init__(self, reason: RefusalReason, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.retry_after_s = 2 if reason in _RETRYABLE else None
        """When the sender should try again; None: never."""


class RecordSink(Protocol):
    """Where records become durable."""

    def append(self, record: Record) -> Future[Position]:
        """Take *record* in; the future is done once it would survive a crash."""
        ...


class Admission(Protocol):
    """Who may send."""

    def admit(self, authorization: str, organization: str) -> str:
        """Return the organization that the traces are of; raises :class:`Refusal`."""
        ...


@dataclass(frozen=True, slots=True)
class IngestStatistics:
    """Snapshot. Every request is accepted or refused for one reason, or still in flight."""

    requests_total: int
    accepted_total: int
    refused_total: dict[RefusalReason, int]
    in_flight: int
    in_flight_bytes: int
    accepted_items_total: dict[RecordKind, int]
    """Spans and metrics handed over durably and acknowledged."""
    rejected_spans_total: int
    """Spans left out of accepted requests, told as a partial success."""


class Room:
    """The memory that one request holds; given back when the request is over."""

    def __init__(self, take: Callable[[int], None]) -> None:
        self._take = take
        self.size = 0

    def take(self, size: int) -> None:
        """Hold *size* octets more.

        Raises:
            Refusal: all requests together would hold too much.
        """
        self._take(size)
        self.size += size


class Ingester:
    """Lives on one event loop."""

    def __init__(
        self,
        handover: RecordSink,
        *,
        max_request_bytes: int,
        max_in_flight_bytes: int,
        on_accepted: Callable[[], None],
        clock_ns: Callable[[], int] = time.time_ns,
        admission: Admission | None = None,
    ) -> None:
        """Args:
        handover: where accepted records go.
        max_request_bytes: bound on one request, after decompression.
        max_in_flight_bytes: bound on all requests being received or waiting for the disk.
        on_accepted: called after each durable hand-over.
        clock_ns: the time of day.
        admission: checks tokens; without it everybody may send as every organization.
        """
        self.max_request_bytes = max_request_bytes
        self._max_in_flight_bytes = max_in_flight_bytes
        self._handover = handover
        self._on_accepted = on_accepted
        self._clock_ns = clock_ns
        self._admission = admission
        self._requests = self._accepted = self._in_flight = self._in_flight_bytes = self._rejected = 0
        self._refused: Counter[RefusalReason] = Counter()
        self._items: Counter[RecordKind] = Counter()

    @contextmanager
    def request(self) -> Iterator[Room]:
        """Count one request; its refusal must pass through. Gives its share of the memory budget."""
        self._requests += 1
        self._in_flight += 1
        room = Room(self._take)
        try:
            yield room
        except Refusal as refusal:
            self._refused[refusal.reason] += 1
            raise
        except BaseException:
            self._refused[RefusalReason.UNAVAILABLE] += 1
            raise
        else:
            self._accepted += 1
        finally:
            self._in_flight -= 1
            self._in_flight_bytes -= room.size

    def admit(self, authorization: str, organization: str) -> str:
        """Return the organization that a request is of; called before its body is read.

        Raises:
            Refusal: the sender may not.
        """
        return self._admission.admit(authorization, organization) if self._admission else organization

    async def accept(
        self, kind: RecordKind, octets: bytes, organization: str, *, json: bool = False
    ) -> Checked:
        """Check *octets* and hand them over; returns once that is durable.

        Raises:
            Refusal: nothing of it was taken in.
        """
        check = check_json if json else check_protobuf
        try:
            if len(octets) > (_JSON_WORTH_A_THREAD_BYTES if json else _WORTH_A_THREAD_BYTES):
                checked = await asyncio.to_thread(check, kind, octets)
            else:
                checked = check(kind, octets)
        except TooMany as error:
            raise Refusal(RefusalReason.TOO_LARGE, str(error)) from None
        except BadRequest as error:
            raise Refusal(RefusalReason.BAD_REQUEST, str(error)) from None
        if checked.items:
            try:
                future = self._handover.append(
                    Record(kind, self._clock_ns(), organization[:200], checked.payload)
                )
                await asyncio.wrap_future(future)
            except JournalFull as error:
                raise Refusal(RefusalReason.BUSY, str(error)) from None
            except JournalUnavailable as error:
                raise Refusal(RefusalReason.UNAVAILABLE, str(error)) from None
            self._items[kind] += checked.items
            self._on_accepted()
        self._rejected += checked.rejected
        return checked

    def _take(self, size: int) -> None:
        if self._in_flight_bytes + size > self._max_in_flight_bytes:
            raise Refusal(RefusalReason.BUSY, "too much is being received; try again")
        self._in_flight_bytes += size

    def statistics(self) -> IngestStatistics:
        """Return a snapshot."""
        return IngestStatistics(
            self._requests,
            self._accepted,
            {reason: self._refused[reason] for reason in RefusalReason},
            self._in_flight,
            self._in_flight_bytes,
            {kind: self._items[kind] for kind in RecordKind},
            self._rejected,
        )
