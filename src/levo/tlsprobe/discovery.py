"""Which files' code is mapped by the processes of this machine, containers included."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Collection, Container, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_LINE = re.compile(
    rb"^([0-9a-f]+-[0-9a-f]+) ..x. [0-9a-f]+ ([0-9a-f]+:[0-9a-f]+) ([1-9][0-9]*) +(/.*)$", re.MULTILINE
)
_DELETED = " (deleted)"


@dataclass(frozen=True, slots=True)
class MappedFile:
    """A file whose code a process has mapped, as the process sees it."""

    process: int
    path: str
    identity: tuple[str, int]
    """Device and inode: the same for every process that maps this file."""
    span: str
    """The addresses of the mapping, as the kernel names it in ``map_files``."""

    def open(self, proc: Path = Path("/proc")) -> int:
        """A descriptor of the file; with CAP_CHECKPOINT_RESTORE also when it has been replaced since.

        A process that has ended leaves the name, which is followed if it leads to the same file here.

        Raises OSError: that it does not, the file was deleted, or the process may not be looked into.
        """
        folder = proc / str(self.process)
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
        with suppress(PermissionError, FileNotFoundError):  # map_files takes CAP_CHECKPOINT_RESTORE
            return os.open(folder / "map_files" / self.span, flags)
        if folder.exists():
            if self.path.endswith(_DELETED):  # what has its name now is another file
                raise FileNotFoundError(errno.ENOENT, "deleted", self.path)
            return os.open(f"{folder}/root{self.path}", flags)
        descriptor = os.open(self.path, flags)
        status = os.fstat(descriptor)
        device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
        if (device, status.st_ino) != self.identity:
            os.close(descriptor)
            raise FileNotFoundError(errno.ENOENT, "another file has that name here", self.path)
        return descriptor


def mapped_files(seen: set[tuple[str, int]], proc: Path = Path("/proc")) -> Iterator[MappedFile]:
    """Files that are mapped now and whose identity is not in *seen*, to which it is added."""
    for each in every_mapping(proc, seen):
        seen.add(each.identity)
        yield each


def every_mapping(
    proc: Path = Path("/proc"),
    but: Collection[tuple[str, int]] = (),
    only: Container[int] | None = None,
) -> Iterator[MappedFile]:
    """Every mapping of code, process by process, of files whose identity is not in *but* by then.

    *only*: of these processes; None: of all.
    """
    for name in os.listdir(proc):
        if not name.isdecimal() or (only is not None and int(name) not in only):
            continue
        try:
            maps = (proc / name / "maps").read_bytes()
        except OSError:
            continue  # ended, or not ours to look into
        for span, device, inode, path in _LINE.findall(maps):
            identity = device.decode(), int(inode)
            if identity not in but:
                yield MappedFile(int(name), os.fsdecode(path), identity, span.decode())
