"""``levo demo`` as a process, for the tests of the command."""

import contextlib
import json
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

PATIENCE_SECONDS = 60.0


class DemoProcess:
    """A running demo, its output so far, and what its Satellite answers."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.output = ""
        self._grown = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._grown:
                self.output += line
                self._grown.notify_all()
        with self._grown:
            self._ended = True
            self._grown.notify_all()

    def wait_for(self, pattern: str) -> str:
        """First group of *pattern* in the output, as soon as it is there."""
        with self._grown:
            found = self._grown.wait_for(
                lambda: re.search(pattern, self.output) or self._ended, PATIENCE_SECONDS
            )
        assert isinstance(found, re.Match), f"no {pattern} in:\n{self.output}"
        return str(found[1])

    def wait_for_endpoints(self, wanted: set[tuple[str, str]]) -> list[dict[str, Any]]:
        """The endpoints of the catalog, as soon as all *wanted* (method, path template) are among them."""
        address = self.wait_for(r"Satellite +(http://\S+)")
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            with urllib.request.urlopen(f"{address}api/endpoints?limit=500") as answer:
                endpoints: list[dict[str, Any]] = json.load(answer)["endpoints"]
            missing = wanted - {(endpoint["method"], endpoint["path"]) for endpoint in endpoints}
            if not missing:
                return endpoints
            assert time.monotonic() < end and self.process.poll() is None, f"no {missing}\n{self.output}"
            time.sleep(0.05)

    def end(self, number: signal.Signals | None = None) -> int:
        """Exit status, after the signal *number* if given."""
        if number is not None:
            self.process.send_signal(number)
        status = self.process.wait(PATIENCE_SECONDS)
        self._reader.join(PATIENCE_SECONDS)
        return status


@contextlib.contextmanager
def levo_demo(*arguments: str, through: tuple[str, ...] = ()) -> Iterator[DemoProcess]:
    """Run ``levo demo`` on a free port; *through* is put before the command."""
    command = [*through, sys.executable, "-m", "levo", "demo", "--port", "0", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield DemoProcess(process)
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
