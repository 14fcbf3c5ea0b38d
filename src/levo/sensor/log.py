"""Log lines on standard error, as text or one JSON object a line. Never captured content."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TextIO

_USUAL_COLUMNS = 80
LEVELS = ("debug", "info", "warning", "error")


class Log:
    """Writes events. Safe from several threads: each line is one write."""

    def __init__(
        self,
        form: str,
        level: str = "info",
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._json = form == "json"
        self._least = LEVELS.index(level)
        self._stream = stream or sys.stderr
        self._clock = clock
        self._status = ""

    @property
    def structured(self) -> bool:
        return self._json

    def plain(self, text: str) -> None:
        """Lines for people, as they are."""
        self._put(f"{text}\n")

    def debug(self, message: str, **fields: object) -> None:
        self._write("debug", message, fields)

    def info(self, message: str, **fields: object) -> None:
        self._write("info", message, fields)

    def warning(self, message: str, **fields: object) -> None:
        self._write("warning", message, fields)

    def error(self, message: str, **fields: object) -> None:
        self._write("error", message, fields)

    def status(self, line: str) -> None:
        """Show *line* in place at the bottom of a terminal; an empty one takes it away."""
        if self._json or not self._stream.isatty():
            return
        columns = 0
        with suppress(OSError, ValueError):
            columns = os.get_terminal_size(self._stream.fileno()).columns
        line = line[: (columns or _USUAL_COLUMNS) - 1]  # some terminals do not know their width and say 0
        self._status = line
        self._put(f"\r\033[K{line}")

    def _write(self, level: str, message: str, fields: Mapping[str, object]) -> None:
        if LEVELS.index(level) < self._least:
            return
        now = self._clock()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
        if self._json:
            line = json.dumps(
                {"time": stamp, "level": level, "message": message, **fields}, ensure_ascii=False
            )
        else:
            prefix = "" if level == "info" else f"{level}: "
            line = f"levo: {prefix}{message}"
        erase, again = ("\r\033[K", self._status) if self._status else ("", "")
        self._put(f"{erase}{line}\n{again}")

    def _put(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            pass  # whoever read our log has gone; capturing goes on
