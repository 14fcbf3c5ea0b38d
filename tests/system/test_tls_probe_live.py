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
from typing import Any

import pytest

from levo.tlsprobe.link import ask_status
from levo.tlsprobe.locate import read_build_id
from levo.tlsprobe.program import Program
from tests.helpers.effort import long
from tests.helpers.tls_peers import certificate
from tests.satellite.running import until
from tests.system.network import Namespace, loopback_namespace, needs, until_listening
from tests.system.sensor import Sensor, capturing, command
from tests.tlsprobe.builds import CACHE
from tests.tlsprobe.test_locate import system_libssl
from tests.tlsprobe.test_program import unavailable

PORT, PLAIN = 8443, 8080

NGINX = """
daemon off; master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    log_format targets '$request_uri $status $ssl_protocol $ssl_session_reused';
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
        return Counter((line.split()[0], line.split()[1]) for line in lines)

    def versions(self) -> set[str]:
        return {line.split()[2] for line in (self.folder / "access.log").read_text().splitlines()}

    def reported(self) -> Counter[tuple[str, str]]:
        return Counter(
            (x["request"]["target"], str(x["response"]["status"]))
            for x in self.sensor.exchanges()
            if x["server"]["port"] == PORT and x["request"] and x["response"]
        )

    def wait_for_sensor(self) -> None:
        """Until the sensor has the probe's ring."""
        until(lambda: bool(self.status()["sensor"]))

    def status(self) -> dict[str, Any]:
        argv = command(["tls", "status", f"--socket={self.socket}", "--json"])
        found: dict[str, Any] = json.loads(self.namespace.run(argv))
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
def watched(folder: Path, kind: str, *more: str, within: Path | None = None) -> Iterator[Watched]:
    """A server of *kind* with a library of its own, a probe on that, and a sensor.

    *within*: a folder whose libraries are probed in the place of the server's. *more*: options of the probe.
    """
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
            probing(here, folder, within or library, *more) as socket,
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
    assert [each["libraries"] for each in users_of(status, seen.server.pid)] == [[0]]
    stages = seen.sensor.ledger()
    assert stages["tls"]["states"]["read"] == stages["tls"]["received"] > 20
    (counted,) = (each for each in status["report"]["processes"] if each["process"] == seen.server.pid)
    assert counted["read"] + counted["open"] == counted["connections"] == stages["tls"]["received"]
    assert stages["tls_probe"]["states"]["ring_full"] == stages["tls_probe"]["states"]["fault"] == 0
    assert stages["tls_probe"]["states"]["delivered"] == stages["secrets"]["received"]
    assert stages["secrets"]["states"]["unused"] == 0


def users_of(status: dict[str, Any], process: int) -> list[dict[str, Any]]:
    return [each for each in status["processes"] if each["process"] == process]


RESUME = """
import socket, ssl, sys
for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    session = None
    for number in range(10):
        plain = socket.create_connection(("127.0.0.1", 8443))
        with context.wrap_socket(plain, session=session) as connection:
            connection.sendall(b"GET /%s/%d HTTP/1.0\\r\\n\\r\\n" % (version.name.encode(), number))
            while connection.recv(65536):
                pass
            session = connection.session
"""


def test_resumed_connections_are_read(tmp_path: Path) -> None:
    """By tickets in TLS 1.2 and pre-shared keys in 1.3: the secrets are new, or logged again."""
    with watched(tmp_path, "nginx") as seen:
        seen.namespace.run([sys.executable, "-c", RESUME])
        seen.sensor.catch_up()
    lines = [line.split() for line in (tmp_path / "access.log").read_text().splitlines()]

    assert Counter((protocol, reused) for _, _, protocol, reused in lines) == {
        **{("TLSv1.2", "."): 1, ("TLSv1.2", "r"): 9},
        **{("TLSv1.3", "."): 1, ("TLSv1.3", "r"): 9},
    }
    assert seen.reported() == seen.logged()


def test_reading_goes_on_behind_a_key_update(tmp_path: Path) -> None:
    """Each side gets new keys, and new ones again."""
    client = ["openssl", "s_client", "-connect", f"127.0.0.1:{PORT}", "-tls1_3"]
    answers = tmp_path / "answers"
    with watched(tmp_path, "nginx") as seen, answers.open("wb") as sink:
        with seen.namespace.popen(client, stdin=subprocess.PIPE, stdout=sink, stderr=sink) as process:
            assert process.stdin is not None
            for number in range(4):
                process.stdin.write(b"GET /update/%d HTTP/1.1\r\nHost: a\r\n\r\n" % number)
                process.stdin.flush()
                until(lambda number=number: b"for /update/%d" % number in answers.read_bytes())  # type: ignore[misc]
                process.stdin.write(b"K\n")  # update, and ask the other side for one
                process.stdin.flush()
                until(lambda number=number: answers.read_bytes().count(b"KEYUPDATE") > number)  # type: ignore[misc]
            process.stdin.close()
            process.wait(60)
        seen.sensor.catch_up()
    assert seen.logged() == Counter((f"/update/{number}", "200") for number in range(4))
    assert seen.reported() == seen.logged()


CURL_CFFI = """
from curl_cffi import requests
session = requests.Session(verify=False)
for number in range(40):
    assert session.get(f"https://127.0.0.1:8443/kept/{number}").status_code == 200
for number in range(5):
    assert requests.get(f"https://127.0.0.1:8443/alone/{number}", verify=False).status_code == 200
"""

GRPC = """
import grpc, sys
from concurrent import futures
credentials = open(sys.argv[1], "rb").read()
class Answer(grpc.GenericRpcHandler):
    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(lambda request, context: request)
server = grpc.server(futures.ThreadPoolExecutor(2))
server.add_generic_rpc_handlers((Answer(),))
server.add_secure_port("127.0.0.1:8443", grpc.ssl_server_credentials([(credentials, credentials)]))
server.start()
for line in sys.stdin:
    names = (("grpc.ssl_target_name_override", "api.example"), ("grpc.use_local_subchannel_pool", 1))
    with grpc.secure_channel("127.0.0.1:8443", grpc.ssl_channel_credentials(credentials), names) as channel:
        for number in range(20):
            sent = b"x" * 100 * number
            assert channel.unary_unary(f"/shop.Orders/Get{number}")(sent) == sent
    print("done", flush=True)
"""


def installed(requirement: str) -> Path:
    """A folder with a package of PyPI and its TLS library in it; skips the test where no registry answers."""
    folder = CACHE / f"site-{requirement}"
    if not (folder / "whole").exists():
        argv = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary=:all:", "--no-deps"]
        argv += ["--timeout=20", "--retries=1", "--target", str(folder), requirement]
        done = subprocess.run(argv, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"{requirement} cannot be had: {(done.stderr.splitlines() or [''])[-1]}")
        (folder / "whole").touch()
    return folder


def test_a_client_with_boringssl_in_it_is_read(tmp_path: Path) -> None:
    """curl_cffi: static; the server's library is not probed."""
    site = installed("curl_cffi==0.13.0")
    with watched(tmp_path, "nginx", within=site) as seen:
        seen.namespace.run(["env", f"PYTHONPATH={site}", sys.executable, "-c", CURL_CFFI])
        seen.sensor.catch_up()

    assert seen.logged().total() == 45
    assert seen.reported() == seen.logged()


def test_grpc_between_programs_with_a_stripped_boringssl_is_read(tmp_path: Path) -> None:
    """Both ends are one process of grpcio: every call is an exchange, over kept and new connections."""
    site = installed("grpcio==1.76.0")
    with watched(tmp_path, "nginx", within=site) as seen:
        pem = tmp_path / "server.pem"
        seen.server.terminate()
        seen.server.wait(60)
        argv = ["env", f"PYTHONPATH={site}", sys.executable, "-c", GRPC, str(pem)]
        with seen.namespace.popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None and process.stdout is not None
            until_listening(seen.namespace, PORT, process=process)
            until(lambda: bool(users_of(seen.status(), process.pid)))
            for _ in range(3):
                process.stdin.write(b"\n")
                process.stdin.flush()
                assert process.stdout.readline() == b"done\n"
            process.stdin.close()
        seen.sensor.until_reported(lambda x: x["server"]["port"] == PORT, 60)

    assert seen.reported() == Counter({(f"/shop.Orders/Get{number}", "200"): 3 for number in range(20)})


BUSY = [
    "wrk",
    *("-t1", "-c16", "--timeout", "30s", "-H", "Connection: close"),
    f"https://127.0.0.1:{PORT}/alone",
]


@needs("wrk")
@pytest.mark.alone
@pytest.mark.parametrize("seconds", [3, long(60)])
def test_every_new_connection_is_read_at_the_highest_rate(seconds: int, tmp_path: Path) -> None:
    """With the default ring: none of its secrets is lost, and no connection unread."""
    with watched(tmp_path, "nginx") as seen:
        seen.namespace.run([*BUSY[:-1], f"-d{seconds}s", BUSY[-1]], timeout=seconds + 120)
        seen.sensor.catch_up()
    stages = seen.sensor.ledger()
    asked = seen.logged()["/alone", "200"]

    assert asked > 100 * seconds
    print(f"{asked / seconds:.0f} connections a second")
    assert stages["tls_probe"]["states"]["ring_full"] == stages["tls_probe"]["states"]["limited"] == 0
    # Those that wrk leaves at its end may be cut in their handshake.
    states = stages["tls"]["states"]
    assert states["read"] + states["unfinished"] == stages["tls"]["received"]
    assert states["unfinished"] <= 16
    whole = sum(x["incomplete"] is None for x in seen.sensor.exchanges() if x["server"]["port"] == PORT)
    assert asked - 16 <= whole <= asked


@needs("wrk")
@pytest.mark.alone
def test_secrets_that_find_no_room_are_counted_exactly(tmp_path: Path) -> None:
    """The sensor stands still until the ring is full; then hits are the sum of all that became of them."""
    with watched(tmp_path, "nginx", "--ring-mib=1") as seen:
        seen.sensor.signal(signal.SIGSTOP)
        with running([*BUSY[:-1], "-d60s", BUSY[-1]], seen.namespace, stdout=subprocess.DEVNULL) as load:
            until(lambda: counters(seen)["ring_full"] > 500)
            load.terminate()
            load.wait(60)
        seen.sensor.signal(signal.SIGCONT)
        seen.curl(["/behind"])
        seen.sensor.catch_up()
        counted = counters(seen)
    stages = seen.sensor.ledger()
    probe, secrets = stages["tls_probe"], stages["secrets"]

    assert probe["balanced"] and secrets["balanced"]
    # A ring of them, those behind, and what nginx had begun when the load ended.
    assert 0 <= counted["passed"] - ((1 << 20) // 96 + 4) < 500
    assert {**counted, "passed": 0} == {
        **{name: probe["states"][name] for name in ("filtered", "limited", "ring_full", "fault")},
        **{"hits": probe["received"], "passed": 0},
    }
    assert probe["states"]["waiting"] == probe["states"]["before"] == 0
    ended = secrets["states"]
    lost = sum(probe["states"][name] for name in ("filtered", "limited", "ring_full", "fault"))
    assert probe["received"] == ended["used"] + ended["unused"] + ended["held"] + ended["refused"] + lost
    assert ("/behind", "200") in seen.reported()


def counters(seen: Watched) -> dict[str, int]:
    """What the probe counts, without the sensor, which may stand still."""
    found: dict[str, int] = json.loads(ask_status(str(seen.socket), {os.geteuid()}))["secrets"]
    return found


@pytest.mark.long
@pytest.mark.alone
@pytest.mark.parametrize(("fresh", "least"), [(True, 15), (False, 20)], ids=["never seen", "known"])
def test_first_handshakes_of_programs_that_live_for_milliseconds(
    fresh: bool, least: int, tmp_path: Path
) -> None:
    """curl, each time with a library that nobody has run, or always with the same."""
    site = tmp_path / "site"
    for number in range(20 if fresh else 1):
        folder = site / str(number)
        folder.mkdir(parents=True)
        octets = system_libssl().read_bytes()
        with system_libssl().open("rb") as file:
            build_id = bytes.fromhex(read_build_id(file.fileno()))
        (folder / system_libssl().name).write_bytes(octets.replace(build_id, bytes([number]) * len(build_id)))
    with watched(tmp_path, "nginx", within=site) as seen:
        for number in range(-1, 20):
            folder = site / str(number if fresh else 0)
            url = f"https://127.0.0.1:{PORT}/{'first' if number >= 0 else 'warm'}/{number}"
            curl = ["env", f"LD_LIBRARY_PATH={folder}", "curl", "--silent", "--insecure", url]
            if number >= 0 or not fresh:
                seen.namespace.run(curl)
        seen.sensor.catch_up()

    read = [target for target, _ in seen.reported() if target.startswith("/first/")]
    print(f"{len(read)} of 20")
    assert len(read) >= least


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
