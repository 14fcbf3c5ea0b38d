"""The demo's child processes: the real ``levo satellite`` and ``levo apidump``."""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

from levo.errors import LevoError

STOP_SECONDS = 15.0
LAST_LINES = 5


class DemoError(LevoError):
    """The demo cannot start or go on; the message says which part and what to do."""


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
                *("-m", "levo", *self._arguments),
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
        """Raise ``DemoError`` with the last lines of its output when it has ended by itself."""
        if self._process is not None and self._process.returncode is not None:
            raise DemoError(
                f"the {self.name} ended with status {self._process.returncode}:\n{self.last_lines()}"
            )

    def last_lines(self) -> str:
        if not self._log.exists():
            return ""
        return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:])

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
