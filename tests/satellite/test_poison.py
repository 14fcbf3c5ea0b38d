"""Attacks on the catalog through a running Satellite: invented paths, refused or not, and invented hosts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

import pytest

from tests.helpers.effort import long
from tests.satellite.learn.paths.poison import REAL, invented, used
from tests.satellite.receive.test_http_routes import PROTOBUF
from tests.satellite.requests import Call, traces
from tests.satellite.running import RunningSatellite, fetch, until

PER_REQUEST = 2_000
LONGEST_S_PER_CALL = 0.005
"""Learning takes a tenth of it on a machine that does nothing else."""


@pytest.fixture
def satellite(tmp_path: Path) -> Iterator[RunningSatellite]:
    options = ("--host-names", "proven", "--max-hosts", "30", "--max-places", "3000")
    with RunningSatellite(tmp_path, *options) as running:
        yield running


def send(satellite: RunningSatellite, calls: Iterable[Call]) -> None:
    waiting = list(calls)
    for start in range(0, len(waiting), PER_REQUEST):
        body = traces(waiting[start : start + PER_REQUEST]).SerializeToString()
        assert satellite.post("/v1/traces", body, content_type=PROTOBUF).status == 200
    satellite.until_idle(90.0 + LONGEST_S_PER_CALL * len(waiting))


def call(path: str, host: str, caller: int, status: int = 200) -> Call:
    client = f"10.{caller >> 16 & 255}.{caller >> 8 & 255}.{caller & 255}"
    return Call(path=path, host=host, port=80, status=status, more={"client.address": client})


def real(host: str) -> list[Call]:
    return [
        call(path, host, 1 + number // len(REAL) % 3)
        for number, path in enumerate(used(Random(number_of(host))))
    ]


def number_of(host: str) -> int:
    return sum(host.encode())


def shown(satellite: RunningSatellite, host: str) -> set[str]:
    """Templates of a host without the names of their parameters."""
    rows = satellite.endpoints(f"?limit=1000&host={host}")
    return {
        "/".join("{}" if part.startswith("{") else part for part in row["path"].split("/")) for row in rows
    }


@pytest.mark.parametrize(
    ("status", "callers", "requests"),
    [
        (200, 1, 300),
        (401, 1, 130),
        (200, 50, 2_000),
        *(long(status, callers, 100_000) for status in (200, 302, 401, 403, 500) for callers in (1, 50)),
    ],
)
def test_invented_paths_displace_none_that_are_used(
    satellite: RunningSatellite, status: int, callers: int, requests: int
) -> None:
    """At one host before it was used, at the other afterward."""
    lies = list(invented("lexicon", requests))
    hosts = ("first.example", "later.example")
    send(satellite, real(hosts[0]))
    for host in hosts:
        send(satellite, (call(path, host, 1_000 + n % callers, status) for n, path in enumerate(lies)))
    send(satellite, real(hosts[1]))

    for host in hosts:  # what may be a value waits for the next decision
        until(lambda host=host: set(REAL) <= shown(satellite, host))
        assert set(REAL) - shown(satellite, host) == set()
    if status >= 400:
        assert len(satellite.endpoints("?limit=1000")) == 2 * len(REAL)
        refused = satellite.get("/api/refused?limit=1000").json()
        assert 100 < refused["total"] <= 2 * 1_000
        assert {tuple(row["statuses"]) for row in refused["refused"]} == {(str(status),)}
        assert "Refused paths" in satellite.get("/refused").body.decode()


@pytest.mark.parametrize("names", [1_000, long(100_000)])
def test_invented_hosts_leave_room_for_real_ones(satellite: RunningSatellite, names: int) -> None:
    """They are answered with success, each once, from different callers."""
    hosts = ("kz{}.evil.test", "q{}z{}.test")
    send(
        satellite,
        (call("/api/items", hosts[n % 2].format(n, n % 40), 1_000 + n % 50) for n in range(names)),
    )
    send(satellite, real("shop.example"))
    found = {row["host"] for row in satellite.endpoints("?limit=1000")}
    page = satellite.get("/catalog").body.decode()

    assert set(REAL) <= shown(satellite, "shop.example")
    assert len(found) <= 31 and "*" in found
    assert "kz7" not in page and satellite.summary()["counters"]["host_limit_exchanges"] > names // 3
    assert satellite.metric("levo_satellite_learner_up") == 1


def test_an_editor_deletes_an_endpoint_and_a_host(satellite: RunningSatellite) -> None:
    send(satellite, [*real("a.example"), *real("b.example")])
    rows = {(row["host"], row["path"]): row["id"] for row in satellite.endpoints("?limit=1000")}
    audited = []
    for host, what in (("a.example", "endpoint"), ("b.example", "host")):
        path = f"/api/endpoints/{rows[host, '/login']}?what={what}"
        assert fetch("DELETE", satellite.web + path, None, {}).status == 204
        assert fetch("DELETE", satellite.web + path + "x", None, {}).status in (400, 404)
        audited.append(f"delete {what}")
    until(lambda: {row["host"] for row in satellite.endpoints("?limit=1000")} == {"a.example"})

    assert set(REAL) - shown(satellite, "a.example") == {"/login"}
    entries = satellite.get("/api/audit").json()["audit"]
    assert [entry["action"] for entry in reversed(entries)] == audited
