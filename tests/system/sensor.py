"""``levo apidump`` as its users start it, in a namespace."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from tests.system.network import Namespace

Exchange = dict[str, Any]

PATIENCE_S = 90.0
"""What a busy machine may take for anything; nothing waits so long elsewhere."""

LOSSES = {"queue_full", "unfinished", "failed", "rejected", "evicted", "malformed", "unsupported_link"}
"""States of the ledger that a clean path must not have."""


class Sensor:
    """A running sensor that writes JSON lines; ``exchanges`` and ``ledger`` are final once it has stopped."""

    def __init__(
        self, process: subprocess.Popen[bytes], lines: Path, log: Path, client: Namespace, probe: str
    ) -> None:
        self._process = process
        self._lines = lines
        self._log = log
        self._client = client
        self._probe = probe

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def exchanges(self, *, without: str = "/ready") -> Iterator[Exchange]:
        """What it reported, readiness probes left out. Read from the file as it is asked for."""
        with self._lines.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break  # it is still being written
                exchange = orjson.loads(line)
                request = exchange["request"]
                if request is None or not request["target"].startswith(without):
                    yield exchange

    def ledger(self) -> dict[str, dict[str, Any]]:
        """The stages that it logged when it ended, by name."""
        events = [orjson.loads(line) for line in self.log.splitlines() if line.startswith("{")]
        return {event["stage"]: event for event in events if "stage" in event}

    def assert_ledger(self) -> None:
        """Every stage balances, the kernel dropped no frame, and no trace was lost behind the engine."""
        stages = self.ledger()
        assert {"capture", "frames", "payload_bytes", "exchanges", "traces"} <= set(stages), self.log[-3000:]
        for name, stage in stages.items():
            assert stage["balanced"], stage
            assert stage["received"] == sum(stage["states"].values()), name
        assert stages["capture"]["states"]["kernel_dropped"] == 0, stages["capture"]["message"]
        for stage in stages.values():
            lost = {state: n for state, n in stage["states"].items() if n and state in LOSSES}
            assert not lost, stage["message"]

    def catch_up(self) -> None:
        """Return once it has reported a request made now, and so all that came before."""
        self._see("/ready/last")

    def until_reported(self, what: Callable[[Exchange], bool], count: int) -> None:
        """Return once it has reported *count* exchanges that are *what*."""
        deadline = time.monotonic() + PATIENCE_S
        while (found := sum(map(what, self.exchanges()))) < count:
            assert self.is_running(), self.log[-3000:]
            assert time.monotonic() < deadline, f"reported {found}, not {count}: {self.log[-3000:]}"
            time.sleep(0.1)

    def until_logged(self, text: str) -> None:
        """Return once *text* is in its log."""
        deadline = time.monotonic() + PATIENCE_S
        while text not in self.log:
            assert self.is_running(), self.log[-3000:]
            assert time.monotonic() < deadline, f"no {text!r}: {self.log[-3000:]}"
            time.sleep(0.05)

    def _see(self, target: str) -> None:
        fetch = f"import urllib.request as u; u.urlopen({self._probe + target!r}, timeout=60).read()"
        offset = self._lines.stat().st_size if self._lines.exists() else 0
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            assert self.is_running(), self.log[-3000:]
            self._client.run([sys.executable, "-c", fetch])
            for _ in range(10):
                found, offset = _grew_by(self._lines, offset, f'"{target}"'.encode())
                if found:
                    return
                time.sleep(0.1)
        raise AssertionError(f"the sensor did not report {target}: {self.log[-3000:]}")

    def is_running(self) -> bool:
        return self._process.poll() is None

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(60) == 0, self.log[-3000:]


def command(arguments: Sequence[str]) -> list[str]:
    """argv of ``levo`` with this interpreter."""
    return [sys.executable, "-m", "levo", *arguments]


@contextmanager
def capturing(
    namespace: Namespace, folder: Path, probe_url: str, *more: str, client: Namespace | None = None
) -> Iterator[Sensor]:
    """A sensor on the namespace's interface; the block starts once it has reported a first exchange.

    Probes go from *client* (default: the same namespace) to ``/ready`` below *probe_url*.
    """
    lines, log = folder / "exchanges.jsonl", folder / "sensor.log"
    argv = command(
        [
            "apidump",
            f"--interfaces={namespace.interface}",
            "--rate-limit=0",
            "--trace-export-interval=200ms",
            f"--output=jsonl:{lines}",
            *more,
        ]
    )
    with log.open("wb") as sink:
        process = namespace.popen(argv, stdout=sink, stderr=sink, stdin=subprocess.DEVNULL)
    sensor = Sensor(process, lines, log, client or namespace, probe_url)
    try:
        sensor._see("/ready")
        yield sensor
        sensor.stop()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _grew_by(path: Path, offset: int, octets: bytes) -> tuple[bool, int]:
    """Whether *octets* are in the whole lines from *offset* on; and where those lines end."""
    if not path.exists():
        return False, offset
    with path.open("rb") as file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                break
            offset += len(line)
            if octets in line:
                return True, offset
    return False, offset
