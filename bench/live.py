"""The sensor beside nginx and wrk on loopback: what it takes, what nginx loses, what the kernel drops.

CPU time is read from /proc for nginx's worker and for the sensor. Copying a packet to a capture socket
happens in the thread that sends it, so a part of the cost shows as nginx's (and wrk's) own time and in the
throughput.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Literal

TICKS = os.sysconf("SC_CLK_TCK")
BODY = '{"id": 1, "name": "item"}'

_NGINX = """daemon off; pid {folder}/pid; error_log stderr crit; worker_processes 1;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 1000000000;
client_body_temp_path {folder}; proxy_temp_path {folder};
fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
server {{ listen 127.0.0.1:{port}; root {folder}; default_type application/json;
location / {{ return 200 '{body}'; }} location /files/ {{ }} }} }}
"""
_PACED = "function delay() return {pause_ms} end\n"


@dataclass(frozen=True, slots=True)
class Round:
    """One load on nginx."""

    requests: int
    seconds: float
    nginx_cpu_s: float
    sensor_cpu_s: float
    """0 without a sensor."""
    sensor_mib: float
    """Resident at the end of the load."""
    ledger: dict[str, dict[str, int]]
    """Stage to states and ``received``; empty without a sensor."""

    @property
    def rate(self) -> float:
        return self.requests / self.seconds

    @property
    def kernel_dropped(self) -> int:
        return self.ledger.get("capture", {}).get("kernel_dropped", 0)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_mib(pid: int) -> float:
    """Resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def missing() -> str | None:
    """Why nothing live can be measured here, or None."""
    absent = [tool for tool in ("nginx", "wrk") if not _tool(tool)]
    if absent:
        return f"{' and '.join(absent)} not installed"
    return None if os.geteuid() == 0 else "capture needs root"


def _tool(name: str) -> str | None:
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


@contextmanager
def nginx() -> Iterator[tuple[int, int]]:
    """A server with one worker; its port and the worker's process id."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        (Path(folder) / "files").mkdir(mode=0o755)
        item = Path(folder) / "files" / "item.json"
        item.write_text(json.dumps({"id": 1, "text": "x" * 480}))
        item.chmod(0o644)
        configuration = Path(folder) / "nginx.conf"
        configuration.write_text(_NGINX.format(folder=folder, port=port, body=BODY))
        server = subprocess.Popen([str(_tool("nginx")), "-c", str(configuration), "-p", folder])
        try:
            children = Path(f"/proc/{server.pid}/task/{server.pid}/children")
            wait_for(lambda: bool(children.read_text().split()) and answers(port))
            yield port, int(children.read_text().split()[0])
        finally:
            stop(server)


@contextmanager
def sink() -> Iterator[str]:
    """An OTLP/HTTP receiver that throws everything away; its URL."""
    port = free_port()
    argv = [sys.executable, str(Path(__file__).with_name("sink.py")), str(port)]
    receiver = subprocess.Popen(argv)
    try:
        wait_for(lambda: answers(port))
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(receiver)


@contextmanager
def sensor(log: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """``levo apidump`` with *options*; its JSON log goes to *log*. Entered once capture is under way."""
    argv = [sys.executable, "-m", "levo", "apidump", "--log-format=json", *options]
    with log.open("wb") as file:
        process = subprocess.Popen(argv, stderr=file)
    try:
        wait_for(lambda: b"captur" in log.read_bytes() or process.poll() is not None)
        if process.poll() is not None:
            raise SystemExit(f"bench: the sensor ended: {log.read_text()}")
        yield process
    finally:
        stop(process, signal.SIGINT)


@contextmanager
def tcpdump(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The least that a capture can do: frames copied out of the kernel and thrown away."""
    # To standard output: a file, /dev/null as well, would be given to the user that it changes to.
    argv = [str(_tool("tcpdump")), "-i", "lo", "-Q", "in", "-B", "32768", "-w", "-", f"port {port}"]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        assert process.stderr is not None
        while b"listening" not in process.stderr.readline() and process.poll() is None:
            pass
        yield process
    finally:
        stop(process, signal.SIGINT)


@contextmanager
def mitmproxy(port: int) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Not beside the traffic but in its way: mitmdump before the server at *port*, and its own port."""
    own = free_port()
    argv = [
        str(_tool("mitmdump")),
        "-q",
        f"--mode=reverse:http://127.0.0.1:{port}",
        "--listen-host=127.0.0.1",
    ]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen([*argv, f"--listen-port={own}", f"--set=confdir={folder}"])
        try:
            wait_for(lambda: answers(own) or process.poll() is not None)
            yield process, own
        finally:
            stop(process, signal.SIGINT)


def load(
    port: int,
    worker: int,
    *,
    seconds: int,
    options: tuple[str, ...] | Literal["tcpdump", "mitmproxy"] | None,
    wrk: tuple[str, ...] = ("-c16",),
    pause_ms: int | None = None,
    path: str = "/api/v1/items/1",
) -> Round:
    """Drive nginx with wrk, with a sensor started for the occasion unless *options* is None.

    Or with another program, for "tcpdump" and "mitmproxy".

    With *pause_ms*, each connection waits so long between two requests: a rate instead of full speed.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        argv = [str(_tool("wrk")), "-t1", f"-d{seconds}s", *wrk]
        if pause_ms is not None:
            script = Path(folder) / "paced.lua"
            script.write_text(_PACED.format(pause_ms=pause_ms))
            argv += ["-s", str(script)]

        def drive(pid: int | None, at: int = port) -> tuple[str, float, float, float, float]:
            before = cpu_seconds(worker), cpu_seconds(pid) if pid else 0.0, time.monotonic()
            url = f"http://127.0.0.1:{at}{path}"
            report = subprocess.run([*argv, url], check=True, capture_output=True, text=True).stdout
            took = time.monotonic() - before[2]
            mine = cpu_seconds(pid) - before[1] if pid else 0.0
            return report, took, cpu_seconds(worker) - before[0], mine, resident_mib(pid) if pid else 0.0

        if options is None:
            report, took, served, mine, mib = drive(None)
        elif options == "tcpdump":
            with tcpdump(port) as other:
                report, took, served, mine, mib = drive(other.pid)
        elif options == "mitmproxy":
            with mitmproxy(port) as (other, at):
                report, took, served, mine, mib = drive(other.pid, at)
        else:
            with sensor(log, "--interfaces=lo", f"--filter=port {port}", *options) as process:
                report, took, served, mine, mib = drive(process.pid)
        found = re.search(r"(\d+) requests in", report)
        if not found:
            raise SystemExit(f"bench: wrk said {report!r}")
        ledger = ledger_of(log) if isinstance(options, tuple) else {}
        return Round(int(found[1]), took, served, mine, mib, ledger)


def ledger_of(log: Path) -> dict[str, dict[str, int]]:
    """The ledger in the last lines of the sensor's JSON log."""
    stages: dict[str, dict[str, int]] = {}
    for line in log.read_text().splitlines():
        entry = json.loads(line)
        if entry.get("event") == "ledger" and "stage" in entry:
            stages[entry["stage"]] = {**entry["states"], "received": entry["received"]}
    return stages


def start_s(port: int) -> float:
    """Seconds from the start of the process to the time stamp of the first packet it captured."""
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "lines"
        argv = [sys.executable, "-m", "levo", "apidump", "--interfaces=lo", f"--filter=port {port}"]
        argv += ["--rate-limit=0", f"--output=jsonl:{lines}"]
        started_ns = time.time_ns()
        process = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
        try:
            until = time.monotonic() + 10
            connection = HTTPConnection("127.0.0.1", port)
            while time.monotonic() < until and not (lines.exists() and lines.stat().st_size):
                connection.request("GET", "/start")
                connection.getresponse().read()
                time.sleep(0.002)
        finally:
            stop(process, signal.SIGINT)
        first = min(json.loads(line)["start_ns"] for line in lines.read_text().splitlines())
    return float(first - started_ns) / 1e9


def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise SystemExit("bench: waited too long for a process to start")
        time.sleep(0.02)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def stop(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
    if process.poll() is None:
        process.send_signal(how)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
