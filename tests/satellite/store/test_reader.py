"""Queries."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from levo.satellite.learn.trace import INVALID_STATUS
from levo.satellite.store import CatalogReader, EndpointFilter
from levo.satellite.store.reader import SORTS
from tests.satellite.store.catalogs import NOW, SECOND, catalog, trace


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[CatalogReader]:
    found = catalog(
        tmp_path / "catalog",
        [
            trace("/users/1"),
            trace("/users/2", status=404, end_ns=NOW - SECOND),
            trace("/orders", method="POST", status=201, weight=10, end_ns=NOW + SECOND),
            trace("/orders", method="POST", environment="production"),
            trace("/orders", method="POST", status=500, environment="production"),
            trace("/100%_off", application="bank", host="bank.example"),
            trace("/100%_off", application="bank", host="bank.example", status=0),
            trace("/secret", status=401),
            None,
        ],
    )
    yield found
    found.close()


def paths(reader: CatalogReader, sort: str = "path", **wanted: str) -> list[str]:
    return [row.path for row in reader.endpoints(EndpointFilter(**wanted), sort=sort)[1]]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, ["/100%25_off", "/orders", "/orders", "/users/{userId}"]),
        ({"environment": "production"}, ["/orders"]),
        ({"application": "bank", "host": "bank.example"}, ["/100%25_off"]),
        ({"method": "GET"}, ["/100%25_off", "/users/{userId}"]),
        ({"organization": "other"}, []),
        ({"status": "4xx"}, ["/users/{userId}"]),
        ({"status": "none"}, ["/100%25_off"]),
        ({"status": "3xx"}, []),
        ({"search": "ORD"}, ["/orders", "/orders"]),
        ({"search": "bank.ex"}, ["/100%25_off"]),
        ({"search": "%25_"}, ["/100%25_off"]),
        ({"search": "0_o"}, []),
        ({"search": "' OR 1=1 --"}, []),
        ({"method": "'; DROP TABLE endpoint; --"}, []),
    ],
)
def test_filters(reader: CatalogReader, wanted: dict[str, str], expected: list[str]) -> None:
    assert paths(reader, **wanted) == expected


def test_orders(reader: CatalogReader) -> None:
    assert paths(reader, "last_seen")[0] == "/orders"
    assert paths(reader, "exchanges")[0] == "/orders"
    assert paths(reader, "first_seen")[-1] == "/users/{userId}"


@pytest.mark.parametrize("sort", SORTS)
def test_pages_neither_repeat_nor_skip(reader: CatalogReader, sort: str) -> None:
    whole = reader.endpoints(EndpointFilter(), sort=sort)
    pages = [reader.endpoints(EndpointFilter(), sort=sort, limit=1, offset=offset) for offset in range(6)]

    assert [row for _, rows in pages for row in rows] == whole[1]
    assert {total for total, _ in pages} == {4} == {whole[0]}


def test_one_endpoint(reader: CatalogReader) -> None:
    (row,) = reader.endpoints(EndpointFilter(status="4xx"))[1]

    assert reader.endpoint(row.id) == row
    assert row.status_classes == {"2xx": 1, "4xx": 1}
    assert (row.first_seen_ns, row.last_seen_ns) == (NOW - SECOND, NOW)
    assert reader.endpoint(10**9) is None


def test_applications_and_summary(reader: CatalogReader) -> None:
    total, rows = reader.applications()
    summary = reader.summary()

    assert [(r.environment, r.application, r.endpoints, r.exchanges) for r in rows] == [
        ("production", "shop", 1, 2),
        ("staging", "bank", 1, 2),
        ("staging", "shop", 2, 12),
    ]
    assert total == 3 == summary.applications
    assert (summary.endpoints, summary.exchanges, summary.errors) == (4, 16, 1)
    assert summary.counters["ignored_spans"] == 1
    assert reader.revision() == summary.revision == 2


def test_what_was_only_refused_is_listed_apart(reader: CatalogReader) -> None:
    total, rows = reader.refused()

    assert [(row.path, row.statuses, row.exchanges) for row in rows] == [("/secret", {"401": 1}, 1)]
    assert total == 1 and list(reader.each_refused()) == rows
    assert reader.within("other").refused() == (0, [])


def test_names(reader: CatalogReader) -> None:
    assert reader.names("environment") == ["production", "staging"]
    with pytest.raises(ValueError, match="no such column"):
        reader.names("template; --")


def test_many_threads_may_read(reader: CatalogReader) -> None:
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(len(paths(reader)))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [4] * 20


def test_facets_count_under_the_other_filters(tmp_path: Path) -> None:
    traces = [
        trace("/a", application="shop"),
        trace("/b", application="shop", status=301),
        trace("/c", application="bank", status=301),
    ]
    reader = catalog(tmp_path / "catalog", traces)

    found = reader.facets(EndpointFilter(application="shop"))

    assert {v.value: v.endpoints for v in found["application"]} == {"shop": 2, "bank": 1}
    assert {v.value: v.endpoints for v in found["status"]} == {"2xx": 1, "3xx": 1}


def test_endpoints_with_errors_come_most_first(tmp_path: Path) -> None:
    traces = [trace(path) for path in ("/a", "/b", "/c")]
    traces += [trace("/b", status=500), trace("/c", status=503, weight=7)]

    found = catalog(tmp_path / "catalog", traces).most_errors(60, 0)

    assert [(row.path, traffic.server_errors) for row, traffic in found] == [("/c", 7), ("/b", 1)]


def test_errors_are_those_of_the_time_asked_for(tmp_path: Path) -> None:
    early = NOW - 7200 * SECOND
    traces = [trace("/old", status=500, weight=9, end_ns=early), trace("/old"), trace("/new", status=500)]
    traces.append(trace("/new", end_ns=early))
    reader = catalog(tmp_path / "catalog", traces)

    recent = reader.most_errors(60, NOW // SECOND - 3600)
    whole = reader.most_errors(3600, 0)

    assert [(row.path, traffic.server_errors) for row, traffic in recent] == [("/new", 1)]
    assert [(row.path, t.server_errors, t.exchanges) for row, t in whole] == [("/old", 9, 10), ("/new", 1, 2)]
    assert [row.path for row, _ in reader.within("acme").most_errors(60, 0)] == ["/old", "/new"]


def test_new_endpoints_are_those_since_a_time(tmp_path: Path) -> None:
    reader = catalog(tmp_path / "catalog", [trace("/a"), trace("/b", end_ns=NOW + 1)])

    assert [row.path for row in reader.endpoints(EndpointFilter(new_since_ns=NOW + 1))[1]] == ["/b"]


def test_responses_without_a_status_code_are_a_class_of_their_own(tmp_path: Path) -> None:
    found = catalog(tmp_path / "odd", [trace("/a", status=INVALID_STATUS), trace("/a"), trace("/b")])
    (row,) = found.endpoints(EndpointFilter(status="invalid"))[1]

    assert (row.path, row.statuses) == ("/a", {"invalid": 1.0, "200": 1.0})
    assert row.status_classes == {"invalid": 1.0, "2xx": 1.0}
    assert [(f.value, f.endpoints) for f in found.facets(EndpointFilter())["status"]] == [
        ("2xx", 2),
        ("invalid", 1),
    ]
    assert found.summary().errors == 0 and found.most_errors(60, 0) == []
    (operation,) = [o for o in found.operations(("acme", "staging", "shop")) if o.path == "/a"]
    assert operation.statuses == {"invalid": 1.0, "200": 1.0}
    found.close()
