"""The reading end of the journal."""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from pathlib import Path

from levo.satellite.queue.journal import KEY_NAME
from levo.satellite.queue.record import Position, Record
from levo.satellite.queue.segment import (
    FRAME_HEAD,
    HEAD_BYTES,
    Sealer,
    head_is_sound,
    load_key,
    segment_numbers,
    segment_path,
)

_READ_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class ReadStatistics:
    """Snapshot of what a reader could not use."""

    torn_bytes: int
    """Octets at the end of closed segments that a crash or a failed write cut short; never acknowledged."""
    damaged_total: int
    """Complete frames whose content is not what was written, or that this version cannot read."""


class JournalReader:
    """Reads records in order, from a position on. One thread uses it; the writer may be another process.

    A segment is left for its successor only when the successor was there *before* its end was seen: the
    writer never returns to a segment once the next one exists.
    """

    def __init__(self, folder: Path, position: Position) -> None:
        self._folder = folder
        self._position = position
        self._key = load_key(folder / KEY_NAME)
        self._descriptor = -1
        self._number = 0
        self._sealer: Sealer | None = None
        self._torn_bytes = self._damaged = 0

    @property
    def position(self) -> Position:
        """After the last record that :meth:`read` returned."""
        return self._position

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
            records = self._read_segment(limit_bytes, closed=self._number < newest)
            if records or self._number >= newest:
                return records
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
            if head_is_sound(head):
                break
            os.close(descriptor)
            if number >= newest:
                return False
            self._torn_bytes += len(head)
            self._position = Position(number + 1, 0)
        self._descriptor, self._number = descriptor, number
        self._sealer = Sealer(self._key, number, head)
        if self._position.segment != number or self._position.offset < HEAD_BYTES:
            self._position = Position(number, HEAD_BYTES)
        return True

    def _leave_segment(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._sealer = -1, None

    def _read_segment(self, limit_bytes: int, *, closed: bool) -> list[Record]:
        assert self._sealer is not None
        records: list[Record] = []
        offset = self._position.offset
        size = os.fstat(self._descriptor).st_size
        octets = os.pread(self._descriptor, max(limit_bytes, FRAME_HEAD.size), offset)
        used = 0
        while used + FRAME_HEAD.size <= len(octets):
            length, crc = FRAME_HEAD.unpack_from(octets, used)
            end = used + FRAME_HEAD.size + length
            if offset + end > size:
                break
            if end > len(octets):
                if used:
                    break
                octets = os.pread(self._descriptor, end, offset)
                if len(octets) < end:
                    break
            record = self._open_frame(offset + used, octets[used + FRAME_HEAD.size : end], crc)
            if record is not None:
                records.append(record)
            elif not closed and offset + end == size:
                break  # the writer may be in the middle of it
            else:
                self._damaged += 1
            used = end
        self._position = Position(self._number, offset + used)
        if closed and not records and used == 0:
            self._torn_bytes += max(0, size - offset)
        elif not records and used:
            return self._read_segment(limit_bytes, closed=closed)
        return records

    def _open_frame(self, offset: int, sealed: bytes, crc: int) -> Record | None:
        assert self._sealer is not None
        if zlib.crc32(sealed) != crc:
            return None
        plain = self._sealer.open(offset, sealed)
        if plain is None:
            return None
        try:
            return Record.decode(plain)
        except ValueError:
            return None
