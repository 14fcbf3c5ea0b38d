"""Runs a command in a pseudo-terminal, types into it, and turns what it wrote into plain text."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src"
_CONTROL = re.compile(r"\x1b\[(\d*)([A-Za-z])|(\r\n|\n|\r)|([^\x1b\r\n]+)|(\x1b)")


class PseudoTerminal:
    """``levo`` in a terminal of 100 columns."""

    def __init__(self, arguments: Sequence[str], env: Mapping[str, str], columns: int = 110) -> None:
        self.written = ""
        self._read_to = 0
        self._pid, self._fd = pty.fork()
        if self._pid == 0:  # pragma: no cover  # the child
            # Programs of a terminal hear Ctrl-C, even where the tests run in the background of a script
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.execve(
                sys.executable,
                [sys.executable, "-m", "levo", *arguments],
                {"PYTHONPATH": str(SOURCE), "TERM": "xterm", "COLUMNS": str(columns), **env},
            )
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))

    def expect(self, text: str, seconds: float = 90) -> None:
        """Wait until *text* is written, after what was waited for before."""
        until = time.monotonic() + seconds
        while True:
            found = self.written.find(text, self._read_to)
            if found >= 0:
                self._read_to = found + len(text)
                return
            assert time.monotonic() < until, f"no {text!r} in {self.written[self._read_to :]!r}"
            if not self._read(0.2):
                raise AssertionError(f"it ended before {text!r}: {self.written[self._read_to :]!r}")

    def expect_prompt(self, question: str) -> None:
        """Wait until *question* is asked and the cursor stands behind its prompt."""
        self.expect(question)
        while not self.written.endswith(": "):
            self.expect(":")

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode() + b"\n")

    def interrupt(self) -> None:
        os.write(self._fd, b"\x03")

    def wait(self, seconds: float = 90) -> int:
        """Read to the end; the exit status."""
        until = time.monotonic() + seconds
        while self._read(0.2) or (status := self._exit_status()) is None:
            if time.monotonic() > until:
                os.kill(self._pid, signal.SIGKILL)
                os.waitpid(self._pid, 0)
                raise AssertionError(f"it does not end: {self.written[-500:]!r}")
        os.close(self._fd)
        return status

    def _exit_status(self) -> int | None:
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if pid else None

    def _read(self, seconds: float) -> bool:
        """Whether there may be more."""
        if not select.select([self._fd], [], [], seconds)[0]:
            return True
        try:
            octets = os.read(self._fd, 65536)
        except OSError:  # the other side is closed
            return False
        self.written += octets.decode(errors="replace")
        return bool(octets)


def as_text(written: str, *, keep_frames: bool = False) -> str:
    """What the terminal shows in the end; with *keep_frames*, what is rewritten stays, line by line."""
    lines, row, column = [""], 0, 0
    for count, command, newline, plain, _ in _CONTROL.findall(written):
        if plain:
            lines[row] = lines[row][:column].ljust(column) + plain + lines[row][column + len(plain) :]
            column += len(plain)
        elif newline == "\r":
            column = 0
        elif newline:
            row, column = row + 1, 0
            if row == len(lines):
                lines.append("")
        elif command == "A":
            if not keep_frames:
                row = max(0, row - int(count or 1))
        elif command == "K":
            lines[row] = ""
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"
