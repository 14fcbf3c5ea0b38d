"""A bounded queue of encoded requests on disk, oldest first, that survives a killed process.

Layout: a directory of segment files ``NNNNNNNNNNNNNNNN.spool``, numbered upwards, a file ``key`` and a file
``lock``. A segment is a sequence of sealed records (``record.py``). The key is made anew when the spool is
found empty, so whatever is left on the disk of earlier segments is unreadable from then on; where it is lost,
what waits is counted as damaged.

Every file is opened by its name in the directory, which is open from the start, and never through a link. A
file of a stranger (``levo.files``) is neither a segment nor a key.

A new process never appends to an old segment, so only its own writes can tear: a torn tail ends its segment
and is counted. Damage elsewhere costs the records that it lies in. A record is settled (delivered, or given
up by the sender) by overwriting one octet; a process that dies between the answer and that octet delivers the
record again (at least once). A segment whose records are all settled is deleted, or emptied when it is the
one being written.

Durability: an appended record survives the death of the process at once. It survives the death of the
machine after ``sync()``, which the owner calls whenever it has caught up and which rotation and ``close`` do
too (fsync).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from levo.files import open_folder
from levo.sensor.export.batch import EncodedRequest
from levo.sensor.export.failure import SpoolError
from levo.sensor.export.record import HEAD_BYTES, MAGIC, OVERHEAD_BYTES, Head, parse_head, seal, unseal
from levo.sensor.export.sealing import KEY_BYTES, Sealer

_NAME = re.compile(r"(\d{16})\.spool")
_READ_STEP = 1 << 20
_KEY, _NEW_KEY, _LOCK = "key", "key.new", "lock"
_PLAINLY = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""No link is followed, and no planted pipe waited for."""
_NOT_OURS = (errno.ENOENT, errno.ELOOP, errno.ENXIO)
"""Errors of opening that say so."""


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
    """Stretches without a readable head, found at opening: unfinished ends, or damage."""
    torn_bytes: int


@dataclass(slots=True)
class _Segment:
    number: int
    size: int = 0
    """Octets of whole records."""
    read_at: int = 0
    """Where the next unread record starts."""
    unread_traces: int = 0
    unread: int = 0
    """Records waiting."""
    unsettled: int = 0
    """Records waiting or leased."""

    @property
    def name(self) -> str:
        return f"{self.number:016d}.spool"


@dataclass(slots=True)
class Lease:
    """The oldest waiting record, taken out for one delivery attempt. Settle or release it."""

    request: EncodedRequest = field(repr=False)
    segment: int
    at: int
    settlement: tuple[int, bytes]
    """Offset in the segment, and octet, that settle it."""
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
        self.warnings: tuple[str, ...] = ()
        """Who else can change what is on the disk."""
        self._directory_fd = self._lock_fd = -1
        try:
            made = not os.path.lexists(directory)
            self._directory_fd, warnings = open_folder(directory, owner)
            self.warnings = tuple(warnings)
            self._trusted = frozenset({0, os.geteuid(), *(() if owner is None else owner[:1])})
            self._lock_fd = self._open(_LOCK, os.O_RDWR | os.O_CREAT)
            self._take_lock()
            self._trusted |= {self._shown_owner()}
            if owner is not None:
                self._hand_over(made, owner)
            self._next_number = 1
            self._sealer = Sealer(self._recover(owner))
        except OSError as exc:
            self._close_files()
            raise self._error(exc) from None
        except SpoolError:
            self._close_files()
            raise

    def append(self, request: EncodedRequest) -> None:
        """Add *request* at the end, dropping the oldest segments first when the bound asks for it.

        Raises SpoolError when the disk refuses; the spool is unchanged then. A record larger than the whole
        bound is refused in the same way.
        """
        record_size = OVERHEAD_BYTES + len(request.body)
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
                data = seal(self._sealer, segment.number, segment.size, request)
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
                self._mark(segment, lease.settlement)
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
                        self._unlink(segment)
            except OSError:
                pass  # everything appended is with the kernel already; a delivered record may go again
            self._closed = True
            self._close_files()

    # Everything below runs under the lock (or before anybody else knows the object).

    def _close_files(self) -> None:
        for descriptor in (self._write_fd, self._read_fd, self._directory_fd, self._lock_fd):
            if descriptor >= 0:
                os.close(descriptor)
        self._write_fd = self._read_fd = self._directory_fd = self._lock_fd = -1

    def _open(self, name: str, flags: int) -> int:
        return os.open(name, flags | _PLAINLY, 0o600, dir_fd=self._directory_fd)

    def _open_ours(self, name: str, flags: int) -> int:
        """Open a file that nobody else can have put there; raises OSError (ENOENT) for any other."""
        descriptor = self._open(name, flags)
        found = os.fstat(descriptor)
        if stat.S_ISREG(found.st_mode) and found.st_uid in self._trusted and found.st_nlink == 1:
            return descriptor
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    def _shown_owner(self) -> int:
        """Whom our files belong to: network file systems map users."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_NEW_KEY, dir_fd=self._directory_fd)
        descriptor = self._open(_NEW_KEY, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            return os.fstat(descriptor).st_uid
        finally:
            os.close(descriptor)
            os.unlink(_NEW_KEY, dir_fd=self._directory_fd)

    def _unlink(self, segment: _Segment) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(segment.name, dir_fd=self._directory_fd)

    def _take_lock(self) -> None:
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SpoolError(f"spool directory {self._directory} is in use by another sensor") from None

    def _hand_over(self, made: bool, owner: tuple[int, int]) -> None:
        """Give *owner* the files of a spool that was just *made*, or that root wrote as root."""
        found = os.fstat(self._directory_fd)
        # Only where root alone could have put them: else a link could give away any file.
        if made or (found.st_uid == 0 and not found.st_mode & 0o022):
            for each in os.scandir(self._directory_fd):
                known = each.name in (_LOCK, _KEY) or _NAME.fullmatch(each.name)
                if known and each.is_file(follow_symlinks=False):
                    os.chown(each.name, *owner, dir_fd=self._directory_fd, follow_symlinks=False)
            os.fchown(self._directory_fd, *owner)

    def _recover(self, owner: tuple[int, int] | None) -> bytes:
        """Take stock of the segments; the key to read and write with."""
        key = self._read_key()
        # Without the key nothing that is sealed can be searched for, but heads still tell what is lost.
        self._sealer = Sealer(key or bytes(KEY_BYTES))
        for name in sorted(name for name in os.listdir(self._directory_fd) if _NAME.fullmatch(name)):
            segment = _Segment(int(name[:16]))
            self._next_number = max(self._next_number, segment.number + 1)
            try:
                descriptor = self._open_ours(name, os.O_RDONLY)
            except OSError as exc:
                if exc.errno not in _NOT_OURS:
                    raise
                self._torn_records += 1
                continue
            try:
                self._scan(segment, descriptor)
            finally:
                os.close(descriptor)
            if segment.unsettled:
                self._segments.append(segment)
            else:
                self._unlink(segment)
        self._recovered = sum(segment.unread_traces for segment in self._segments)
        self._waiting = sum(segment.unread for segment in self._segments)
        self._bytes = sum(segment.size for segment in self._segments)
        while len(self._segments) > 1 and self._bytes > self._max_bytes:
            self._evict_oldest()
        if key is None or not self._segments:
            key = self._make_key(owner)
        return key

    def _read_key(self) -> bytes | None:
        """The key; None where there is none, or none that only we can have written."""
        try:
            descriptor = self._open_ours(_KEY, os.O_RDONLY)
        except OSError as exc:
            if exc.errno in _NOT_OURS:
                return None
            raise
        try:
            key = _read_all(descriptor, KEY_BYTES + 1, 0)
        finally:
            os.close(descriptor)
        return key if len(key) == KEY_BYTES else None

    def _make_key(self, owner: tuple[int, int] | None) -> bytes:
        key = os.urandom(KEY_BYTES)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_NEW_KEY, dir_fd=self._directory_fd)
        descriptor = self._open(_NEW_KEY, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            _write_all(descriptor, key, 0)
            if owner is not None:
                os.fchown(descriptor, *owner)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(_NEW_KEY, _KEY, src_dir_fd=self._directory_fd, dst_dir_fd=self._directory_fd)
        os.fsync(self._directory_fd)
        return key

    def _scan(self, segment: _Segment, descriptor: int) -> None:
        """Count the records of a segment by their heads; the bodies are checked when they are read."""
        end = os.fstat(descriptor).st_size
        for at, size, head in self._stretches(segment.number, descriptor, 0, end):
            if head is None:
                self._torn_records += 1
                self._torn_bytes += size
                continue
            segment.size = at + size
            if not head.settled:
                segment.unread_traces += head.traces
                segment.unread += 1
                segment.unsettled += 1

    def _stretches(
        self, number: int, descriptor: int, at: int, end: int
    ) -> Iterator[tuple[int, int, Head | None]]:
        """What lies from *at* to *end*: offset, size, and the head of a record or None for damage."""
        while at < end:
            head = parse_head(os.pread(descriptor, HEAD_BYTES, at))
            if head is not None and at + head.record_size <= end:
                yield at, head.record_size, head
                at += head.record_size
            else:
                following = self._next_record(number, descriptor, at + 1, end)
                yield at, following - at, None
                at = following

    def _next_record(self, number: int, descriptor: int, at: int, end: int) -> int:
        """Where the first sealed record from *at* on begins, its tag checked; *end* if there is none."""
        while at < end:
            octets = os.pread(descriptor, min(_READ_STEP, end - at), at)
            found = octets.find(MAGIC)
            if found < 0:
                # A magic may be cut by the end of what was read.
                at += max(1, len(octets) - len(MAGIC) + 1)
                continue
            at += found
            head = parse_head(os.pread(descriptor, HEAD_BYTES, at))
            if head is not None and at + head.record_size <= end:
                body = _read_all(descriptor, head.length, at + head.size)
                if unseal(self._sealer, number, at, head, body) is not None:
                    return at
            at += 1
        return end

    def _read_record(self, segment: _Segment) -> Lease | None:
        """Read the record at the cursor and step over it. None when it was settled or damaged."""
        descriptor = self._reader(segment)
        at = segment.read_at
        head = parse_head(os.pread(descriptor, HEAD_BYTES, at))
        if head is None or at + head.record_size > segment.size:
            self._step_over_damage(segment, descriptor)
            return None
        segment.read_at = at + head.record_size
        if head.settled:
            return None
        body = _read_all(descriptor, head.length, at + head.size)
        segment.unread_traces -= head.traces
        segment.unread -= 1
        self._waiting -= 1
        settlement = head.settlement(at)
        request = unseal(self._sealer, segment.number, at, head, body)
        if request is None:
            self._damaged += head.traces
            segment.unsettled -= 1
            self._mark(segment, settlement)
            self._tidy(segment)
            return None
        return Lease(request, segment.number, at, settlement)

    def _step_over_damage(self, segment: _Segment, descriptor: int) -> None:
        """Go on with the next readable record of *segment*. What waited between is lost."""
        start = self._next_record(segment.number, descriptor, segment.read_at + 1, segment.size)
        rest = [
            head.traces
            for _, _, head in self._stretches(segment.number, descriptor, start, segment.size)
            if head is not None and not head.settled
        ]
        if not rest or len(rest) > segment.unread or sum(rest) > segment.unread_traces:
            self._give_up(segment)
            return
        lost = segment.unread - len(rest)
        self._damaged += segment.unread_traces - sum(rest)
        self._waiting -= lost
        segment.unsettled -= lost
        segment.unread, segment.unread_traces = len(rest), sum(rest)
        segment.read_at = start

    def _reader(self, segment: _Segment) -> int:
        if self._read_number != segment.number:
            if self._read_fd >= 0:
                os.close(self._read_fd)
                self._read_fd = -1
            self._read_fd = self._open_ours(segment.name, os.O_RDWR)
            self._read_number = segment.number
        return self._read_fd

    def _mark(self, segment: _Segment, settlement: tuple[int, bytes]) -> None:
        at, octet = settlement
        os.pwrite(self._reader(segment), octet, at)

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
            self._unlink(segment)
        except OSError:
            # It cannot be removed: at least do not deliver it again after a restart.
            with contextlib.suppress(OSError):
                os.close(self._open_ours(segment.name, os.O_WRONLY | os.O_TRUNC))

    def _segment_for(self, record_size: int) -> _Segment:
        """The segment being written, or a new one when it is full or there is none."""
        if self._writing is not None:
            segment = self._segments[-1]
            if segment.size == 0 or segment.size + record_size <= self._segment_bytes:
                return segment
            self._sync()
            os.close(self._write_fd)
            self._write_fd, self._writing = -1, None
        segment = _Segment(self._next_number)
        self._write_fd = self._open(segment.name, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        self._next_number += 1
        self._writing = segment.number
        self._new_name = True
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
