"""Writing to a file or to standard output, whole deliveries at a time.

Which links are followed, and which files replaced: ``levo.files``.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import BinaryIO

from levo.errors import ConfigError, Problem
from levo.files import open_for_writing
from levo.sensor.export.failure import PermanentExportError


class FileSink:
    """An open file, replaced if it existed, readable by its owner only: it holds captured content."""

    def __init__(
        self,
        path: Path | None,
        stdout: BinaryIO | None = None,
        where: str = "--output",
        owner: tuple[int, int] | None = None,
    ) -> None:
        """*path* None is *stdout*, or the process's standard output.

        A file that is made here is given to *owner* (user and group), one that was there keeps its own.

        Raises ConfigError on a path that cannot be.
        """
        self._path = path
        self._stream = stdout
        self._fd = -1
        self._at = 0
        self._closed = False
        if path is None:
            self._stream = stdout or sys.stdout.buffer
            return
        try:
            self._fd = open_for_writing(path, owner)
        except OSError as exc:
            reason = exc.strerror or type(exc).__name__
            raise ConfigError(Problem(where, f"{path} cannot be written: {reason}")) from None

    def write(self, data: bytes) -> None:
        """Write all of *data*; a regular file holds all of it or, after PermanentExportError, none."""
        try:
            if self._stream is not None:
                self._stream.write(data)
                self._stream.flush()
                return
            view = memoryview(data)
            while view:
                view = view[os.write(self._fd, view) :]
            self._at += len(data)
        except (OSError, ValueError) as exc:
            if self._fd >= 0:
                with contextlib.suppress(OSError):  # a pipe or device cannot be cut back
                    os.ftruncate(self._fd, self._at)
                    os.lseek(self._fd, self._at, os.SEEK_SET)
            name = "standard output" if self._path is None else str(self._path)
            reason = getattr(exc, "strerror", None) or "closed"
            raise PermanentExportError(f"{name}: {reason}") from None

    def close(self) -> None:
        """Legal twice. Standard output stays open."""
        if self._fd >= 0 and not self._closed:
            os.close(self._fd)
        self._closed = True
