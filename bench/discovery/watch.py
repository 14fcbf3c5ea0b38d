# ruff: noqa: E402 - src is put on the path first
"""Watch a loopback port with the real sensor: ``levo apidump``, live, to traces as the learner takes them.

``BENCH_SATELLITE_URL`` names a receiver of OTLP that gets the same traces as well, ``BENCH_KEEP`` a folder
into which the exchanges are copied.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType

sys.path[:0] = [str(Path(__file__).parents[2] / "src")]

from levo.cli.learn import read_file
from levo.satellite.learn import Trace

KEEP = "BENCH_KEEP"
EXCHANGES_NAME = "exchanges.jsonl"
_READY_S = 120.0
_SETTLE_S = 1.5
"""After the last call, so that its packets are read."""


class Watch:
    """A sensor on the loopback *port*, from entering to leaving. Needs the right to capture (root)."""

    def __init__(self, port: int, folder: Path, health_port: int) -> None:
        self._file = folder / EXCHANGES_NAME
        self._log = folder / "sensor.log"
        self._health = f"http://127.0.0.1:{health_port}/readyz"
        self._command = [
            sys.executable, "-m", "levo", "apidump", "--interfaces", "lo", "--filter", f"tcp port {port}",
            "--rate-limit", "0", "--output", f"jsonl:{self._file}", "--trace-export-interval", "1s",
            "--listen", f"127.0.0.1:{health_port}", "--log-format", "json",
        ]  # fmt: skip
        satellite = os.environ.get("BENCH_SATELLITE_URL")
        if satellite:
            self._command += ["--output", "otlp", "--satellite-url", satellite]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Watch:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        end = time.monotonic() + _READY_S
        while time.monotonic() < end and self._process.poll() is None:
            try:
                urllib.request.urlopen(self._health, timeout=1).close()
                return self
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        self.__exit__(None, None, None)
        raise RuntimeError(f"the sensor did not get ready: {self._log.read_text()[-500:]}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            time.sleep(_SETTLE_S)
            self._process.terminate()
            self._process.wait(30)

    def traces(self) -> list[Trace]:
        """Return what was seen, in order. To be called after leaving."""
        if os.environ.get(KEEP):
            shutil.copy(self._file, Path(os.environ[KEEP]) / EXCHANGES_NAME)
        return list(read_file(self._file))
