"""TLS read with keys, live: what curl and s_client asked of real servers is what the sensor reports.

tshark reads the same packets with the same key log as an independent oracle.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from tests.system.network import loopback_namespace, needs
from tests.system.recorder import recording
from tests.system.sensor import Exchange, Sensor, capturing
from tests.system.tls_talk import (
    FILES,
    NGHTTPD,
    NGINX,
    S_SERVER,
    SUITES,
    Servers,
    UpdatingClient,
    tls_servers,
)

COUNT = 12
"""Requests over one connection."""

pytestmark = [pytest.mark.root, pytest.mark.slow, needs("nginx", "nghttpd", "openssl", "curl")]


def asked(exchanges: Sequence[Exchange]) -> Counter[tuple[str, int]]:
    return Counter((x["request"]["target"], x["response"]["status"]) for x in exchanges)


def encrypted(sensor: Sensor) -> list[Exchange]:
    return [x for x in sensor.exchanges() if x["server"]["port"] != 8080]


def content(exchange: Exchange) -> bytes:
    return str(exchange["response"]["body"]).encode()


@contextmanager
def watched(folder: Path, *, keys: str = "keys.log") -> Iterator[tuple[Servers, Sensor]]:
    """The servers, and a sensor that reads *keys* while it grows."""
    with (
        loopback_namespace() as here,
        tls_servers(here, folder / "servers") as servers,
        capturing(here, folder, servers.probe, f"--tls-keylog={folder / 'servers' / keys}") as sensor,
    ):
        yield servers, sensor


def test_every_suite_over_http_1_and_http_2(tmp_path: Path) -> None:
    expected: Counter[tuple[str, int]] = Counter()
    with watched(tmp_path) as (servers, sensor):
        for number, suite in enumerate(SUITES):
            for version in ("--http1.1", "--http2"):
                targets = [f"/{number}{version}/{i}" for i in range(COUNT)] + ["/files/large.txt"]
                servers.curl([servers.url(NGINX, target) for target in targets], version, *suite.curl)
                expected.update((target, 200) for target in targets)
        sensor.catch_up()
    sensor.assert_ledger()

    exchanges = encrypted(sensor)

    assert asked(exchanges) == expected
    assert Counter(x["incomplete"] for x in exchanges) == {None: len(SUITES) * 2 * (COUNT + 1)}
    for x in exchanges:
        target = x["request"]["target"]
        if target == "/files/large.txt":
            assert content(x) == FILES["large.txt"]
            continue
        suite = SUITES[int(target[1])]
        assert content(x).decode() == f"you asked for {target} through {suite.name}"
        assert x["protocol"] == ("http/2" if "http2" in target else "http/1.1")
        assert x["request"]["scheme"] == "https"


def test_other_servers(tmp_path: Path) -> None:
    """nghttpd speaks HTTP/2, s_server an HTTP/1.0 that ends with the connection."""
    with watched(tmp_path) as (servers, sensor):
        for suite in SUITES:
            names = list(FILES) * 3
            servers.curl([servers.url(NGHTTPD, f"/{name}") for name in names], "--http2", *suite.curl)
            for name in FILES:
                servers.curl([servers.url(S_SERVER, f"/{name}")], "--http1.0", "--http0.9", *suite.curl)
        sensor.catch_up()

    exchanges = encrypted(sensor)

    assert Counter(x["incomplete"] for x in exchanges) == {None: len(SUITES) * 4 * len(FILES)}
    of_port = Counter((x["server"]["port"], x["request"]["target"]) for x in exchanges)
    assert of_port == {(NGHTTPD, f"/{name}"): 3 * len(SUITES) for name in FILES} | {
        (S_SERVER, f"/{name}"): len(SUITES) for name in FILES
    }
    for x in exchanges:
        assert content(x) == FILES[x["request"]["target"][1:]]


def test_key_updates_of_both_sides(tmp_path: Path) -> None:
    targets = [f"/{i}" for i in range(8)]
    with watched(tmp_path) as (servers, sensor):
        client = UpdatingClient(servers)
        try:
            for number, target in enumerate(targets):
                client.fetch(target)
                client.update(both=number % 2 == 0)
        finally:
            client.close()
        sensor.catch_up()

    exchanges = encrypted(sensor)

    assert [x["request"]["target"] for x in exchanges] == targets
    assert Counter(x["incomplete"] for x in exchanges) == {None: len(targets)}


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_a_key_log_that_comes_up_behind_the_connection(tmp_path: Path, version: str) -> None:
    """The secrets reach the sensor only when the connection is over: its octets have waited for them."""
    targets = [f"/{i}" for i in range(COUNT)]
    with watched(tmp_path, keys="late.log") as (servers, sensor):
        servers.curl([servers.url(NGINX, target) for target in targets], version)
        sensor.catch_up()
        assert encrypted(sensor) == []
        servers.keys.rename(servers.keys.with_name("late.log"))
        sensor.until_reported(lambda exchange: exchange["server"]["port"] != 8080, COUNT)

    exchanges = encrypted(sensor)

    assert asked(exchanges) == Counter((target, 200) for target in targets)
    assert Counter(x["incomplete"] for x in exchanges) == {None: COUNT}


def read_file(path: Path, *more: str) -> list[Exchange]:
    """``levo apidump --read``, its exchanges by (client's port, stream, start)."""
    lines = path.with_suffix(".jsonl")
    argv = [
        sys.executable,
        "-m",
        "levo",
        "apidump",
        f"--read={path}",
        f"--output=jsonl:{lines}",
        "--rate-limit=0",
    ]
    done = subprocess.run([*argv, *more], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return [orjson.loads(line) for line in lines.read_bytes().splitlines()]


def messages_of_tshark(path: Path, keys: Path) -> Counter[tuple[str, str]]:
    """("request", target) and ("response", status) of every decrypted message."""
    argv = ["tshark", "-r", str(path), "-o", f"tls.keylog_file:{keys}", "-2", "-T", "json"]
    argv += ["-o", "tcp.desegment_tcp_streams:TRUE", "-Y", "http or http2", "--no-duplicate-keys"]
    for field in ("http.request.uri", "http.response.code", "http2.headers.path", "http2.headers.status"):
        argv += ["-e", field]
    done = subprocess.run(argv, capture_output=True, timeout=120, check=True)
    found: Counter[tuple[str, str]] = Counter()
    for packet in orjson.loads(done.stdout):
        layers = packet["_source"]["layers"]
        for name in ("http.request.uri", "http2.headers.path"):
            found.update(("request", value) for value in layers.get(name, []))
        for name in ("http.response.code", "http2.headers.status"):
            found.update(("response", value) for value in layers.get(name, []))
    return found


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Counter[str]]:
    """(capture file, key log, targets asked for): every suite, HTTP/1.1 and HTTP/2."""
    if reason := [tool for tool in ("tcpdump",) if shutil.which(tool) is None]:
        pytest.skip(f"not installed: {reason[0]}")
    folder = tmp_path_factory.mktemp("recorded")
    path, targets = folder / "talk.pcap", Counter[str]()
    with loopback_namespace() as here, tls_servers(here, folder / "servers") as servers:
        with recording(here, path, "tcp"):
            for number, suite in enumerate(SUITES):
                for version in ("--http1.1", "--http2"):
                    paths = [f"/{number}{version}/{i}" for i in range(COUNT)] + ["/files/small.json"]
                    servers.curl([servers.url(NGINX, each) for each in paths], version, *suite.curl)
                    targets.update(paths)
        keys = servers.keys
    return path, keys, targets


def as_messages(exchanges: Sequence[Exchange]) -> Counter[tuple[str, str]]:
    requests = Counter(("request", x["request"]["target"]) for x in exchanges)
    return requests + Counter(("response", str(x["response"]["status"])) for x in exchanges)


@pytest.mark.skipif(shutil.which("tshark") is None, reason="not installed: tshark")
def test_tshark_reads_the_same_with_the_same_key_log(recorded: tuple[Path, Path, Counter[str]]) -> None:
    path, keys, targets = recorded

    exchanges = read_file(path, f"--tls-keylog={keys}")

    assert Counter(x["request"]["target"] for x in exchanges) == targets
    assert Counter(x["incomplete"] for x in exchanges) == {None: targets.total()}
    assert as_messages(exchanges) == messages_of_tshark(path, keys)


@pytest.mark.skipif(shutil.which("editcap") is None, reason="not installed: editcap")
def test_secrets_inside_a_capture_file(recorded: tuple[Path, Path, Counter[str]]) -> None:
    """A decryption secrets block, as editcap writes it, replaces the key log."""
    path, keys, targets = recorded
    together = path.with_name("together.pcapng")
    subprocess.run(["editcap", "--inject-secrets", f"tls,{keys}", str(path), str(together)], check=True)

    exchanges = read_file(together)

    assert Counter(x["request"]["target"] for x in exchanges) == targets
    assert Counter(x["incomplete"] for x in exchanges) == {None: targets.total()}
    assert read_file(path) == []
