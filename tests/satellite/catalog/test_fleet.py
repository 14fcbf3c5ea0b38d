"""All sensors in figures."""

from __future__ import annotations

from levo.satellite.catalog.fleet import fleet_of
from levo.satellite.learn.sensors import SILENT_NS
from tests.satellite.catalog.test_encrypted import API, encrypted
from tests.satellite.catalog.test_sensors import sensor, value
from tests.satellite.store.catalogs import NOW


def test_every_sensor_counts_and_the_first_few_are_shown() -> None:
    received = value("levo.sensor.ledger.received", 10, stage="frames")
    lost = value("levo.sensor.ledger.units", 2, stage="frames", state="gap", fate="lost")
    rows = [sensor(received, lost, name=f"s{number}") for number in range(9)]

    fleet = fleet_of(iter(rows), NOW + SILENT_NS + 1)

    assert (fleet.sensors, fleet.silent, fleet.lost) == (9, 9, 18)
    assert [view.row.sensor for view in fleet.latest] == [f"s{number}" for number in range(6)]


def test_unread_connections_are_those_of_the_servers_or_else_of_the_sensors() -> None:
    server = sensor(encrypted("connections", 5, API), encrypted("decrypted_connections", 2, API))
    count_only = sensor(value("levo.sensor.connections_tls", 4))

    assert (fleet_of([server, count_only], NOW).hidden, fleet_of([server], NOW).unread) == (1, 3)
    assert (fleet_of([count_only], NOW).hidden, fleet_of([count_only], NOW).unread) == (0, 4)
