"""TLS read without a key log: the secrets come from the servers' libraries, by ``levo tls probe``.

Each server runs with a copy of its library in the test's folder, and only that is probed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from levo.tlsprobe.link import ask_status
from levo.tlsprobe.program import Program
from tests.helpers.tls_peers import certificate
from tests.satellite.running import until
from tests.system.network import Namespace, loopback_namespace, needs, until_listening
from tests.system.sensor import Sensor, capturing, command
from tests.tlsprobe.test_locate import system_libssl
from tests.tlsprobe.test_program import unavailable

PORT, PLAIN = 8443, 8080

NGINX = """
daemon off; master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    log_format targets '$request_uri $status $ssl_protocol';
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    keepalive_requests 100000;
    ssl_certificate {pem}; ssl_certificate_key {pem};
    ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:s:1m; ssl_session_tickets on;
    server {{ listen 127.0.0.1:8080; access_log off; location / {{ return 200 'ready'; }} }}
    server {{
        listen 127.0.0.1:8443 ssl http2;
        access_log {folder}/access.log targets;
        location / {{ return 200 'you asked for $request_uri'; }}
        location /large {{ alias {folder}/large.bin; }}
    }}
}}
"""

PYTHON = """
import http.server, ssl, sys, threading
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = b"you asked for " + self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments):
        if self.server.server_port == 8443:
            print(self.path, 200, self.connection.version(), file=log, flush=True)
log = open(sys.argv[1] + "/access.log", "w")
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2])
secure = http.server.ThreadingHTTPServer(("127.0.0.1", 8443), Answer)
secure.socket = context.wrap_socket(secure.socket, server_side=True)
threading.Thread(target=secure.serve_forever).start()
http.server.ThreadingHTTPServer(("127.0.0.1", 8080), Answer).serve_forever()
"""

NODE = """
const fs = require('fs'), [folder, pem] = process.argv.slice(2)
const log = fs.openSync(folder + '/access.log', 'w')
const answer = (request, response) => {
  if (request.socket.encrypted)
    fs.writeSync(log, `${request.url} 200 ${request.socket.getProtocol()}\\n`)
  response.end('you asked for ' + request.url)
}
const key = fs.readFileSync(pem)
require('https').createServer({key, cert: key}, answer).listen(8443, '127.0.0.1')
require('http').createServer(answer).listen(8080, '127.0.0.1')
"""


def uprobe_multi() -> bool:
    program = Program(ring_bytes=4096)
    multi = program.multi
    program.close()
    return multi


reason = unavailable()
UPROBE_MULTI = not reason and uprobe_multi()
pytestmark = [
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.skipif(bool(reason), reason=reason or "available"),
    needs("nginx", "openssl", "curl"),
]


@dataclass(frozen=True, slots=True)
class Watched:
    """A server that is watched: whoever asks it, and the sensor that is to see it."""

    namespace: Namespace
    folder: Path
    server: subprocess.Popen[bytes]
    sensor: Sensor
    socket: Path

    def curl(self, targets: Sequence[str], *options: str) -> None:
        """Fetch *targets* over one connection. The client's library is not probed."""
        urls = [f"https://127.0.0.1:{PORT}{target}" for target in targets]
        argv = [
            "curl",
            "--silent",
            "--show-error",
            "--insecure",
            "--max-time",
            "120",
            "--output",
            "/dev/null",
        ]
        more = [word for url in urls[1:] for word in ("--output", "/dev/null", url)]
        self.namespace.run([*argv, *options, urls[0], *more])

    def logged(self) -> Counter[tuple[str, str]]:
        """(target, status) of what the server has logged."""
        lines = (self.folder / "access.log").read_text().splitlines()
        return Counter((target, status) for target, status, _ in map(str.split, lines))

    def versions(self) -> set[str]:
        return {line.split()[2] for line in (self.folder / "access.log").read_text().splitlines()}

    def reported(self) -> Counter[tuple[str, str]]:
        return Counter(
            (x["request"]["target"], str(x["response"]["status"]))
            for x in self.sensor.exchanges()
            if x["server"]["port"] == PORT
        )

    def wait_for_sensor(self) -> None:
        """Until the sensor has the probe's ring."""
        until(lambda: bool(self.status()["sensor"]))

    def status(self) -> dict[str, object]:
        argv = command(["tls", "status", f"--socket={self.socket}", "--json"])
        found: dict[str, object] = json.loads(self.namespace.run(argv))
        return found


@contextmanager
def running(
    argv: Sequence[str], namespace: Namespace, **options: object
) -> Iterator[subprocess.Popen[bytes]]:
    process = namespace.popen(argv, stdin=subprocess.DEVNULL, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(90)


@contextmanager
def probing(namespace: Namespace, folder: Path, within: Path, *more: str) -> Iterator[Path]:
    """``levo tls probe``; the block starts once it has looked at what is mapped."""
    socket, log = folder / "probe.sock", folder / "probe.log"
    argv = command(["tls", "probe", f"--socket={socket}", f"--within={within}", "--reader=root", *more])
    with log.open("wb") as sink, running(argv, namespace, stdout=sink, stderr=sink) as process:
        until(lambda: f"at {socket}" in log.read_text() or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield socket


@contextmanager
def watched(folder: Path, kind: str) -> Iterator[Watched]:
    """A server of *kind* with a library of its own, a probe on that, and a sensor."""
    pem = certificate(folder, ["api.example"])
    (folder / "large.bin").write_bytes(bytes(300_000))
    library = folder / "lib"
    library.mkdir()
    own = {**os.environ, "LD_LIBRARY_PATH": str(library)}
    if kind == "node":
        program = shutil.which("node")
        if program is None:
            pytest.skip("not installed: node")
        shutil.copy(program, library / "node")
        (folder / "server.js").write_text(NODE)
        argv = [str(library / "node"), str(folder / "server.js"), str(folder), str(pem)]
    else:
        shutil.copy(system_libssl(), library)
        (folder / "server.py").write_text(PYTHON)
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, pem=pem))
        argv = {
            "nginx": ["nginx", "-p", str(folder), "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"],
            "python": [shutil.which("python3") or "python3", f"{folder}/server.py", str(folder), str(pem)],
        }[kind]
    with (
        loopback_namespace() as here,
        running(
            argv, here, env=own, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as server,
    ):
        until_listening(here, PORT, PLAIN, process=server)
        with (
            probing(here, folder, library) as socket,
            capturing(here, folder, f"http://127.0.0.1:{PLAIN}", f"--tls-probe={socket}") as sensor,
        ):
            seen = Watched(here, folder, server, sensor, socket)
            seen.wait_for_sensor()
            yield seen


@pytest.mark.parametrize("kind", ["nginx", "python", "node"])
def test_every_exchange_that_the_server_logs_is_reported(kind: str, tmp_path: Path) -> None:
    """Kept and single connections, resumption, TLS 1.2 and 1.3, HTTP/1.1 and (nginx) HTTP/2."""
    with watched(tmp_path, kind) as seen:
        for version in ("--tlsv1.2", "--tlsv1.3"):
            limits = [version, "--tls-max", version[-3:]]
            for http in ("--http1.1", "--http2") if kind == "nginx" else ("--http1.1",):
                seen.curl([f"/{version[-3:]}{http}/{i}" for i in range(100)], http, *limits)
                for i in range(10):
                    seen.curl([f"/alone/{version[-3:]}{http}/{i}"], http, *limits)
                if kind == "nginx":
                    seen.curl(["/large"] * 10, http, *limits)
        seen.sensor.catch_up()
        time.sleep(0.5)
        status = seen.status()
    seen.sensor.assert_ledger()

    assert len(seen.logged()) >= 220
    assert seen.versions() == {"TLSv1.2", "TLSv1.3"}
    assert seen.reported() == seen.logged()
    assert Counter(x["incomplete"] for x in seen.sensor.exchanges()) == {None: seen.reported().total()}
    libraries = status["libraries"]
    assert isinstance(libraries, list) and len(libraries) == 1
    assert "reason" not in libraries[0]
    stages = seen.sensor.ledger()
    assert stages["tls_probe"]["states"]["ring_full"] == stages["tls_probe"]["states"]["fault"] == 0
    assert stages["tls_probe"]["states"]["delivered"] == stages["secrets"]["received"]
    assert stages["secrets"]["states"]["unused"] == 0


@needs("wrk")
@pytest.mark.alone
def test_reading_goes_on_after_the_sensor_stood_still(tmp_path: Path) -> None:
    """1.5 s under answers of 300 kB cost what was lost meanwhile: every kept connection is read again."""
    with watched(tmp_path, "nginx") as seen:
        wrk = ["wrk", "-t1", "-c8", "-d8s", f"https://127.0.0.1:{PORT}/large"]
        with running(wrk, seen.namespace, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as load:
            time.sleep(2)
            seen.sensor.signal(signal.SIGSTOP)
            time.sleep(1.5)
            seen.sensor.signal(signal.SIGCONT)
            resumed_ns = time.time_ns() + 1_000_000_000
            load.wait(60)
        seen.sensor.catch_up()
    stages = seen.sensor.ledger()
    assert all(stage["balanced"] for stage in stages.values())
    assert stages["capture"]["states"]["kernel_dropped"] > 0

    whole = [x for x in seen.sensor.exchanges() if x["server"]["port"] == PORT and x["incomplete"] is None]
    before = {x["client"]["port"] for x in whole if x["end_ns"] < resumed_ns - 2_500_000_000}
    after = {x["client"]["port"] for x in whole if x["start_ns"] > resumed_ns}

    assert len(before) == 8
    assert after == before


CAPABILITIES = "+bpf,+perfmon,+sys_ptrace,+dac_read_search"
"""Those of the service levo-tls-probe."""
NOBODY = 65_533


@pytest.mark.skipif(not UPROBE_MULTI, reason="needs uprobe_multi (Linux 6.6): before, it takes CAP_SYS_ADMIN")
@needs("setpriv")
def test_four_capabilities_are_enough(tmp_path: Path) -> None:
    """The probe as a user of its own finds a library that only another user may read, and probes it."""
    pem = certificate(tmp_path, ["api.example"])
    library = tmp_path / "lib"
    library.mkdir()
    shutil.copy(system_libssl(), library)
    (tmp_path / "server.py").write_text(PYTHON)
    for each in (library / system_libssl().name, library):
        each.chmod(0o700)
    place = tmp_path / "run"
    place.mkdir()
    os.chown(place, NOBODY, NOBODY)
    for folder in (*tmp_path.parents[:2], tmp_path, place):
        folder.chmod(0o755)
    server = [sys.executable, f"{tmp_path}/server.py", str(tmp_path), str(pem)]
    own = {**os.environ, "LD_LIBRARY_PATH": str(library)}
    change = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs"]
    change += [f"--inh-caps={CAPABILITIES}", f"--ambient-caps={CAPABILITIES}"]
    probe = command(["tls", "probe", f"--socket={place}/probe.sock", f"--within={library}", "--reader=root"])
    log = tmp_path / "probe.log"
    with (
        loopback_namespace() as here,
        log.open("wb") as sink,
        running(server, here, env=own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process,
    ):
        until_listening(here, PORT, process=process)
        with running([*change, *probe], here, stdout=sink, stderr=sink) as probing_process:
            until(lambda: b"probe.sock" in log.read_bytes() or probing_process.poll() is not None)
            assert probing_process.poll() is None, log.read_text()
            curl = ["curl", "--silent", "--insecure", "--max-time", "30", f"https://127.0.0.1:{PORT}/"]
            assert here.run(curl) == "you asked for /"
            status = json.loads(ask_status(f"{place}/probe.sock", {NOBODY}))
            dumpable = Path(f"/proc/{probing_process.pid}/environ").stat().st_uid

    assert [each.get("reason") for each in status["libraries"]] == [None]
    assert status["secrets"]["passed"] == 4
    assert dumpable == 0  # the kernel gives the files of a process that writes no core to root


def test_secrets_are_nowhere_but_in_memory(tmp_path: Path) -> None:
    """The key log that curl writes is the canary: none of its secrets is in any file of probe or sensor."""
    with watched(tmp_path, "nginx") as seen:
        keys = tmp_path / "keys" / "keys.log"
        keys.parent.mkdir()
        argv = [
            "env",
            f"SSLKEYLOGFILE={keys}",
            "curl",
            "--silent",
            "--insecure",
            f"https://127.0.0.1:{PORT}/a",
        ]
        seen.namespace.run(argv)
        seen.sensor.catch_up()
        status = seen.status()
    secrets = {word for line in keys.read_text().splitlines() for word in line.split()[2:3]}
    assert len(secrets) >= 4
    assert ("/a", "200") in seen.reported()

    files = [
        path
        for path in tmp_path.rglob("*")
        if path.is_file() and path.parent not in (keys.parent, tmp_path / "lib")
    ]
    written = b"".join(path.read_bytes() for path in files) + json.dumps(status).encode()

    assert {path.name for path in files} >= {"probe.log", "sensor.log", "exchanges.jsonl"}
    for secret in secrets:
        assert secret.encode() not in written
        assert bytes.fromhex(secret) not in written


def test_the_probe_may_die_and_come_back(tmp_path: Path) -> None:
    """kill -9: the server goes on, and so does the sensor, which reads the next probe's secrets."""
    with watched(tmp_path, "nginx") as seen:
        seen.curl(["/first/1", "/first/2"])
        (process,) = [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdecimal()
            and f"--socket={seen.socket}".encode() in cmdline(entry)
            and b"probe" in cmdline(entry)
        ]
        os.kill(process, signal.SIGKILL)
        seen.sensor.until_logged("has ended")
        seen.curl(["/between"])
        with probing(seen.namespace, tmp_path, tmp_path / "lib"):
            seen.wait_for_sensor()
            seen.curl(["/second/1", "/second/2"])
            seen.sensor.catch_up()
        assert seen.server.poll() is None
    seen.sensor.assert_ledger()

    expected = Counter((f"/{each}", "200") for each in ("first/1", "first/2", "second/1", "second/2"))
    assert seen.reported() == expected
    assert seen.logged() == expected + Counter([("/between", "200")])


def cmdline(entry: Path) -> bytes:
    try:
        return (entry / "cmdline").read_bytes()
    except OSError:
        return b""
