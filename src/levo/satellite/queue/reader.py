"""The reading end of the journal."""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from levo.satellite.queue.journal import KEY_NAME
from levo.satellite.queue.record import Position, Record
from levo.satellite.queue.segment import (
    HEAD_BYTES,
    MARK,
    FrameHead,
    Sealer,
    load_key,
    read_form,
    segment_numbers,
    segment_path,
)

_READ_BYTES = 4 << 20
_SEARCH_BYTES = 1 << 20
DOUBT_S = 1.0
"""What cannot be read at the end of the newest segment may be in the middle of being written for so long."""


@dataclass(frozen=True, slots=True)
class ReadStatistics:
    """Snapshot of what a reader could not use."""

    torn_bytes: int
    """Octets at the end of closed segments that a crash or a failed write cut short; never acknowledged."""
    damaged_total: int
    """Frames that are not what was written, or that this version cannot read. Neighbors whose frame heads are
    both damaged count as one, and so does a segment without a sound head."""


class JournalReader:
    """Reads records in order, from a position on. One thread uses it; the writer may be another process.

    A segment is left for its successor only when the successor was there *before* its end was seen: the
    writer never returns to a segment once the next one exists.
    """

    def __init__(
        self, folder: Path, position: Position, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        """*clock_s* is a clock that is never set back.

        Raises:
            LevoError: the key of the journal is missing.
        """
        self._folder = folder
        self._position = position
        self._clock_s = clock_s
        self._key = load_key(folder / KEY_NAME)
        self._descriptor = -1
        self._number = 0
        self._sealer: Sealer | None = None
        self._torn_bytes = self._damaged = 0
        self._doubtful: Position | None = None
        self._doubtful_since_s = 0.0

    @property
    def position(self) -> Position:
        """After the last record that :meth:`read` returned."""
        return self._position

    @property
    def in_doubt(self) -> bool:
        """Whether the end of the newest segment cannot be read: to be tried again after ``DOUBT_S``, even if
        nothing is appended."""
        return self._doubtful is not None

    def statistics(self) -> ReadStatistics:
        """Return a snapshot."""
        return ReadStatistics(self._torn_bytes, self._damaged)

    def read(self, limit_bytes: int = _READ_BYTES) -> list[Record]:
        """Return the next records, about *limit_bytes* of them and at least one if there is one.

        An empty list means that the journal holds no further complete record at this time.
        """
        while True:
            newest = max(segment_numbers(self._folder), default=0)
            if not self._enter_segment(newest):
                return []
            before = self._position
            records = self._read_segment(limit_bytes, closed=self._number < newest)
            if self._doubtful is not None and self._doubtful < self._position:
                self._doubtful = None
            if records:
                return records
            if self._position != before:
                continue  # past damage
            if self._number >= newest:
                return []
            self._leave_segment()
            self._position = Position(self._position.segment + 1, 0)

    def close(self) -> None:
        """Close the segment that is open. Legal twice."""
        self._leave_segment()

    def _enter_segment(self, newest: int) -> bool:
        if self._descriptor >= 0:
            return True
        while True:
            numbers = [n for n in segment_numbers(self._folder) if n >= self._position.segment]
            if not numbers:
                return False
            number = numbers[0]
            try:
                descriptor = os.open(segment_path(self._folder, number), os.O_RDONLY)
            except FileNotFoundError:
                continue
            head = os.pread(descriptor, HEAD_BYTES, 0)
            form = read_form(head)
            if form is not None:
                break
            size = os.fstat(descriptor).st_size
            os.close(descriptor)
            if number >= newest and (size <= HEAD_BYTES or self._is_doubtful(Position(number, 0))):
                return False
            if size <= HEAD_BYTES:
                self._torn_bytes += len(head)
            else:
                self._damaged += 1
            self._position = Position(number + 1, 0)
        self._descriptor, self._number = descriptor, number
        self._sealer = Sealer(self._key, number, head)
        if self._position.segment != number or self._position.offset < form.head_bytes:
            self._position = Position(number, form.head_bytes)
        return True

    def _leave_segment(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._sealer = -1, None

    def _read_segment(self, limit_bytes: int, *, closed: bool) -> list[Record]:
        assert self._sealer is not None
        form = self._sealer.form
        records: list[Record] = []
        offset = self._position.offset
        size = os.fstat(self._descriptor).st_size
        octets = os.pread(self._descriptor, max(limit_bytes, form.frame_head_bytes), offset)
        used = 0
        while used + form.frame_head_bytes <= len(octets):
            head = form.frame_head(octets, used, offset + used)
            if head is None:
                if not used:
                    self._pass_damage(offset, size, closed=closed)
                    return []
                break
            start = used + head.size
            end = start + head.length
            if offset + end > size:
                break
            if end > len(octets):
                if used:
                    break
                octets = os.pread(self._descriptor, end, offset)
                if len(octets) < end:
                    break
            record = self._open_frame(offset + used, octets[start:end], head)
            if record is not None:
                records.append(record)
            elif (
                not closed
                and offset + end == size
                and self._is_doubtful(Position(self._number, offset + used))
            ):
                break
            else:
                self._damaged += 1
            used = end
        self._position = Position(self._number, offset + used)
        if closed and not records and used == 0:
            self._torn_bytes += max(0, size - offset)
        return records

    def _pass_damage(self, offset: int, size: int, *, closed: bool) -> None:
        """Go on with the next frame after the one at *offset*, whose head is damaged."""
        following = self._next_frame(offset + 1, size)
        if following is None:
            if not closed and self._is_doubtful(Position(self._number, offset)):
                return
            following = size
        if following == size and self._is_empty(offset, size):
            self._torn_bytes += size - offset  # a crash left room that was never written to
        else:
            self._damaged += 1
        self._position = Position(self._number, following)

    def _next_frame(self, start: int, size: int) -> int | None:
        assert self._sealer is not None
        form = self._sealer.form
        while start < size:
            octets = os.pread(self._descriptor, _SEARCH_BYTES + form.frame_head_bytes, start)
            at = octets.find(MARK)
            while at >= 0 and at + form.frame_head_bytes <= len(octets):
                head = form.frame_head(octets, at, start + at)
                if head is not None and start + at + head.size + head.length <= size:
                    return start + at
                at = octets.find(MARK, at + 1)
            start += _SEARCH_BYTES
        return None

    def _is_empty(self, start: int, size: int) -> bool:
        while start < size:
            octets = os.pread(self._descriptor, min(_SEARCH_BYTES, size - start), start)
            if octets.count(0) != len(octets) or not octets:
                return not octets
            start += len(octets)
        return True

    def _is_doubtful(self, position: Position) -> bool:
        """Whether what cannot be read at *position* was first seen too little ago to be called damaged."""
        if self._doubtful != position:
            self._doubtful, self._doubtful_since_s = position, self._clock_s()
        if self._clock_s() - self._doubtful_since_s < DOUBT_S:
            return True
        self._doubtful = None
        return False

    def _open_frame(self, offset: int, sealed: bytes, head: FrameHead) -> Record | None:
        assert self._sealer is not None
        if zlib.crc32(sealed) != head.crc:
            return None
        plain = self._sealer.open(offset, sealed)
        if plain is None:
            return None
        try:
            return Record.decode(plain)
        except ValueError:
            return None
