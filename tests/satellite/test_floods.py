"""A Satellite of the shipped unit's size under attack: memory, health, acknowledged traces and the log.

Each flood runs against a real Satellite in a control group of 2 GiB and one core, for a moment, and for half
a minute in the long form. Beside it an honest sender delivers, and somebody asks for ``/healthz``.
"""

from __future__ import annotations

import contextlib
import gzip
import secrets
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import grpc
import pytest

from tests.helpers.effort import long
from tests.helpers.processes import tree_of
from tests.satellite.receive.test_http_routes import PROTOBUF
from tests.satellite.requests import Call, traces
from tests.satellite.running import RunningSatellite, fetch, until
from tests.satellite.test_app import EXPORT

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(900)]

LIMIT_BYTES = 2 << 30
MOST_BYTES = 1 << 30
"""Half of the unit's limit: the rest is for a catalog."""
MOST_LOG_BYTES = 1 << 20
HEALTH_S, LONG_S = 1.0, 30
FORM = "application/x-www-form-urlencoded"
CGROUPS = Path("/sys/fs/cgroup")


@contextlib.contextmanager
def unit_of_two_gibibytes() -> Iterator[list[Path]]:
    """Control groups (v1 or v2) with the unit's limit and one core; gives the files that take processes."""
    name = f"levo-{secrets.token_hex(4)}"
    if (CGROUPS / "memory" / "memory.limit_in_bytes").exists():
        wanted = {
            CGROUPS / "memory" / name: {"memory.limit_in_bytes": LIMIT_BYTES},
            CGROUPS / "cpu" / name: {"cpu.cfs_quota_us": 100_000},
        }
    else:
        wanted = {CGROUPS / name: {"memory.max": LIMIT_BYTES, "cpu.max": "100000 100000"}}
    made: list[Path] = []
    try:
        try:
            for group, files in wanted.items():
                group.mkdir()
                made.append(group)
                for file, value in files.items():
                    (group / file).write_text(str(value))
        except OSError as error:
            pytest.skip(f"no control group can be made here: {error}")
        yield [group / "cgroup.procs" for group in made]
    finally:
        for group in made:
            until(lambda group=group: not (group / "cgroup.procs").read_text())  # type: ignore[misc]
            group.rmdir()


class Unit:
    """The Satellite in its control group, and what is noted of it."""

    def __init__(self, running: RunningSatellite, seconds: int) -> None:
        self.running = running
        self.seconds = seconds
        place = urlsplit(running.web)
        self.place = (place.hostname or "", place.port or 0)
        self.peak_bytes = 0
        self.slowest_s = 0.0
        self.acknowledged = 0
        self._over = threading.Event()
        self._failures: list[str] = []

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        watchers = [threading.Thread(target=each) for each in (self._measure, self._ask, self._send)]
        for each in watchers:
            each.start()
        try:
            yield
        finally:
            self._over.set()
            for each in watchers:
                each.join()
        assert not self._failures, self._failures[:3]

    def flood(self, work: Callable[[], None], threads: int = 4) -> None:
        """Repeat *work* in threads until the time is up; refusals and resets are its answers."""
        end = time.monotonic() + self.seconds

        def run() -> None:
            while True:
                with contextlib.suppress(OSError, ValueError, grpc.RpcError):
                    work()
                if time.monotonic() > end:
                    return

        workers = [threading.Thread(target=run) for _ in range(threads)]
        for each in workers:
            each.start()
        for each in workers:
            each.join()

    def connect(self, port: tuple[str, int] | None = None) -> socket.socket:
        return socket.create_connection(port or self.place, timeout=90)

    def _measure(self) -> None:
        while not self._over.wait(0.02):
            found = 0
            for pid in tree_of(self.running.process.pid):
                with contextlib.suppress(OSError, StopIteration):
                    status = Path(f"/proc/{pid}/status").read_text().splitlines()
                    found += next(int(line.split()[1]) << 10 for line in status if line.startswith("VmRSS:"))
            self.peak_bytes = max(self.peak_bytes, found)

    def _ask(self) -> None:
        while not self._over.wait(0.1):
            began = time.monotonic()
            try:
                status = fetch("GET", self.running.web + "/healthz", None, {}).status
            except OSError as error:
                self._failures.append(f"/healthz: {error!r}")
                continue
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            if status != 200:
                self._failures.append(f"/healthz: {status}")

    def _send(self) -> None:
        """Deliver as a sensor does: once more after a failure, until it is acknowledged."""
        number = 0
        while not self._over.is_set():
            body = traces([Call(path="/honest/orders")] * 5).SerializeToString()
            while not self._over.is_set():
                with contextlib.suppress(OSError):
                    if self.running.post("/v1/traces", body, content_type=PROTOBUF).status == 200:
                        self.acknowledged += 5
                        break
                self._over.wait(0.1)
            number += 1
            self._over.wait(0.05)

    def learned(self) -> float:
        until(lambda: not list((self.running.data_dir / "journal").glob("*.segment")))
        rows = self.running.endpoints("?q=/honest/orders")
        return float(sum(row["count"] for row in rows))


# The attacks. Each does one thing once.


def heads(unit: Unit) -> None:
    def work() -> None:
        with unit.connect() as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
            for _ in range(400):
                connection.sendall(b"a:b\r\n" * 4000)

    unit.flood(work)


def idle_connections(unit: Unit) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 12_000), hard))
    held: list[socket.socket] = []
    ports = [urlsplit(f"//{each}") for each in (unit.running.grpc, urlsplit(unit.running.otlp_http).netloc)]
    places = [unit.place, *((port.hostname or "", port.port or 0) for port in ports)]
    try:
        for number in range(10_000):
            with contextlib.suppress(OSError):
                held.append(socket.create_connection(places[number % 3], timeout=2))
        time.sleep(unit.seconds)
    finally:
        for each in held:
            each.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def passwords(unit: Unit) -> None:
    def work() -> None:
        name = secrets.token_hex(4)
        for path in ("/setup", "/login"):
            body = f"code=x&name={name}&password=abcdefgh{name}".encode()
            unit.running.post(path, body, content_type=FORM)

    unit.flood(work, threads=200)


def gzip_bombs(unit: Unit) -> None:
    bombs = [
        gzip.compress(bytes(70 << 20), 1),
        gzip.compress(b"") * 100_000,
        gzip.compress(gzip.compress(bytes(60 << 20))),
    ]

    def work() -> None:
        for bomb in bombs:
            unit.running.post("/v1/traces", bomb, content_type=PROTOBUF, content_encoding="gzip")

    unit.flood(work)


def json_bombs(unit: Unit) -> None:
    nested = '{"kvlistValue":{"values":[{"key":"a","value":' * 5000 + "{}" + "}]}}" * 5000
    shape = '{"resourceSpans":[{"resource":{"attributes":[{"key":"a","value":%s}]}}]}'
    bodies = [
        b'{"resourceSpans":' + b"[" * 200_000,
        (shape % nested).encode(),
        b'{"resourceSpans":[' + b"{}," * 2_000_000 + b"{}]}",
    ]

    def work() -> None:
        for body in bodies:
            unit.running.post("/v1/traces", body, content_type="application/json")

    unit.flood(work)


def field(number: int, octets: bytes) -> bytes:
    out, length = bytearray([number << 3 | 2]), len(octets)
    while length > 127:
        out.append(length & 127 | 128)
        length >>= 7
    return bytes(out) + bytes([length]) + octets


def protobuf_bombs(unit: Unit) -> None:
    deep = b""
    for _ in range(3000):
        deep = field(6, field(1, field(2, deep)))
    bodies = [
        field(1, field(1, field(1, field(1, b"a") + field(2, deep)))),
        field(1, field(2, b"\x12\x00" * 2_000_000)),
        field(1, b"\x12\x00" * 2_000_000),
    ]

    def work() -> None:
        for body in bodies:
            unit.running.post("/v1/traces", body, content_type=PROTOBUF)
            unit.running.post("/v1/metrics", body, content_type=PROTOBUF)

    unit.flood(work)


def xml_bombs(unit: Unit) -> None:
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE x [<!ENTITY a0 "lol">{entities}]><x>&a11;</x>'
    more = {"levo.http.request.body": bomb, "http.request.header.content-type": "application/xml"}
    body = traces([Call("POST", "/xml", more=more)] * 50).SerializeToString()

    def work() -> None:
        unit.running.post("/v1/traces", body, content_type=PROTOBUF)
        time.sleep(0.05)

    unit.flood(work, threads=1)


def yaml_bombs(unit: Unit) -> None:
    lines = ["openapi: 3.0.0", "a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    documents = ["\n".join(lines), "[" * 100_000, "a: " + "{b: " * 50_000, "- x\n" * 500_000]
    place = {"organization": "acme", "environment": "staging", "application": "shop"}
    forms = [urlencode({**place, "document": each}).encode() for each in documents]

    def work() -> None:
        for form in forms:
            unit.running.post("/reference/description", form, content_type=FORM)

    unit.flood(work)


def http2_frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


HTTP2_START = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + http2_frame(4, 0, 0, b"")


def continuation_floods(unit: Unit) -> None:
    host, _, port = unit.running.grpc.rpartition(":")

    def work() -> None:
        with unit.connect((host, int(port))) as connection:
            connection.sendall(HTTP2_START + http2_frame(1, 0, 1, b"\x82"))
            frame = http2_frame(9, 0, 1, b"\x00\x7f\x81\x7c" + b"a" * 16_000)
            for _ in range(3000):
                connection.sendall(frame)

    unit.flood(work)


def stream_floods(unit: Unit) -> None:
    """Streams that are opened and reset at once (rapid reset), beside empty settings and pings."""
    host, _, port = unit.running.grpc.rpartition(":")
    path = EXPORT.encode()
    block = b"\x83\x86\x04" + bytes([len(path)]) + path + b"\x0f\x10\x10application/grpc\x41\x01a"

    def work() -> None:
        with unit.connect((host, int(port))) as connection:
            connection.sendall(HTTP2_START)
            for start in range(1, 40_000, 400):
                frames = b"".join(
                    http2_frame(1, 4, stream, block) + http2_frame(3, 0, stream, b"\0\0\0\x08")
                    for stream in range(start, start + 400, 2)
                )
                connection.sendall(
                    frames + http2_frame(4, 0, 0, b"") * 20 + http2_frame(6, 0, 0, bytes(8)) * 20
                )

    unit.flood(work)


ATTACKS = [
    heads,
    idle_connections,
    passwords,
    gzip_bombs,
    json_bombs,
    protobuf_bombs,
    xml_bombs,
    yaml_bombs,
    continuation_floods,
    stream_floods,
]


@pytest.mark.parametrize("seconds", [2, long(LONG_S)])
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_a_flood_costs_no_trace_and_bounded_memory_time_and_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attack: Callable[[Unit], None], seconds: int
) -> None:
    python = tmp_path / "python"
    with unit_of_two_gibibytes() as joins:
        joining = "\n".join(f"echo $$ > {each}" for each in joins)
        python.write_text(f'#!/bin/sh\n{joining}\nexec {sys.executable} "$@"\n')
        python.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(python))
        with RunningSatellite(tmp_path / "data") as running:
            unit = Unit(running, seconds)
            with unit.watched():
                until(lambda: unit.acknowledged > 0)
                attack(unit)
            learned = unit.learned()
            assert running.terminate() == 0

    print(
        f"{attack.__name__}: {unit.peak_bytes >> 20} MiB, /healthz {unit.slowest_s:.2f} s at most,"
        f" {unit.acknowledged} acknowledged, {len(running.errors)} octets of log"
    )
    assert unit.peak_bytes < MOST_BYTES
    assert len(running.errors) < MOST_LOG_BYTES
    assert learned >= unit.acknowledged > 0
    if seconds >= LONG_S:  # where nothing else runs beside it
        assert unit.slowest_s < HEALTH_S
