"""HTTP/2 and gRPC live: what nghttpd answered and what grpcio's peers said is what the sensor reports.

nginx, beside them in the namespace, answers the sensor's readiness probes only.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.effort import long
from tests.system.network import Namespace, loopback_namespace, needs, until_listening, veth_pair
from tests.system.nginx import serving
from tests.system.sensor import Exchange, Sensor, capturing

PORT = 48123
"""Inside a namespace of its own, so any port is free; no list of HTTP/2 ports has it."""

FILES = {
    "/small.json": b'{"ok": true}',
    "/page.html": b"<p>page</p>" * 300,
    "/large.txt": b"line of text\n" * 4000,
}
TARGETS = [*FILES, "/missing"]
STREAMS = 20
"""Under way at a time on one connection of the load."""

pytestmark = [pytest.mark.root, pytest.mark.slow, needs("nginx", "nghttpd", "h2load")]


@contextmanager
def nghttpd(namespace: Namespace, folder: Path) -> Iterator[str]:
    """A server of ``FILES`` without TLS; yields its base URL."""
    root = folder / "www"
    root.mkdir()
    for target, octets in FILES.items():
        (root / target[1:]).write_bytes(octets)
    argv = ["nghttpd", "--no-tls", "-d", str(root), "-a", namespace.address, str(PORT)]
    process = namespace.popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until_listening(namespace, PORT, process=process)
        yield f"http://{namespace.address}:{PORT}"
    finally:
        process.terminate()
        process.wait()


def load(
    base: str, requests: int, *, clients: int = 10, streams: int = STREAMS, rate: int = 500
) -> list[str]:
    """argv of h2load: *rate* requests a second from each client."""
    paced = [f"--rps={rate}"] if rate else []
    urls = [base + target for target in TARGETS]
    return ["h2load", f"-n{requests}", f"-c{clients}", f"-m{streams}", *paced, *urls]


def over_http2(sensor: Sensor) -> list[Exchange]:
    return [x for x in sensor.exchanges() if x["protocol"] == "http/2"]


def assert_all_right(exchanges: Sequence[Exchange], requests: int) -> None:
    """Each of *requests* is there, whole, with the file it asked for."""
    assert Counter(x["incomplete"] for x in exchanges) == {None: requests}
    asked = Counter(
        (x["request"]["method"], x["request"]["path"], x["response"]["status"]) for x in exchanges
    )
    each = requests // len(TARGETS)
    assert asked == {("GET", target, 200 if target in FILES else 404): each for target in TARGETS}
    for x in exchanges:
        if x["request"]["path"] in FILES:
            assert x["response"]["body"].encode() == FILES[x["request"]["path"]]
        assert dict(map(tuple, x["response"]["headers"]))["server"].startswith("nghttpd")
    streams = {(x["client"]["port"], x["stream_id"]) for x in exchanges}
    assert len(streams) == requests


@pytest.mark.parametrize("requests", [10_000, long(100_000)])
def test_loopback_ten_thousand(tmp_path: Path, requests: int):
    with loopback_namespace() as here, nghttpd(here, tmp_path) as base:
        with serving(here, tmp_path / "nginx") as nginx, capturing(here, tmp_path, nginx.base) as sensor:
            report = here.run(load(base, requests))
            sensor.catch_up()
        assert f"{requests} done" in report
        sensor.assert_ledger()
        assert_all_right(over_http2(sensor), requests)


@pytest.mark.parametrize("requests", [2_000, long(20_000)])
def test_veth_pair(tmp_path: Path, requests: int):
    with veth_pair() as (server, client), nghttpd(server, tmp_path) as base:
        with (
            serving(server, tmp_path / "nginx") as nginx,
            capturing(server, tmp_path, nginx.base, client=client) as sensor,
        ):
            client.run(load(base, requests))
            sensor.catch_up()
        sensor.assert_ledger()
        assert_all_right(over_http2(sensor), requests)


def test_started_mid_connection(tmp_path: Path):
    """The connections are busy before the sensor starts; ten exchanges later the basics are known."""
    with (
        loopback_namespace() as here,
        nghttpd(here, tmp_path) as base,
        serving(here, tmp_path / "nginx") as nginx,
    ):
        busy = here.popen(load(base, 1_000_000, clients=4, rate=400), stdout=subprocess.DEVNULL)
        try:
            with capturing(here, tmp_path, nginx.base) as sensor:
                time.sleep(4)
                assert busy.poll() is None, "the load was over before the sensor had seen enough of it"
                busy.kill()
                busy.wait()
                sensor.catch_up()
        finally:
            busy.kill()
            busy.wait()
    sensor.assert_ledger()
    of_port: dict[int, list[Exchange]] = defaultdict(list)
    for x in sorted(over_http2(sensor), key=lambda x: x["stream_id"]):
        of_port[x["client"]["port"]].append(x)
    for exchanges in of_port.values():
        for x in exchanges:
            if x["response"] is not None and x["request"] is not None:
                target = x["request"]["path"]
                assert target in TARGETS
                assert x["response"]["status"] == (200 if target in FILES else 404)
        for x in exchanges[10:-STREAMS]:  # the last ones were under way when the load was stopped
            assert x["request"]["method"] == "GET"
            assert x["incomplete"] in (None, "mid_stream")
            if x["request"]["path"] in FILES:
                assert x["response"]["body"].encode() == FILES[x["request"]["path"]]
    assert len(of_port) == 4
    assert min(map(len, of_port.values())) > 100 + STREAMS


@pytest.mark.parametrize("calls", [150, long(1500)])
def test_grpc_calls_of_every_kind(tmp_path: Path, calls: int):
    program = str(Path(__file__).with_name("grpc_talk.py"))
    with (
        loopback_namespace() as here,
        serving(here, tmp_path / "nginx") as nginx,
        capturing(here, tmp_path, nginx.base) as sensor,
    ):
        made = json.loads(here.run([sys.executable, program, f"127.0.0.1:{PORT}", str(calls)]))
        sensor.catch_up()
    sensor.assert_ledger()
    exchanges = over_http2(sensor)
    assert Counter(x["incomplete"] for x in exchanges) == {None: 4 * calls}
    assert all(x["grpc"] for x in exchanges)
    assert Counter(map(_as_made, exchanges)) == Counter(_made(call) for call in made)


def _made(call: dict[str, Any]) -> tuple[Any, ...]:
    sizes = [None, None] if call["gzip"] else [call["asked"][1], call["answered"][1]]
    return call["path"], call["status"], call["asked"][0], call["answered"][0], *sizes


def _as_made(x: Exchange) -> tuple[Any, ...]:
    """As the peers tell it; sizes of compressed messages are those on the wire, which they do not know."""
    request, response = x["request"], x["response"]
    ends = dict(map(tuple, response.get("trailers") or response["headers"]))
    gzip = any(name == "grpc-encoding" for name, _ in request["headers"])
    sizes = [None if gzip else m.get("data_message_bytes", 0) for m in (request, response)]
    counts = [m.get("data_messages", 0) for m in (request, response)]
    return request["path"], int(ends["grpc-status"]), *counts, *sizes
