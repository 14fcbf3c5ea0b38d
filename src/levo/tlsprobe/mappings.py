"""New mappings of code on the whole machine, told by the kernel, however short a process lives.

One perf event a processor that counts nothing and records PERF_RECORD_MMAP2 for executable mappings
(perf_event_open(2)). It takes CAP_PERFMON.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import struct
from collections.abc import Iterator
from pathlib import Path

from levo.errors import ProbeError
from levo.tlsprobe.discovery import MappedFile

_CALL = {"x86_64": 298, "aarch64": 241}
_SOFTWARE, _DUMMY = 1, 9
_MMAP, _WATERMARK, _MMAP2 = 1 << 8, 1 << 14, 1 << 23
_CLOSE_ON_EXEC = 8
_PAGES = 16
"""Of a processor's ring: some hundred mappings."""
_HEAD, _TAIL = 1024, 1032
"""Where the writer's and the reader's positions are in the first page (struct perf_event_mmap_page)."""
_LOST, _MAPPED = 2, 10


class Mappings:
    """The rings of all processors; :attr:`descriptors` become readable when there is something in them."""

    def __init__(self) -> None:
        """Raises ProbeError: the kernel does not tell."""
        self.descriptors: list[int] = []
        self._rings: list[mmap.mmap] = []
        self.lost = False
        """A ring was full: only a look at all processes shows what was missed. Whoever looks sets it back."""
        self._size = _PAGES * mmap.PAGESIZE
        try:
            for processor in _processors():
                self.descriptors.append(_open(processor))
                self._rings.append(
                    mmap.mmap(self.descriptors[-1], mmap.PAGESIZE + self._size, mmap.MAP_SHARED)
                )
        except OSError as error:
            self.close()
            raise ProbeError(f"the kernel does not tell of new mappings: {error.strerror}") from None

    def read(self) -> Iterator[MappedFile]:
        """What has been mapped since, by processor; a file comes as often as it was mapped."""
        for ring in self._rings:
            head, tail = struct.unpack_from("<QQ", ring, _HEAD)
            while tail < head:
                kind, _, size = struct.unpack("<IHH", self._octets(ring, tail, 8))
                if size < 8:
                    tail, self.lost = head, True
                    break
                if kind == _MAPPED:
                    yield from mapped_file(self._octets(ring, tail + 8, size - 8))
                elif kind == _LOST:
                    self.lost = True
                tail += size
            struct.pack_into("<Q", ring, _TAIL, tail)

    def _octets(self, ring: mmap.mmap, at: int, length: int) -> bytes:
        begin = at % self._size
        first = min(length, self._size - begin)
        page = mmap.PAGESIZE
        return ring[page + begin : page + begin + first] + ring[page : page + length - first]

    def close(self) -> None:
        """Legal twice."""
        for ring in self._rings:
            ring.close()
        for each in self.descriptors:
            os.close(each)
        self._rings.clear()
        self.descriptors.clear()


def mapped_file(record: bytes) -> Iterator[MappedFile]:
    """The file of a PERF_RECORD_MMAP2 behind its header; nothing where it is no file."""
    if len(record) < 64:
        return
    process, _, address, length, _, major, minor, inode = struct.unpack_from("<IIQQQIIQ", record)
    path = os.fsdecode(record[64:].split(b"\0")[0])
    if inode and path.startswith("/") and not path.startswith("//"):
        identity = f"{major:02x}:{minor:02x}", inode
        yield MappedFile(process, path, identity, f"{address:x}-{address + length:x}")


def _processors() -> Iterator[int]:
    """Those that are at work, whichever this process may run on."""
    for part in Path("/sys/devices/system/cpu/online").read_text().strip().split(","):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def _open(processor: int) -> int:
    attributes = struct.pack(
        "<IIQQQQQIIQQ40x", _SOFTWARE, 112, _DUMMY, 0, 0, 0, _MMAP | _MMAP2 | _WATERMARK, 1, 0, 0, 0
    )
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(attributes, 112)
    number = _CALL[platform.machine()]
    opened: int = libc.syscall(number, buffer, -1, processor, -1, _CLOSE_ON_EXEC)
    if opened < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return opened
