"""A bounded queue of encoded requests on disk, oldest first, that survives a killed process.

Layout: a directory of segment files ``NNNNNNNNNNNNNNNN.spool``, numbered upwards, and a ``lock`` file. A
segment is a sequence of records::

    magic   4 octets  "LvR1"
    length  u32       octets of the body        (integers are little-endian)
    traces  u32       traces in the body
    flags   u32       bit 0: the body is gzip-compressed
    body    u32       CRC-32 of the body
    header  u32       CRC-32 of the five fields above
    state   1 octet   0 waiting, 1 settled; overwritten in place
    body    length octets

A new process never appends to an old segment, so only its own writes can tear: a torn tail ends its segment
and is counted. A record is settled (delivered, or given up by the sender) by overwriting one octet; a
process that dies between the answer and that octet delivers the record again (at least once). A segment
whose records are all settled is deleted, or emptied when it is the one being written.

Durability: an appended record survives the death of the process at once. It survives the death of the
machine after ``sync()``, which the owner calls whenever it has caught up and which rotation and ``close`` do
too (fsync).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import struct
import threading
import zlib
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from levo.sensor.export.batch import EncodedRequest
from levo.sensor.export.failure import SpoolError

_HEADER = struct.Struct("<4s5I")
_MAGIC = b"LvR1"
_STATE_AT = _HEADER.size
_RECORD_HEAD = _HEADER.size + 1
_WAITING, _SETTLED = b"\0", b"\1"
_FLAG_GZIPPED = 1
_NAME = re.compile(r"(\d{16})\.spool")
_READ_STEP = 1 << 20


@dataclass(frozen=True, slots=True)
class SpoolLosses:
    """Traces, and what else, that left the spool undelivered since the last ``take_losses``."""

    evicted_traces: int = 0
    """Dropped, oldest first, to stay within the bound."""
    damaged_traces: int = 0
    """Unreadable: a failed checksum, a vanished or shortened file."""


@dataclass(frozen=True, slots=True)
class SpoolStatistics:
    """Immutable snapshot."""

    waiting_traces: int
    bytes_on_disk: int
    recovered_traces: int
    """Found waiting when the directory was opened, left by an earlier process."""
    torn_records: int
    """Ends of segments, found at opening, that an earlier process did not finish writing."""
    torn_bytes: int


@dataclass(slots=True)
class _Segment:
    number: int
    path: Path
    size: int = 0
    """Octets of whole records."""
    read_at: int = 0
    """Where the next unread record starts."""
    unread_traces: int = 0
    unread: int = 0
    """Records waiting."""
    unsettled: int = 0
    """Records waiting or leased."""


@dataclass(slots=True)
class Lease:
    """The oldest waiting record, taken out for one delivery attempt. Settle or release it."""

    request: EncodedRequest = field(repr=False)
    segment: int
    at: int
    evicted: bool = False
    """Its segment was dropped meanwhile: releasing it loses it."""


class Spool:
    """One writer thread appends, one sender thread leases; any thread may read the statistics."""

    def __init__(
        self,
        directory: Path,
        max_bytes: int = 256 * 1024 * 1024,
        segment_bytes: int = 8 * 1024 * 1024,
        owner: tuple[int, int] | None = None,
    ):
        """Open or create *directory* (mode 0700) and take stock of it; raises SpoolError.

        *max_bytes* bounds all segments together; a segment is never larger than a quarter of it, unless one
        record is. What is made here, and what root left in a folder of its own, goes to *owner* (user and
        group), as whom the process will go on.
        """
        self._directory = directory
        self._max_bytes = max_bytes
        self._segment_bytes = max(1, min(segment_bytes, max_bytes // 4))
        self._lock = threading.Lock()
        self._segments: deque[_Segment] = deque()
        self._writing: int | None = None
        self._write_fd = -1
        self._read_fd = -1
        self._read_number = -1
        self._lease: Lease | None = None
        # Written under the lock, read without it: whoever must not wait for the disk reads these.
        self._waiting = self._bytes = 0
        self._evicted = self._damaged = 0
        self._torn_records = self._torn_bytes = 0
        self._recovered = 0
        self._dirty = self._new_name = False
        self._closed = False
        made = (
            [] if owner is None else [each for each in (directory, *directory.parents) if not each.exists()]
        )
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock_fd = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise self._error(exc) from None
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock_fd)
            raise SpoolError(f"spool directory {directory} is in use by another sensor") from None
        self._directory_fd = -1
        try:
            if owner is not None:
                _hand_over(directory, made, owner)
            self._next_number = 1
            self._recover()
            self._directory_fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as exc:
            os.close(self._lock_fd)
            raise self._error(exc) from None

    def append(self, request: EncodedRequest) -> None:
        """Add *request* at the end, dropping the oldest segments first when the bound asks for it.

        Raises SpoolError when the disk refuses; the spool is unchanged then. A record larger than the whole
        bound is refused in the same way.
        """
        flags = _FLAG_GZIPPED if request.gzipped else 0
        head = _HEADER.pack(_MAGIC, len(request.body), request.traces, flags, zlib.crc32(request.body), 0)[
            :-4
        ]
        record_size = _RECORD_HEAD + len(request.body)
        with self._lock:
            if self._closed:
                raise SpoolError(f"spool directory {self._directory} is closed")
            if record_size > self._max_bytes:
                raise SpoolError(
                    f"spool directory {self._directory}: {record_size} octets in one request exceed its bound"
                )
            while self._segments and self._bytes + record_size > self._max_bytes:
                self._evict_oldest()
            try:
                segment = self._segment_for(record_size)
                data = head + struct.pack("<I", zlib.crc32(head)) + _WAITING + request.body
                try:
                    _write_all(self._write_fd, data, segment.size)
                except OSError:
                    os.ftruncate(self._write_fd, segment.size)
                    raise
            except OSError as exc:
                raise self._error(exc) from None
            segment.size += record_size
            self._bytes += record_size
            segment.unread_traces += request.traces
            segment.unread += 1
            segment.unsettled += 1
            self._waiting += 1
            self._dirty = True

    def lease(self) -> Lease | None:
        """The oldest waiting record, or None. Damaged records on the way are skipped and counted."""
        with self._lock:
            if self._lease is not None:
                raise RuntimeError("the last lease is neither settled nor released")
            if self._closed:
                return None
            while self._segments:
                segment = self._segments[0]
                if segment.read_at >= segment.size:
                    if segment.number == self._writing:
                        return None
                    self._remove(segment)
                    continue
                try:
                    found = self._read_record(segment)
                except OSError:
                    self._give_up(segment)
                    continue
                if found is not None:
                    self._lease = found
                    return found
            return None

    def settle(self, lease: Lease) -> None:
        """The lease's request was delivered, or will never be: it leaves the spool."""
        with self._lock:
            if self._lease is not lease:
                return
            self._lease = None
            if lease.evicted or self._closed:
                return
            segment = self._segments[0]
            segment.unsettled -= 1
            try:
                self._mark(segment, lease.at)
                self._tidy(segment)
            except OSError:
                pass  # it is delivered again after a restart, no worse

    def release(self, lease: Lease) -> None:
        """The attempt failed: the record is the oldest one again, or lost if evicted meanwhile."""
        with self._lock:
            if self._lease is not lease:
                return
            self._lease = None
            if lease.evicted:
                self._evicted += lease.request.traces
            elif not self._closed:
                segment = self._segments[0]
                segment.read_at = lease.at
                segment.unread_traces += lease.request.traces
                segment.unread += 1
                self._waiting += 1

    def take_losses(self) -> SpoolLosses:
        """What was lost since the last call."""
        with self._lock:
            losses = SpoolLosses(self._evicted, self._damaged)
            self._evicted = self._damaged = 0
            return losses

    def has_waiting(self) -> bool:
        """Whether ``lease`` would (unless all is damaged) return a record. Never waits for the disk."""
        return self._waiting > 0 and not self._closed

    @property
    def bytes_on_disk(self) -> int:
        """Octets of all segments. Never waits for the disk."""
        return self._bytes

    def sync(self) -> None:
        """Make what was appended survive the machine (fdatasync).

        Raises SpoolError. Holds up no other thread.
        """
        copies: list[int] = []
        try:
            with self._lock:
                if self._dirty and self._write_fd >= 0:
                    copies.append(os.dup(self._write_fd))
                if self._new_name and self._directory_fd >= 0:
                    copies.append(os.dup(self._directory_fd))
                self._dirty = self._new_name = False
            for descriptor in copies:
                os.fsync(descriptor)
        except OSError as exc:
            raise self._error(exc) from None
        finally:
            for descriptor in copies:
                os.close(descriptor)

    def statistics(self) -> SpoolStatistics:
        with self._lock:
            leased = self._lease.request.traces if self._lease is not None else 0
            return SpoolStatistics(
                waiting_traces=sum(segment.unread_traces for segment in self._segments) + leased,
                bytes_on_disk=self._bytes,
                recovered_traces=self._recovered,
                torn_records=self._torn_records,
                torn_bytes=self._torn_bytes,
            )

    def close(self) -> None:
        """Release the files; what waits stays for the next process.

        Legal twice, and with a lease outstanding.
        """
        with self._lock:
            if self._closed:
                return
            try:
                self._sync()
                for segment in list(self._segments):
                    if segment.unsettled == 0:
                        self._segments.remove(segment)
                        self._bytes -= segment.size
                        segment.path.unlink(missing_ok=True)
            except OSError:
                pass  # everything appended is with the kernel already; a delivered record may go again
            self._closed = True
            for descriptor in (self._write_fd, self._read_fd, self._directory_fd, self._lock_fd):
                if descriptor >= 0:
                    os.close(descriptor)
            self._write_fd = self._read_fd = self._directory_fd = -1

    # Everything below runs under the lock (or before anybody else knows the object).

    def _recover(self) -> None:
        names = sorted(name for name in os.listdir(self._directory) if _NAME.fullmatch(name))
        for name in names:
            number = int(name[:16])
            segment = _Segment(number, self._directory / name)
            self._next_number = max(self._next_number, number + 1)
            self._scan(segment)
            if segment.unsettled:
                self._segments.append(segment)
            else:
                segment.path.unlink(missing_ok=True)
        self._recovered = sum(segment.unread_traces for segment in self._segments)
        self._waiting = sum(segment.unread for segment in self._segments)
        self._bytes = sum(segment.size for segment in self._segments)
        while len(self._segments) > 1 and self._bytes > self._max_bytes:
            self._evict_oldest()

    def _scan(self, segment: _Segment) -> None:
        """Count the records of a segment by their heads; the bodies are checked when they are read."""
        with open(segment.path, "rb") as file:
            end = os.fstat(file.fileno()).st_size
            while segment.size < end:
                file.seek(segment.size)
                parsed = _parse_head(file.read(_RECORD_HEAD))
                if parsed is None or segment.size + _RECORD_HEAD + parsed.length > end:
                    self._torn_records += 1
                    self._torn_bytes += end - segment.size
                    return
                if not parsed.settled:
                    segment.unread_traces += parsed.traces
                    segment.unread += 1
                    segment.unsettled += 1
                segment.size += _RECORD_HEAD + parsed.length

    def _read_record(self, segment: _Segment) -> Lease | None:
        """Read the record at the cursor and step over it. None when it was settled or damaged."""
        descriptor = self._reader(segment)
        at = segment.read_at
        parsed = _parse_head(os.pread(descriptor, _RECORD_HEAD, at))
        if parsed is None or at + _RECORD_HEAD + parsed.length > segment.size:
            self._give_up(segment)
            return None
        segment.read_at = at + _RECORD_HEAD + parsed.length
        if parsed.settled:
            return None
        body = _read_all(descriptor, parsed.length, at + _RECORD_HEAD)
        segment.unread_traces -= parsed.traces
        segment.unread -= 1
        self._waiting -= 1
        if zlib.crc32(body) != parsed.crc:
            self._damaged += parsed.traces
            segment.unsettled -= 1
            self._mark(segment, at)
            self._tidy(segment)
            return None
        return Lease(EncodedRequest(parsed.traces, body, parsed.gzipped), segment.number, at)

    def _reader(self, segment: _Segment) -> int:
        if self._read_number != segment.number:
            if self._read_fd >= 0:
                os.close(self._read_fd)
                self._read_fd = -1
            self._read_fd = os.open(segment.path, os.O_RDWR | os.O_CLOEXEC)
            self._read_number = segment.number
        return self._read_fd

    def _mark(self, segment: _Segment, at: int) -> None:
        os.pwrite(self._reader(segment), _SETTLED, at + _STATE_AT)

    def _tidy(self, segment: _Segment) -> None:
        """Nothing waits in *segment*: take what it holds off the disk."""
        if segment.unsettled or segment.read_at < segment.size:
            return
        if segment.number == self._writing:
            os.ftruncate(self._write_fd, 0)
            self._bytes -= segment.size
            segment.size = segment.read_at = 0
        else:
            self._remove(segment)

    def _give_up(self, segment: _Segment) -> None:
        """The rest of *segment* cannot be read."""
        self._damaged += segment.unread_traces
        self._remove(segment)

    def _evict_oldest(self) -> None:
        segment = self._segments[0]
        self._evicted += segment.unread_traces
        if self._lease is not None and self._lease.segment == segment.number:
            self._lease.evicted = True
        self._remove(segment)

    def _remove(self, segment: _Segment) -> None:
        self._segments.remove(segment)
        self._bytes -= segment.size
        self._waiting -= segment.unread
        if self._read_number == segment.number:
            os.close(self._read_fd)
            self._read_fd = self._read_number = -1
        if self._writing == segment.number:
            os.close(self._write_fd)
            self._write_fd, self._writing, self._dirty = -1, None, False
        try:
            segment.path.unlink(missing_ok=True)
        except OSError:
            # It cannot be removed: at least do not deliver it again after a restart.
            with contextlib.suppress(OSError):
                os.truncate(segment.path, 0)

    def _segment_for(self, record_size: int) -> _Segment:
        """The segment being written, or a new one when it is full or there is none."""
        if self._writing is not None:
            segment = self._segments[-1]
            if segment.size == 0 or segment.size + record_size <= self._segment_bytes:
                return segment
            self._sync()
            os.close(self._write_fd)
            self._write_fd, self._writing = -1, None
        number = self._next_number
        path = self._directory / f"{number:016d}.spool"
        self._write_fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._next_number += 1
        self._writing = number
        self._new_name = True
        segment = _Segment(number, path)
        self._segments.append(segment)
        return segment

    def _sync(self) -> None:
        if self._dirty and self._write_fd >= 0:
            os.fdatasync(self._write_fd)
        if self._new_name and self._directory_fd >= 0:
            os.fsync(self._directory_fd)
        self._dirty = self._new_name = False

    def _error(self, exc: OSError) -> SpoolError:
        return SpoolError(f"spool directory {self._directory}: {exc.strerror or type(exc).__name__}")


@dataclass(frozen=True, slots=True)
class _Head:
    length: int
    traces: int
    gzipped: bool
    crc: int
    settled: bool


def _parse_head(octets: bytes) -> _Head | None:
    """None when *octets* are not a whole and intact record head."""
    if len(octets) < _RECORD_HEAD:
        return None
    magic, length, traces, flags, crc, check = _HEADER.unpack_from(octets)
    if magic != _MAGIC or zlib.crc32(octets[: _HEADER.size - 4]) != check:
        return None
    return _Head(
        length, traces, bool(flags & _FLAG_GZIPPED), crc, octets[_STATE_AT : _STATE_AT + 1] == _SETTLED
    )


def _write_all(descriptor: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, at)
        view = view[written:]
        at += written


def _read_all(descriptor: int, size: int, at: int) -> bytes:
    """Up to *size* octets; fewer only at the end of the file."""
    parts = []
    while size:
        part = os.pread(descriptor, min(size, _READ_STEP), at)
        if not part:
            break
        parts.append(part)
        size -= len(part)
        at += len(part)
    return b"".join(parts)


def _hand_over(directory: Path, made: list[Path], owner: tuple[int, int]) -> None:
    """Give *owner* the folders that were *made*, and the files of a spool that root wrote as root."""
    for folder in made:
        os.chown(folder, *owner, follow_symlinks=False)
    found = directory.lstat()
    # Only where root alone could have put them: else a link could give away any file.
    if directory in made or (found.st_uid == 0 and not found.st_mode & 0o022):
        for each in os.scandir(directory):
            if (each.name == "lock" or _NAME.fullmatch(each.name)) and each.is_file(follow_symlinks=False):
                os.chown(each.path, *owner, follow_symlinks=False)
        os.chown(directory, *owner, follow_symlinks=False)
