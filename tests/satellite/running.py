"""A real ``levo satellite`` in a process of its own, and clients for it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

DEADLINE_S = 90.0


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class RunningSatellite:
    """Starts on ports that the system chooses; use as a context."""

    def __init__(
        self, data_dir: Path, *options: str, through: Sequence[str] = (), proof: bool = False
    ) -> None:
        """*through*: a command that runs it, for example in another network namespace.

        *proof*: names need one, as by default; otherwise each is one at once.
        """
        self.data_dir = data_dir
        arguments = [sys.executable, "-m", "levo", "satellite", "--data-dir", str(data_dir)]
        for flag in ("--listen", "--otlp-grpc", "--otlp-http"):
            if flag not in options:
                arguments += [flag, "127.0.0.1:0"]
        if "--host-names" not in options:
            arguments += ["--host-names", "all"]  # few tests wait until a host is proven
        if not proof:
            arguments += ["--min-objects=1", "--min-callers=1"]
        self.process = subprocess.Popen(
            [*through, *arguments, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._errors: list[str] = []
        self._error_reader = threading.Thread(target=self._read_errors, daemon=True)
        self._error_reader.start()
        assert self.process.stdout is not None
        watchdog = threading.Timer(DEADLINE_S, self.process.kill)
        watchdog.start()
        self.first_line = self.process.stdout.readline()
        watchdog.cancel()
        found = re.fullmatch(
            r"Satellite ready: web (https?://\S+)/  OTLP/gRPC (\S+)  OTLP/HTTP (https?://\S+)\n",
            self.first_line,
        )
        if found is None:
            self.process.wait(60)
            self._error_reader.join()
            raise AssertionError(f"not ready: {self.first_line!r} {self.errors}")
        self.web, self.grpc, self.otlp_http = found.groups()

    @property
    def errors(self) -> str:
        return "".join(self._errors)

    def __enter__(self) -> RunningSatellite:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._error_reader.join()

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(DEADLINE_S)
        self._error_reader.join()
        return status

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return fetch("GET", self.web + path, None, headers or {})

    def post(self, path: str, body: bytes, base: str | None = None, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return fetch("POST", (base or self.web) + path, body, named)

    def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = self.get("/api/summary").json()
        return found

    def endpoints(self, query: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("/api/endpoints" + query).json()["endpoints"]
        return found

    def metric(self, name: str) -> float:
        for line in self.get("/metrics").body.decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[-1])
        raise AssertionError(f"no metric {name}")

    def until_learned(self, traces: int) -> dict[str, Any]:
        """The summary once *traces* are learned, or when the time is up."""
        until(lambda: self.summary()["counters"].get("learned_traces", 0) >= traces)
        return self.summary()

    def until_idle(self, deadline_s: float = DEADLINE_S) -> dict[str, Any]:
        """The summary once everything in the journal is learned."""
        until(lambda: not list((self.data_dir / "journal").glob("*.segment")), deadline_s)
        return self.summary()

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._errors.append(line)


def until(true: Callable[[], bool], deadline_s: float = DEADLINE_S) -> None:
    """Wait until *true*; fail when that takes too long."""
    end = time.monotonic() + deadline_s
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def fetch(method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=DEADLINE_S)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body, dict(headers))
        response = connection.getresponse()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()
