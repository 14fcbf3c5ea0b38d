"""The writing end of the journal: durable appends in groups, segments that die when learned."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from levo.errors import LevoError
from levo.files import free_bytes
from levo.satellite.queue.record import Position, Record
from levo.satellite.queue.segment import (
    FRAME_HEAD_BYTES,
    HEAD_BYTES,
    TAG_BYTES,
    Sealer,
    load_key,
    make_key,
    new_head,
    segment_numbers,
    segment_path,
    sync_folder,
)

_LOG = logging.getLogger(__name__)
_MAX_GROUP_BYTES = 16 << 20
_MAX_GROUP_FRAMES = 512
KEY_NAME = "journal.key"
MIN_FREE_BYTES = 64 << 20
"""Left free on the disk: the catalog must be able to commit, or the journal could never shrink."""
_ORDINARY_BYTES = 64 << 10
"""A journal without room for a record of this size is full, whether one was refused yet or not."""
RECENT_S = 30.0
"""So long a refusal of a larger record, or a failed write, says something about now: only the next write can
show that the disk works again, and who asks for readiness first sends none."""


class JournalFull(LevoError):
    """The journal holds as much as it may, or as the disk allows. The same record may fit later."""


class JournalUnavailable(LevoError):
    """The journal cannot be written now: the disk refuses, or it is closing."""


@dataclass(frozen=True, slots=True)
class JournalStatistics:
    """Snapshot. ``appended == durable + failed + pending`` in records."""

    appended_total: int
    """Records that :meth:`Journal.append` took in."""
    durable_total: int
    """Records confirmed as durable."""
    failed_total: int
    """Records whose senders were told that they were not stored."""
    refused_total: int
    """Records that were not taken in, for want of room."""
    pending: int
    pending_bytes: int
    stored_bytes: int
    """Octets on disk that the learners have not yet released."""
    groups_total: int
    """Synchronizations with the disk; ``durable_total / groups_total`` records shared one."""


@dataclass(slots=True)
class _Entry:
    octets: bytes
    done: Future[Position]


class Journal:
    """Append-only, encrypted, bounded. One process writes; a thread of its own does it.

    All appends that arrive while the disk is busy share the next synchronization. A segment is deleted once
    the learners have released all of it, also the one that is being written: its successor is opened with the
    next append. After any failed write the segment is abandoned at its last durable octet.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int,
        segment_bytes: int = 32 << 20,
        max_pending_bytes: int = 128 << 20,
        min_free_bytes: int = MIN_FREE_BYTES,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open the journal in *folder*, made if absent.

        Args:
            max_bytes: bound on disk, over all segments.
            segment_bytes: a segment that has grown past this is closed.
            max_pending_bytes: bound on records waiting for the disk, in memory.
            min_free_bytes: what the file system must have left for others.
            clock_s: a clock that is never set back.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._max_bytes = max_bytes
        self._segment_bytes = segment_bytes
        self._max_pending_bytes = max_pending_bytes
        self._min_free_bytes = min_free_bytes
        self._clock_s = clock_s
        self._refused_bytes, self._refused_s = 0, float("-inf")
        self._failed_s = float("-inf")
        self._end = Position(0, 0)
        numbers = segment_numbers(folder)
        path = folder / KEY_NAME
        # A new key makes whatever is left on the disk of earlier segments unreadable, so one is made whenever
        # the journal is found empty.
        self._key = load_key(path) if numbers and path.exists() else make_key(path)
        self._sizes = {number: segment_path(folder, number).stat().st_size for number in numbers}
        self._stored_bytes = sum(self._sizes.values())
        self._last_number = numbers[-1] if numbers else 0
        self._descriptor = -1
        self._offset = 0
        self._sealer: Sealer | None = None
        self._released = Position(0, 0)
        self._release_is_new = False
        self._wake = threading.Condition()
        self._pending: deque[_Entry] = deque()
        self._pending_bytes = 0
        self._in_group = 0
        self._closing = False
        self._refusing = False
        self._appended = self._durable = self._failed = self._refused = self._groups = 0
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def skip_past(self, position: Position) -> None:
        """Number coming segments after *position*, which the learners' checkpoint holds.

        Call before the first append: segments may all be gone while the checkpoint remembers their numbers.
        """
        with self._wake:
            self._last_number = max(self._last_number, position.segment)

    def append(self, record: Record) -> Future[Position]:
        """Take *record* in; the future is done once it is durable, with the position after it.

        The future raises :class:`JournalUnavailable` when the record could not be written.

        Raises:
            JournalFull: there is no room on disk or in memory.
            JournalUnavailable: the journal is closing.
        """
        octets = record.encode()
        size = len(octets) + FRAME_HEAD_BYTES + TAG_BYTES
        entry = _Entry(octets, Future())
        free = self._free_bytes()
        with self._wake:
            if self._closing:
                raise JournalUnavailable("the Satellite is shutting down")
            full = self._full(size, free)
            if full:
                self._refused += 1
                self._refused_bytes, self._refused_s = size, self._clock_s()
                raise JournalFull(full)
            self._appended += 1
            self._pending.append(entry)
            self._pending_bytes += size
            self._wake.notify()
        return entry.done

    def refusal(self) -> str:
        """Return why records are refused now, empty if they are not; callable from any thread."""
        free = self._free_bytes()
        with self._wake:
            now_s = self._clock_s()
            if self._refusing and now_s - self._failed_s < RECENT_S:
                return "the journal cannot be written"
            recent = now_s - self._refused_s < RECENT_S
            ordinary = min(_ORDINARY_BYTES, self._max_bytes // 8)
            return self._full(max(ordinary, self._refused_bytes if recent else 0), free)

    @property
    def end(self) -> Position:
        """The position after the last record that became durable since the journal was opened."""
        return self._end

    def release(self, position: Position) -> None:
        """Say that everything before *position* is learned and stored: it will not be asked for again."""
        with self._wake:
            if position > self._released:
                self._released = position
                self._release_is_new = True
                self._wake.notify()

    def statistics(self) -> JournalStatistics:
        """Return a snapshot; callable from any thread."""
        with self._wake:
            return JournalStatistics(
                self._appended,
                self._durable,
                self._failed,
                self._refused,
                len(self._pending) + self._in_group,
                self._pending_bytes,
                self._stored_bytes,
                self._groups,
            )

    def close(self) -> None:
        """Write what is pending, then close. Legal twice."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    def tidy(self) -> None:
        """Delete what was released after :meth:`close`, when its thread could not do so any more."""
        assert not self._thread.is_alive()
        try:
            self._delete_released()
        except OSError as error:
            _LOG.error("journal: a learned segment cannot be deleted: %s", error.strerror)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _full(self, size: int, free: int) -> str:
        """Return why a record of *size* octets on disk has no room, empty if it has."""
        if (
            self._pending_bytes + size > self._max_pending_bytes
            or self._stored_bytes + self._pending_bytes + size > self._max_bytes
        ):
            return "the learners are behind; the journal is full"
        return "the disk is full" if free - self._pending_bytes - size < self._min_free_bytes else ""

    def _free_bytes(self) -> int:
        try:
            return free_bytes(self._folder)
        except OSError:
            return 1 << 62  # writing will say what is wrong

    # The rest runs on the journal's own thread.

    def _run(self) -> None:
        while True:
            with self._wake:
                while not (self._pending or self._release_is_new or self._closing):
                    self._wake.wait()
                group = self._take_group()
                finished = self._closing and not group
                self._release_is_new = False
            if group:
                self._write_group(group)
            try:
                self._delete_released()
            except OSError as error:
                _LOG.error("journal: a learned segment cannot be deleted: %s", error.strerror)
            if finished:
                self._abandon_segment()
                return

    def _take_group(self) -> list[_Entry]:
        group: list[_Entry] = []
        size = 0
        while self._pending and size < _MAX_GROUP_BYTES and len(group) < _MAX_GROUP_FRAMES:
            entry = self._pending.popleft()
            size += len(entry.octets)
            group.append(entry)
        self._in_group = len(group)
        return group

    def _write_group(self, group: list[_Entry]) -> None:
        failure: OSError | None = None
        positions: list[Position] = []
        start = self._offset
        try:
            if self._sealer is None or self._offset >= self._segment_bytes:
                self._open_segment()
                start = self._offset
            assert self._sealer is not None
            frames: list[bytes] = []
            offset = start
            for entry in group:
                frame = self._sealer.seal(offset, entry.octets)
                frames.append(frame)
                offset += len(frame)
                positions.append(Position(self._last_number, offset))
            _write_all(self._descriptor, frames)
            os.fdatasync(self._descriptor)
            self._offset = offset
        except OSError as error:
            failure = error
            if not self._refusing:
                _LOG.error("journal: cannot write to %s: %s", self._folder, error.strerror)
            self._truncate_segment(start)
        self._refusing = failure is not None
        taken = sum(len(entry.octets) + FRAME_HEAD_BYTES + TAG_BYTES for entry in group)
        with self._wake:
            self._in_group = 0
            self._pending_bytes -= taken
            self._groups += 1
            if failure is None:
                self._end = positions[-1]
                self._durable += len(group)
                self._stored_bytes += taken
                self._sizes[self._last_number] = self._offset
            else:
                self._failed_s = self._clock_s()
                self._failed += len(group)
        for index, entry in enumerate(group):
            if not entry.done.set_running_or_notify_cancel():
                continue
            if failure is None:
                entry.done.set_result(positions[index])
            else:
                entry.done.set_exception(
                    JournalUnavailable(f"the journal cannot be written: {failure.strerror}")
                )

    def _open_segment(self) -> None:
        self._abandon_segment()
        number = self._last_number + 1
        head = new_head()
        path = segment_path(self._folder, number)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._last_number = number
        try:
            _write_all(descriptor, [head])
            sync_folder(self._folder)
        except OSError:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        self._descriptor, self._offset = descriptor, HEAD_BYTES
        self._sealer = Sealer(self._key, number, head)
        with self._wake:
            self._sizes[number] = HEAD_BYTES
            self._stored_bytes += HEAD_BYTES

    def _abandon_segment(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._sealer, self._offset = -1, None, 0

    def _truncate_segment(self, length: int) -> None:
        """Cut a failed write off, so that what was answered with an error is not learned after all."""
        if self._descriptor >= 0 and self._sealer is not None:
            try:
                if length <= HEAD_BYTES:
                    self._delete_segment(self._last_number)
                else:
                    os.ftruncate(self._descriptor, length)
                    os.fdatasync(self._descriptor)
            except OSError as error:
                _LOG.error("journal: cannot take back a failed write: %s", error.strerror)
        self._abandon_segment()

    def _delete_released(self) -> None:
        released = self._released
        with self._wake:
            done = [number for number in self._sizes if number < released.segment]
            if (
                released.segment in self._sizes
                and released.offset >= self._sizes[released.segment]
                and (released.segment != self._last_number or not self._pending)
            ):
                done.append(released.segment)
        for number in done:
            if number == self._last_number:
                self._abandon_segment()
            self._delete_segment(number)

    def _delete_segment(self, number: int) -> None:
        segment_path(self._folder, number).unlink(missing_ok=True)
        with self._wake:
            self._stored_bytes -= self._sizes.pop(number)


def _write_all(descriptor: int, parts: list[bytes]) -> None:
    octets = b"".join(parts)
    written = 0
    while written < len(octets):
        written += os.write(descriptor, memoryview(octets)[written:])
