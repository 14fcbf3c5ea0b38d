"""TLS key logs: a file that grows while it is read (SSLKEYLOGFILE, RFC 9850), blocks of a capture file."""

from __future__ import annotations

import os
from typing import Any

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

    def __call__(self) -> bytes:
        """Lines since the last call; empty when there are none, or the file cannot be read at the moment."""
        try:
            status = os.stat(self._path)
            identity = (status.st_dev, status.st_ino)
            if identity != self._known or status.st_size < self._read:
                self._known, self._read = identity, 0
            if status.st_size == self._read:
                return b""
            with open(self._path, "rb") as file:
                file.seek(self._read)
                fresh = file.read(_MOST_OCTETS)
        except OSError:
            return b""
        ended = self._finished and len(fresh) < _MOST_OCTETS
        whole = fresh if ended else fresh[: fresh.rfind(b"\n") + 1]
        self._read += len(whole)
        return whole


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
