"""The demo's child processes: the real ``levo satellite`` and ``levo apidump``."""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

from levo.errors import LevoError, MissingPackageError

# The levo command, which the system ends when this process dies without a chance to stop it (prctl(2),
# PR_SET_PDEATHSIG; Linux only).
_LEVO = """
import ctypes, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
from levo.cli import main
main()
"""

STOP_SECONDS = 15.0
LAST_LINES = 5


class DemoError(LevoError):
    """The demo cannot start or go on; the message says which part and what to do."""

    def __init__(self, text: str, exit_status: int = 1) -> None:
        super().__init__(text)
        self.exit_status = exit_status


class Child:
    """One ``levo`` command, in a session of its own so that Ctrl-C reaches the demo alone.

    Its output goes to a file.
    """

    def __init__(self, name: str, arguments: list[str], log: Path) -> None:
        self.name = name
        self._arguments = arguments
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        # Settings come from the arguments alone, not from the LEVO_* variables of whoever starts the demo.
        environment = {key: value for key, value in os.environ.items() if not key.startswith("LEVO_")}
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-c", _LEVO, *self._arguments),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    def check(self) -> None:
        """Raise ``DemoError`` with the last lines of its output when it has ended by itself.

        What it says of a package that is not installed is passed on alone.
        """
        if self._process is not None and self._process.returncode is not None:
            missing = [line for line in self.log().splitlines() if MissingPackageError.FIX in line]
            if missing:
                raise DemoError(missing[-1].removeprefix("levo: "), MissingPackageError.exit_status)
            raise DemoError(
                f"the {self.name} ended with status {self._process.returncode}:\n{self.last_lines()}"
            )

    def last_lines(self) -> str:
        return "\n".join(self.log().splitlines()[-LAST_LINES:])

    def log(self) -> str:
        """All of its output so far, and that of earlier children with the same log."""
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""

    async def wait(self) -> int:
        assert self._process is not None, "wait() before start()"
        return await self._process.wait()

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL after ``STOP_SECONDS``. Legal before start, and twice."""
        if self._process is None or self._process.returncode is not None:
            return
        for number, patience in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, None)):
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)
            try:
                await asyncio.wait_for(self._process.wait(), patience)
            except TimeoutError:
                continue
            return
