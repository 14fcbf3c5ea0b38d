"""Live and exact: every request that nginx logs is one complete exchange, nothing more, nothing lost.

The load is paced, so that the test says the same on a busy machine. ``LEVO_SYSTEM_FULL=1`` lets wrk run
as fast as it can; ``LEVO_SYSTEM_SECONDS`` sets how long each load lasts (1 s by default, 20 s for the docs).
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.load import PIPELINED, wrk
from tests.system.network import loopback_namespace, needs, veth_pair
from tests.system.nginx import Nginx, serving
from tests.system.sensor import Exchange, Sensor, capturing

FULL = os.environ.get("LEVO_SYSTEM_FULL") == "1"
PAUSE_MS = 0 if FULL else 5
"""Per connection and request: at most 6,400 requests (or batches of pipelined ones) a second over 32."""

LARGE_PAUSE_MS = int(os.environ.get("LEVO_SYSTEM_LARGE_PAUSE_MS", "10" if FULL else "50"))
"""The same with bodies of 100 kB: at most 3,200 of them, 2.6 Gbit, a second over 32 connections."""

SECONDS = float(os.environ.get("LEVO_SYSTEM_SECONDS", "1"))

pytestmark = [pytest.mark.root, pytest.mark.slow, needs("nginx", "wrk", "ethtool")]


@pytest.fixture
def roomy(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is much to write: gigabytes in seconds are more than most disks take."""
    if not FULL:
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


def key(exchange: Exchange) -> tuple[int, str, str]:
    return exchange["response"]["status"], exchange["request"]["method"], exchange["request"]["target"]


def assert_exact(nginx: Nginx, sensor: Sensor, report: str, is_right: Callable[[Exchange], bool]) -> None:
    """The sensor's complete exchanges are the lines of the access log, and each *is_right*."""
    sensor.assert_ledger()
    seen: Counter[tuple[int, str, str]] = Counter()
    reasons: Counter[str] = Counter()
    for exchange in sensor.exchanges():
        if exchange["incomplete"] is not None:
            reasons[exchange["incomplete"]] += 1
            continue
        seen[key(exchange)] += 1
        assert is_right(exchange), key(exchange)
    logged = nginx.logged()
    assert logged.total() > 100 * SECONDS, report
    missing, extra = logged - seen, seen - logged
    print(f"logged {logged.total():,}, complete {seen.total():,}, incomplete {dict(reasons)}")
    assert not missing and not extra, (
        f"logged {logged.total()}, complete {seen.total()}; missing {missing.total()} "
        f"{missing.most_common(3)}, extra {extra.total()} {extra.most_common(3)}; {reasons}"
    )


def is_small_answer(exchange: Exchange) -> bool:
    return bool(exchange["response"]["body"] == '{"path":"/items","items":[1,2,3],"ok":true}')


def names_its_target(exchange: Exchange) -> bool:
    return f'"path":"{exchange["request"]["target"]}"' in exchange["response"]["body"]


def is_whole_file(exchange: Exchange) -> bool:
    response = exchange["response"]
    return response["body_size"] == len(response["body"]) == 100_000 and response["missing_bytes"] == 0


def test_loopback_with_small_answers(tmp_path: Path):
    with loopback_namespace() as here:
        with serving(here, tmp_path / "nginx") as nginx, capturing(here, tmp_path, nginx.base) as sensor:
            report = wrk(here, nginx.base + "/items", seconds=SECONDS, folder=tmp_path, pause_ms=PAUSE_MS)
            sensor.catch_up()
        assert_exact(nginx, sensor, report, is_small_answer)


def test_loopback_with_twenty_requests_pipelined(tmp_path: Path):
    with loopback_namespace() as here:
        with serving(here, tmp_path / "nginx") as nginx, capturing(here, tmp_path, nginx.base) as sensor:
            report = wrk(
                here, nginx.base, seconds=SECONDS, folder=tmp_path, script=PIPELINED, pause_ms=PAUSE_MS * 5
            )
            sensor.catch_up()
        assert_exact(nginx, sensor, report, names_its_target)


@pytest.mark.parametrize("side", ["server", "client"])
def test_veth_pair_with_small_answers(tmp_path: Path, side: str):
    """The sensor beside the server, or beside the client; packets of 1,500 octets."""
    with veth_pair() as (server, client):
        place = server if side == "server" else client
        with (
            serving(server, tmp_path / "nginx") as nginx,
            capturing(place, tmp_path, nginx.base, client=client) as sensor,
        ):
            report = wrk(client, nginx.base + "/items", seconds=SECONDS, folder=tmp_path, pause_ms=PAUSE_MS)
            sensor.catch_up()
        assert_exact(nginx, sensor, report, is_small_answer)


def test_veth_pair_with_bodies_of_100_kb(roomy: Path):
    """Paced at full speed too: two cores cannot write as JSON all that nginx and wrk could exchange."""
    with veth_pair() as (server, client):
        with (
            serving(server, roomy / "nginx") as nginx,
            capturing(server, roomy, nginx.base, client=client) as sensor,
        ):
            report = wrk(
                client,
                nginx.base + "/files/100k.json",
                seconds=SECONDS,
                folder=roomy,
                pause_ms=LARGE_PAUSE_MS,
            )
            sensor.catch_up()
        assert_exact(nginx, sensor, report, is_whole_file)


def test_veth_pair_with_twenty_requests_pipelined(tmp_path: Path):
    with veth_pair() as (server, client):
        with (
            serving(server, tmp_path / "nginx") as nginx,
            capturing(server, tmp_path, nginx.base, client=client) as sensor,
        ):
            report = wrk(
                client, nginx.base, seconds=SECONDS, folder=tmp_path, script=PIPELINED, pause_ms=PAUSE_MS * 5
            )
            sensor.catch_up()
        assert_exact(nginx, sensor, report, names_its_target)
