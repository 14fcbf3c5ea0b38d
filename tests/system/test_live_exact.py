"""Live and exact: every request that nginx logs is one complete exchange, nothing more, nothing lost.

The load lasts 1 s and is paced, so that the test says the same on a busy machine. In the long form it
lasts 20 s, and wrk runs as fast as it can.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.helpers.effort import long
from tests.system.load import CONNECTIONS, PIPELINED, wrk
from tests.system.network import loopback_namespace, needs, veth_pair
from tests.system.nginx import Nginx, serving
from tests.system.sensor import Exchange, Sensor, capturing


class Load(NamedTuple):
    seconds: float
    pause_ms: int
    """Per connection and request; 5 are at most 6,400 requests (or batches) a second over 32."""
    large_pause_ms: int
    """The same with bodies of 100 kB; 10 are at most 3,200 of them, 2.6 Gbit, a second over 32."""


PACED = Load(1.0, 5, 50)
FULL_SPEED = Load(20.0, 0, 10)

pytestmark = [pytest.mark.root, pytest.mark.slow, needs("nginx", "wrk", "ethtool")]


@pytest.fixture(params=[PACED, long(FULL_SPEED)], ids=["paced", "full speed"])
def pace(request: pytest.FixtureRequest) -> Load:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def roomy(tmp_path: Path, pace: Load) -> Iterator[Path]:
    """A folder in memory where there is much to write: gigabytes in seconds are more than most disks take."""
    if pace is PACED:
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


def key(exchange: Exchange) -> tuple[int, str, str]:
    return exchange["response"]["status"], exchange["request"]["method"], exchange["request"]["target"]


def assert_exact(
    nginx: Nginx, sensor: Sensor, report: str, is_right: Callable[[Exchange], bool], load: Load
) -> None:
    """The sensor's complete exchanges are the lines of the access log, and each *is_right*.

    When wrk ends it resets its connections: what nginx had handed to the kernel of the last response of each
    is logged and not sent. The sensor must have reported each of these as cut, or as without a response.
    """
    sensor.assert_ledger()
    seen: Counter[tuple[int, str, str]] = Counter()
    reasons: Counter[str] = Counter()
    ended: Counter[tuple[str, str]] = Counter()
    for exchange in sensor.exchanges():
        if exchange["incomplete"] is not None:
            reasons[exchange["incomplete"]] += 1
            if exchange["incomplete"] in ("no_response", "response_cut"):
                ended[exchange["request"]["method"], exchange["request"]["target"]] += 1
            continue
        seen[key(exchange)] += 1
        assert is_right(exchange), key(exchange)
    logged = nginx.logged()
    assert logged.total() > 100 * load.seconds, report
    missing, extra = logged - seen, seen - logged
    print(f"logged {logged.total():,}, complete {seen.total():,}, incomplete {dict(reasons)}")
    unsent = Counter((method, target) for _, method, target in missing.elements())
    assert not extra and missing.total() <= CONNECTIONS and not unsent - ended, (
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


def test_loopback_with_small_answers(tmp_path: Path, pace: Load):
    with loopback_namespace() as here:
        with serving(here, tmp_path / "nginx") as nginx, capturing(here, tmp_path, nginx.base) as sensor:
            report = wrk(
                here, nginx.base + "/items", seconds=pace.seconds, folder=tmp_path, pause_ms=pace.pause_ms
            )
            sensor.catch_up()
        assert_exact(nginx, sensor, report, is_small_answer, pace)


def test_loopback_with_twenty_requests_pipelined(tmp_path: Path, pace: Load):
    with loopback_namespace() as here:
        with serving(here, tmp_path / "nginx") as nginx, capturing(here, tmp_path, nginx.base) as sensor:
            report = wrk(
                here,
                nginx.base,
                seconds=pace.seconds,
                folder=tmp_path,
                script=PIPELINED,
                pause_ms=pace.pause_ms * 5,
            )
            sensor.catch_up()
        assert_exact(nginx, sensor, report, names_its_target, pace)


@pytest.mark.parametrize("side", ["server", "client"])
def test_veth_pair_with_small_answers(tmp_path: Path, pace: Load, side: str):
    """The sensor beside the server, or beside the client; packets of 1,500 octets."""
    with veth_pair() as (server, client):
        place = server if side == "server" else client
        with (
            serving(server, tmp_path / "nginx") as nginx,
            capturing(place, tmp_path, nginx.base, client=client) as sensor,
        ):
            report = wrk(
                client, nginx.base + "/items", seconds=pace.seconds, folder=tmp_path, pause_ms=pace.pause_ms
            )
            sensor.catch_up()
        assert_exact(nginx, sensor, report, is_small_answer, pace)


def test_veth_pair_with_bodies_of_100_kb(roomy: Path, pace: Load):
    """Paced at full speed too: two cores cannot write as JSON all that nginx and wrk could exchange."""
    with veth_pair() as (server, client):
        with (
            serving(server, roomy / "nginx") as nginx,
            capturing(server, roomy, nginx.base, client=client) as sensor,
        ):
            report = wrk(
                client,
                nginx.base + "/files/100k.json",
                seconds=pace.seconds,
                folder=roomy,
                pause_ms=pace.large_pause_ms,
            )
            sensor.catch_up()
        assert_exact(nginx, sensor, report, is_whole_file, pace)


def test_veth_pair_with_twenty_requests_pipelined(tmp_path: Path, pace: Load):
    with veth_pair() as (server, client):
        with (
            serving(server, tmp_path / "nginx") as nginx,
            capturing(server, tmp_path, nginx.base, client=client) as sensor,
        ):
            report = wrk(
                client,
                nginx.base,
                seconds=pace.seconds,
                folder=tmp_path,
                script=PIPELINED,
                pause_ms=pace.pause_ms * 5,
            )
            sensor.catch_up()
        assert_exact(nginx, sensor, report, names_its_target, pace)
