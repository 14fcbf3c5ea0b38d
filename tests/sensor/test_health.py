"""Health endpoints: what they answer, and when the sensor counts as ready."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from levo.config import HostPort
from levo.errors import ConfigError
from levo.sensor.export.statistics import OutputStatistics
from levo.sensor.health import EXPORT_PATIENCE_NS, HealthServer, bind, not_ready
from levo.sensor.pipeline import PipelineStatistics, Snapshot
from tests.helpers.ports import unused_port
from tests.satellite.running import until

NOW = 10**18


def snapshot(*outputs: OutputStatistics, capturing: bool = True) -> Snapshot:
    return Snapshot({}, 0, None, PipelineStatistics(), outputs, None, capturing)


def output(**changes: Any) -> OutputStatistics:
    return OutputStatistics("otlp", **changes)


@pytest.mark.parametrize(
    ("seen", "interfaces", "reason"),
    [
        (snapshot(output()), 1, None),
        (snapshot(output()), None, None),
        (snapshot(output()), 0, "no interface is open"),
        (snapshot(capturing=False), 1, "capture has ended"),
        (snapshot(output(organization_rejected=True)), 1, "rejects the organization"),
        (
            snapshot(output(held=3, last_error="refused", last_error_ns=NOW)),
            1,
            "no delivery for a minute: refused",
        ),
        (snapshot(output(held=3, last_error="x", last_error_ns=NOW, last_success_ns=NOW - 5)), 1, None),
        (snapshot(output(spooled=3, last_error="x", last_error_ns=NOW)), 1, "no delivery"),
        (
            snapshot(
                output(held=3, last_error="x", last_error_ns=5, last_success_ns=NOW - EXPORT_PATIENCE_NS)
            ),
            1,
            None,
        ),
    ],
)
def test_ready(seen: Snapshot, interfaces: int | None, reason: str | None) -> None:
    found = not_ready(seen, NOW, interfaces)

    assert [reason in each for each in found] == [True] if reason else found == []


@pytest.fixture
def reasons() -> list[str]:
    return []


@pytest.fixture
def server(reasons: list[str]) -> Iterator[HealthServer]:
    running = HealthServer(bind(HostPort("127.0.0.1", unused_port())), lambda: reasons, lambda: "a 1\n")
    yield running
    running.close()


def get(server: HealthServer, path: str, method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=180)
    connection.request(method, path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_the_three_endpoints(server: HealthServer, reasons: list[str]) -> None:
    assert get(server, "/healthz") == (200, "ok\n")
    assert get(server, "/readyz?verbose") == (200, "ready\n")
    reasons += ["one", "two"]
    assert get(server, "/readyz") == (503, "one\ntwo\n")
    assert get(server, "/metrics") == (200, "a 1\n")
    assert get(server, "/healthz", "HEAD") == (200, "")
    assert get(server, "/")[0] == 404
    assert get(server, "/metrics", "POST")[0] == 501


def test_an_address_in_use_is_bad_input(server: HealthServer) -> None:
    with pytest.raises(ConfigError, match=rf"--listen: '127\.0\.0\.1:{server.port}' cannot be listened on"):
        bind(HostPort("127.0.0.1", server.port))


def test_idle_clients_do_not_pile_up(server: HealthServer) -> None:
    """Connections that send nothing take the slots, no more; once they go, there is room again."""
    idle = [socket.create_connection(("127.0.0.1", server.port), timeout=180) for _ in range(12)]
    refused = [each for each in idle[8:] if each.recv(1) == b""]
    for each in idle:
        each.close()

    assert len(refused) == 4

    def is_room() -> bool:
        with suppress(ConnectionError, http.client.HTTPException):
            return get(server, "/healthz") == (200, "ok\n")
        return False

    until(is_room)
