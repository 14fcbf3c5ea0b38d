"""A host with 150 pairs of interfaces and no --interfaces: memory, descriptors, drops, every request."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import orjson
import pytest

from tests.system.network import loopback_namespace, needs
from tests.system.sensor import command

PAIRS = 150
REQUESTS = 2000
SIZE = 500
"""Octets of each response."""

pytestmark = [pytest.mark.root, pytest.mark.slow, needs(), pytest.mark.timeout(300)]

TALK = f"""
import http.client, http.server, threading, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "{SIZE}")
        self.end_headers()
        self.wfile.write(b"x" * {SIZE})
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
connection = http.client.HTTPConnection("127.0.0.1", 8080)
for number in range({REQUESTS}):
    connection.request("GET", f"/asked/{{number}}")
    connection.getresponse().read()
    time.sleep(0.002)  # a moderate rate: no ring grows, nothing waits for an output
"""


def status(pid: int, key: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


def test_150_pairs_of_interfaces_cost_no_more_than_one(tmp_path: Path):
    lines, log = tmp_path / "exchanges.jsonl", tmp_path / "log"
    with loopback_namespace() as namespace:
        batch = [f"link add m{i} type veth peer name n{i}" for i in range(PAIRS)]
        batch += [f"link set {side}{i} up" for i in range(PAIRS) for side in "mn"]
        subprocess.run(
            ["ip", "-n", namespace.name, "-batch", "-"], input="\n".join(batch), text=True, check=True
        )
        argv = command(["apidump", "--config=/dev/null", "--rate-limit=0", "--trace-export-interval=500ms"])
        with log.open("wb") as sink:
            process = namespace.popen(
                [*argv, f"--output=jsonl:{lines}", "--log-format=json"], stderr=sink, stdin=subprocess.DEVNULL
            )
        try:
            until = time.monotonic() + 60
            while "capturing on any" not in log.read_text():
                assert process.poll() is None and time.monotonic() < until, log.read_text()
                time.sleep(0.05)
            namespace.run([sys.executable, "-c", TALK])
            until = time.monotonic() + 120
            while not (lines.exists() and f"/asked/{REQUESTS - 1}" in lines.read_text()):
                assert process.poll() is None and time.monotonic() < until
                time.sleep(0.2)
            resident_kib = status(process.pid, "VmHWM")
            descriptors = len(os.listdir(f"/proc/{process.pid}/fd"))
        finally:
            process.terminate()
            assert process.wait(60) == 0
    events = [orjson.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    told = [event["message"] for event in events]
    assert "301 interfaces are up: captured together, as 'any'" in told
    targets = Counter(orjson.loads(line)["request"]["target"] for line in lines.read_bytes().splitlines())
    assert targets == {f"/asked/{number}": 1 for number in range(REQUESTS)}
    stages = {event["stage"]: event for event in events if "stage" in event}
    assert stages["capture"]["states"]["kernel_dropped"] == 0
    assert all(stage["balanced"] for stage in stages.values())
    print(f"resident {resident_kib / 1024:.1f} MiB, {descriptors} descriptors")
    assert resident_kib < 60 * 1024
    assert descriptors < 30
