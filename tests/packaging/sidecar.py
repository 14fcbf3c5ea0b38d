"""What stands around the sidecar: the task's other container, its metadata endpoint, and a Satellite.

The application is nginx, which writes one line an answered request: the number that the Satellite must reach.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.packaging.booted import ROOT
from tests.packaging.metadata import ADDRESS
from tests.system.load import wrk
from tests.system.network import Namespace, veth_pair

ORGANIZATION = "11111111-2222-3333-4444-555555555555"
CONNECTIONS = 32
WEB = "http://127.0.0.1:9999"
"""The Satellite's pages and REST, inside its own namespace."""
OTLP_PORT = 4318
NGINX = """
daemon off; user root; worker_processes 1; error_log /dev/null; pid {folder}/nginx.pid;
events {{ worker_connections 512; }}
http {{
  log_format path "$uri $status"; access_log {folder}/answers path buffer=64k; keepalive_requests 10000000;
  server {{ listen 8080; location / {{ default_type application/json; return 200 '{order}'; }} }} }}
"""
ORDER = {
    "id": 4711,
    "state": "shipped",
    "items": [{"article": f"A-{number}", "count": number, "price": 9.5} for number in range(8)],
    "address": {"street": "Main Street", "number": 7, "city": "Springfield"},
}
"""What the application answers, some 500 octets."""
PACED = """
local ffi = require("ffi")
ffi.cdef("typedef struct { long s; long ns; } levo_time; int clock_gettime(int, levo_time *);")
local now, due = ffi.new("levo_time"), nil
function delay()
  ffi.C.clock_gettime(1, now)
  local ms = tonumber(now.s) * 1000 + tonumber(now.ns) / 1e6
  due = (due or ms) + 1000 / %(rate)d
  return math.max(0, math.floor(due - ms + 0.5))
end
"""
"""For wrk: *rate* requests a second over all connections; one that is late is made up for."""
ASK = """
import sys, urllib.request
body = sys.argv[2].encode() if len(sys.argv) > 2 else None
request = urllib.request.Request(sys.argv[1], body, {"Content-Type": "application/json"} if body else {})
sys.stdout.write(urllib.request.urlopen(request, timeout=180).read().decode())
"""


def until(what: str, condition: Callable[[], bool], seconds: float = 120, pause_s: float = 0.1) -> None:
    """Wait until *condition* holds; fail with *what* when it does not within *seconds*."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(pause_s)


def ask(namespace: Namespace, url: str, body: dict[str, str] | None = None) -> str:
    """GET, or POST *body* as JSON, from inside *namespace*; the answer's text."""
    argv = [sys.executable, "-c", ASK, url, *([json.dumps(body)] if body is not None else [])]
    return namespace.run(argv)


def answers(namespace: Namespace, url: str) -> bool:
    """Whether *url* can be read from inside *namespace*."""
    done = subprocess.run(namespace.command([sys.executable, "-c", ASK, url]), capture_output=True)
    return done.returncode == 0


@contextmanager
def running(namespace: Namespace, argv: list[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process inside *namespace*, ended with SIGTERM."""
    process = namespace.popen(argv, stdin=subprocess.DEVNULL, cwd=ROOT, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


class Satellite:
    """``levo satellite`` in a namespace of its own: sensors reach its OTLP port, with a token only."""

    def __init__(self, namespace: Namespace, token: str) -> None:
        self._namespace = namespace
        self.url = f"http://{namespace.address}:{OTLP_PORT}"
        self.token = token

    def endpoints(self) -> dict[str, dict[str, Any]]:
        """The catalog's endpoints by path, as REST has them."""
        found = json.loads(ask(self._namespace, f"{WEB}/api/endpoints?limit=100"))["endpoints"]
        return {each["path"]: each for each in found}

    def traces(self) -> int:
        """How many traces the catalog was learned from."""
        return sum(each["traces"] for each in self.endpoints().values())

    def sensor(self) -> dict[str, Any]:
        """The only sensor it knows."""
        [found] = json.loads(ask(self._namespace, f"{WEB}/api/sensors"))["sensors"]
        assert isinstance(found, dict)
        return found


@contextmanager
def satellite(namespace: Namespace, folder: Path) -> Iterator[Satellite]:
    """A Satellite with a token for :data:`ORGANIZATION`, made on its settings page."""
    argv = ["nice", "-n", "5", sys.executable, "-m", "levo", "satellite", "--data-dir", str(folder / "data")]
    argv += ["--listen", WEB.removeprefix("http://"), "--otlp-grpc", "127.0.0.1:0"]
    argv += ["--otlp-http", f"{namespace.address}:{OTLP_PORT}"]
    with (
        (folder / "satellite.log").open("wb") as log,
        running(namespace, argv, stdout=log, stderr=log) as process,
    ):
        until("Satellite", lambda: process.poll() is None and answers(namespace, f"{WEB}/readyz"))
        body = {"name": "task", "scope": "ingest", "organization": ORGANIZATION}
        shown = ask(namespace, f"{WEB}/settings/tokens", body)
        token = re.search(r"levo_[\w-]{30,}", shown)
        assert token, "no token made"
        yield Satellite(namespace, token[0])


@contextmanager
def task(folder: Path) -> Iterator[tuple[Namespace, Satellite]]:
    """(a task's namespace with its metadata endpoint, a Satellite in another one), joined."""
    with veth_pair(offloads=True) as (inside, outside):
        subprocess.run(["ip", "-n", inside.name, "addr", "add", f"{ADDRESS}/32", "dev", "lo"], check=True)
        with (
            satellite(outside, folder) as reached,
            running(inside, [sys.executable, "-m", "tests.packaging.metadata"]),
        ):
            until("metadata", lambda: answers(inside, f"http://{ADDRESS}/v4/x/task"))
            yield inside, reached


@contextmanager
def application(inside: Namespace, folder: Path) -> Iterator[None]:
    """nginx on port 8080 of the task."""
    configuration = folder / "nginx.conf"
    configuration.write_text(NGINX.format(folder=folder, order=json.dumps(ORDER)))
    with running(inside, ["nginx", "-c", str(configuration)]):
        until("nginx", lambda: answers(inside, "http://127.0.0.1:8080/ready"))
        yield


def answered(folder: Path) -> Counter[str]:
    """Requests that nginx answered, by path; complete once it has ended. Probes are not counted."""
    lines = (folder / "answers").read_text().splitlines()
    assert {line.partition(" ")[2] for line in lines} <= {"200", "499"}
    return Counter(line.partition(" ")[0] for line in lines if not line.startswith("/ready "))


def load(inside: Namespace, path: str, *, rate: int, seconds: int, folder: Path) -> float:
    """*rate* requests a second to the application's *path*; how many it came to."""
    report = wrk(
        inside,
        f"http://127.0.0.1:8080{path}",
        seconds=seconds,
        connections=CONNECTIONS,
        folder=folder,
        script=PACED % {"rate": rate},
    )
    assert "Socket errors" not in report and "Non-2xx" not in report, report
    found = re.search(r"Requests/sec:\s+([\d.]+)", report)
    assert found, report
    return float(found[1])
