"""Encrypted traffic put together from what sensors report."""

from __future__ import annotations

from levo.satellite.catalog.encrypted import MAX_SEEN, encrypted_endpoints, encrypted_traffic
from levo.satellite.store.reader import MetricValue
from tests.satellite.catalog.test_sensors import sensor, value
from tests.satellite.store.catalogs import NOW, SECOND

API = {"server.address": "10.0.0.7", "server.port": "443", "tls.server_name": "api.example"}


def encrypted(what: str, number: float, labels: dict[str, str], time_ns: int = NOW) -> MetricValue:
    return MetricValue(f"levo.encrypted.{what}", labels, time_ns, number)


def test_what_sensors_saw_of_an_encrypted_endpoint_adds_up() -> None:
    rows = [
        sensor(
            encrypted("connections", 5, API),
            encrypted("decrypted_connections", 2, API),
            encrypted("bytes", 1000, API),
            name=name,
        )
        for name in ("a", "b")
    ]
    (found,) = encrypted_endpoints(rows)

    assert (found.address, found.port, found.server_name) == ("10.0.0.7", "443", "api.example")
    assert (found.connections, found.decrypted, found.unread, found.octets) == (10, 4, 6, 2000)


def test_a_certificate_seen_later_does_not_count_connections_twice() -> None:
    named = {**API, "tls.certificate_names": "api.example,www.example"}
    (found,) = encrypted_endpoints(
        [sensor(encrypted("connections", 3, API), encrypted("connections", 4, named, NOW + SECOND))]
    )

    assert (found.connections, found.certificate_names) == (4, "api.example,www.example")


def test_endpoints_with_the_most_unread_connections_come_first() -> None:
    read = {"server.address": "10.0.0.1"}
    found = encrypted_endpoints(
        [
            sensor(
                encrypted("connections", 50, read),
                encrypted("decrypted_connections", 50, read),
                encrypted("connections", 1, {"server.address": "other"}),
                encrypted("connections", 9, API),
            )
        ]
    )

    assert [each.address for each in found] == ["10.0.0.7", "other", "10.0.0.1"]


def test_states_that_were_not_read_are_summed_and_sensors_with_tls_are_bounded() -> None:
    opaque = value("levo.sensor.ledger.units", 7, stage="frames", state="opaque_tls")
    other = value("levo.sensor.ledger.units", 9, stage="frames", state="exported")
    tls = value("levo.sensor.connections_tls", 1)
    rows = [sensor(opaque, other, tls, name=f"s{number}") for number in range(MAX_SEEN + 3)]

    found = encrypted_traffic((*rows, sensor(other)), NOW)

    assert (found.sensors, len(found.seen), found.more) == (MAX_SEEN + 4, MAX_SEEN, 3)
    assert found.opaque == (("frames", "opaque_tls", 7 * (MAX_SEEN + 3)),)
