"""Writing to a file or to standard output, whole deliveries at a time.

Which links are followed, and which files replaced: ``levo.files``.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from pathlib import Path
from typing import BinaryIO

from levo.errors import ConfigError, Problem
from levo.files import open_for_writing
from levo.sensor.export.failure import PermanentExportError


class FileSink:
    """An open file, readable by its owner only: it holds captured content."""

    def __init__(
        self,
        path: Path | None,
        stdout: BinaryIO | None = None,
        where: str = "--output",
        owner: tuple[int, int] | None = None,
        *,
        append: bool = False,
    ) -> None:
        """*path* None is *stdout*, or the process's standard output.

        A file that is made here is given to *owner* (user and group), one that was there keeps its own. It is
        replaced, or with *append* goes on: then a file that is renamed or removed by the rotation of logs is
        made anew at the next write, and one that is emptied is written from its beginning.

        Raises ConfigError on a path that cannot be.
        """
        self._path = path
        self._owner = owner
        self._append = append
        self._stream = stdout
        self._fd = -1
        self._closed = False
        if path is None:
            self._stream = stdout or sys.stdout.buffer
            return
        try:
            self._open(path)
        except OSError as exc:
            reason = exc.strerror or type(exc).__name__
            raise ConfigError(Problem(where, f"{path} cannot be written: {reason}")) from None

    def _open(self, path: Path) -> None:
        opened = open_for_writing(path, self._owner, append=self._append)
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = opened
        status = os.fstat(opened)
        self._regular = stat.S_ISREG(status.st_mode)

    def write(self, data: bytes) -> str:
        """Write all of *data*; a regular file holds all of it or, after PermanentExportError, none.

        Returns what was wrong with the file beside that, in one line; empty where nothing was.
        """
        trouble = ""
        before = -1
        try:
            if self._stream is not None:
                self._stream.write(data)
                self._stream.flush()
                return trouble
            if self._closed:
                raise ValueError("closed")
            trouble = self._follow()
            if self._regular:
                before = os.lseek(self._fd, 0, os.SEEK_END)
            view = memoryview(data)
            while view:
                view = view[os.write(self._fd, view) :]
        except (OSError, ValueError) as exc:
            if before >= 0:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._fd, before)
            name = "standard output" if self._path is None else str(self._path)
            reason = getattr(exc, "strerror", None) or "closed"
            raise PermanentExportError(f"{name}: {reason}") from None
        return trouble

    def _follow(self) -> str:
        """Open the path anew where it has become another file's, or nobody's."""
        if not self._append or not self._regular or self._path is None:
            return ""
        try:
            if os.path.samestat(os.stat(self._path), os.fstat(self._fd)):
                return ""
        except FileNotFoundError:
            pass
        except OSError as exc:
            return f"{self._path} cannot be looked at: {exc.strerror}; what was open is written on"
        try:
            self._open(self._path)
        except OSError as exc:
            return f"{self._path} cannot be opened again: {exc.strerror}; what was open is written on"
        return ""

    def close(self) -> None:
        """Legal twice. Standard output stays open."""
        if self._fd >= 0 and not self._closed:
            os.close(self._fd)
        self._closed = True
