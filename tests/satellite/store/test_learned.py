"""What was learned of messages, read back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from levo.satellite.store.descriptions import store_description
from levo.satellite.store.learned import (
    read_description,
    read_events,
    read_events_after,
    read_operations,
    read_operations_of,
)
from tests.satellite.store.catalogs import NOW, SECOND, catalog, trace

PLACE = ("acme", "staging", "shop")


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    catalog(
        tmp_path / "catalog",
        [
            trace("/users/1", status=200, end_ns=NOW),
            trace("/users/2", status=404, weight=3, end_ns=NOW + SECOND),
            trace("/orders", method="POST", status=201),
            trace("/orders", environment="production"),
            trace("/orders", application="bank", host="bank.example"),
        ],
    ).close()
    opened = sqlite3.connect(tmp_path / "catalog")
    yield opened
    opened.close()


def test_operations_are_those_of_one_application_in_order(connection: sqlite3.Connection) -> None:
    orders, users = read_operations(connection, PLACE)

    assert (orders.method, orders.path, users.method, users.path) == (
        "POST",
        "/orders",
        "GET",
        "/users/{userId}",
    )
    assert (users.statuses, users.exchanges) == ({"200": 1, "404": 3}, 4)
    assert (users.first_seen_ns, users.last_seen_ns) == (NOW, NOW + SECOND)
    assert read_operations(connection, PLACE, limit=1)[0].path == "/orders"
    assert read_operations(connection, ("acme", "' OR 1=1 --", "shop")) == []


def test_operations_by_number_are_those_that_there_are(connection: sqlite3.Connection) -> None:
    numbers = [row[0] for row in connection.execute("SELECT id FROM endpoint ORDER BY id")]

    assert sorted(identity for identity, _ in read_operations_of(connection, [*numbers, 10**6])) == numbers
    assert read_operations_of(connection, []) == []


def test_every_endpoint_is_an_event_once(connection: sqlite3.Connection) -> None:
    total, events = read_events(connection, kind="endpoint")

    assert total == len(events) == 4 == len({event.endpoint for event in events})
    assert {(event.environment, event.application, event.detail) for event in events} == {
        ("staging", "shop", "GET /users/{userId}"),
        ("staging", "shop", "POST /orders"),
        ("production", "shop", "GET /orders"),
        ("staging", "bank", "GET /orders"),
    }


def test_events_can_be_paged_and_narrowed(connection: sqlite3.Connection) -> None:
    total, events = read_events(connection)
    pages = [read_events(connection, limit=1, offset=offset) for offset in range(total + 1)]

    assert [event for _, page in pages for event in page] == events
    assert {count for count, _ in pages} == {total}
    first, second, *_ = read_events_after(connection, 0, 100)
    assert first.id < second.id and read_events_after(connection, first.id, 1) == [second]
    assert read_events(connection, kind="no such") == (0, [])
    one = events[0].endpoint
    assert {event.endpoint for event in read_events(connection, endpoint=one)[1]} == {one}


def test_the_last_description_counts(connection: sqlite3.Connection, tmp_path: Path) -> None:
    assert read_description(connection, PLACE) is None
    for time_ns, document in ((1, "{}"), (2, '{"paths": {}}')):
        store_description(tmp_path / "catalog", PLACE, time_ns, document)

    assert read_description(connection, PLACE) == (2, '{"paths": {}}')
