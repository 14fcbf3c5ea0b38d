"""TLS key logs: a file that grows while it is read (SSLKEYLOGFILE, RFC 9850), blocks of a capture file."""

from __future__ import annotations

import os
import stat
from typing import Any, BinaryIO

_MOST_OCTETS = 16 << 20
"""Read at one time; the rest is read when asked again."""


class KeyLogFile:
    """Hands out the whole lines that a file has gained. It need not exist yet, and may be replaced."""

    def __init__(self, path: str, *, finished: bool = False) -> None:
        """*finished*: nobody writes it any more, so its last line counts even without a line end."""
        self._path = path
        self._finished = finished
        self._read = 0
        self._known: tuple[int, int] | None = None
        self._file: BinaryIO | None = None
        self._open()

    def __call__(self) -> bytes:
        """Lines since the last call; empty when there are none, or the file cannot be read at the moment."""
        try:
            self._open()
            if self._file is None:
                return b""
            size = os.fstat(self._file.fileno()).st_size
            if size < self._read:
                self._read = 0
            if size == self._read:
                return b""
            fresh = os.pread(self._file.fileno(), _MOST_OCTETS, self._read)
        except OSError:
            return b""
        ended = self._finished and len(fresh) < _MOST_OCTETS
        whole = fresh if ended else fresh[: fresh.rfind(b"\n") + 1]
        self._read += len(whole)
        return whole

    def _open(self) -> None:
        """Have the file of this name open.

        The one that is open stays where the name cannot be followed: privileges may have been given up since.
        """
        try:
            status = os.stat(self._path)
            if (status.st_dev, status.st_ino) == self._known:
                return
            if not stat.S_ISREG(status.st_mode):
                return
            file = open(self._path, "rb", buffering=0)  # noqa: SIM115
        except OSError:
            return
        if self._file is not None:
            self._file.close()
        self._file, self._read = file, 0
        status = os.fstat(file.fileno())
        self._known = (status.st_dev, status.st_ino)


class CaptureSecrets:
    """Hands out the key logs of a pcapng file's decryption secrets blocks, each once."""

    def __init__(self, source: Any) -> None:
        """*source*: a ``FileSource``."""
        self._source = source
        self._taken = 0

    def __call__(self) -> bytes:
        if self._source.secrets_total == self._taken:
            return b""
        fresh = self._source.secrets[self._taken :]
        self._taken += len(fresh)
        return b"".join(each.rstrip(b"\n") + b"\n" for each in fresh)
