"""nginx as a real peer: one process, JSON answers that carry the request's id, an exact access log."""

from __future__ import annotations

import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.system.network import Namespace

PORT = 8080
"""Inside a namespace of its own, so any port is free."""

CONFIGURATION = """
daemon off;
master_process off;
worker_rlimit_nofile 8192;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    log_format exact '$bytes_sent $status $request_method $request_uri';
    log_format timed '$msec http';
    access_log {folder}/access.log exact buffer=256k;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    keepalive_requests 1000000000;
    keepalive_timeout 600;
    large_client_header_buffers 8 32k;
    client_body_buffer_size 256k;
    default_type application/json;
    server {{
        listen {address}:{port} backlog=4096;
        location / {{ return 200 '{{"path":"$uri","items":[1,2,3],"ok":true}}'; }}
        location /echo {{
            add_header X-Id $http_x_id;
            return 200 '{{"id":"$http_x_id","pad":"$http_x_pad"}}';
        }}
        location /files {{ alias {folder}/files; }}
{locations}    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Nginx:
    """A running server; its log is complete once ``serving`` has ended."""

    base: str
    log: Path

    def logged(self, *, without: str = "/ready") -> Counter[tuple[int, str, str]]:
        """How often it logged each (status, method, target), readiness probes left out.

        Lines without an octet sent are no responses: what wrk no longer waits for when it ends.
        """
        found: Counter[tuple[int, str, str]] = Counter()
        with self.log.open() as lines:
            for line in lines:
                sent, status, method, target = line.rstrip("\n").split(" ", 3)
                if sent != "0" and not target.startswith(without):
                    found[int(status), method, target] += 1
        return found


@contextmanager
def serving(namespace: Namespace, folder: Path, *, locations: str = "") -> Iterator[Nginx]:
    """Serve until the block ends; quits gracefully, so that the log is flushed."""
    (folder / "files").mkdir(parents=True)
    (folder / "files" / "100k.json").write_text('{"data":"' + "x" * (100_000 - 11) + '"}')
    text = CONFIGURATION.format(folder=folder, address=namespace.address, port=PORT, locations=locations)
    (folder / "nginx.conf").write_text(text)
    process = namespace.popen(
        ["nginx", "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        _wait_for_pid(process, folder)
        yield Nginx(f"http://{namespace.address}:{PORT}", folder / "access.log")
    finally:
        process.send_signal(signal.SIGQUIT)
        try:
            process.wait(90)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for_pid(process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + 20
    while not (folder / "nginx.pid").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"nginx did not start: {(folder / 'error.log').read_text()[-1000:]}")
        time.sleep(0.02)
