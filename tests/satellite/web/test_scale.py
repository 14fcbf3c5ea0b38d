"""Five thousand endpoints with ninety days of rollups: pages stay quick. Times are printed, not asserted."""

from __future__ import annotations

import sqlite3
import statistics
import time
from pathlib import Path

import msgspec

from levo.satellite.store import CatalogWriter
from levo.satellite.store.traffic import DAY_S
from tests.satellite.store.catalogs import NOW, SECOND
from tests.satellite.web.test_pages import Site

ENDPOINTS, DAYS = 5000, 90
PAGES = (
    "/",
    "/?range=90d",
    "/catalog",
    "/catalog?q=item",
    "/catalog?application=app%203&status=5xx&sort=exchanges",
    "/endpoints/77?range=90d",
    "/sensors",
    "/changes",
    "/sensitive",
)


def seed(path: Path) -> None:
    """Fill the tables directly; learning is tested elsewhere."""
    CatalogWriter(path).close()
    latency = msgspec.msgpack.encode([{40: 5.0, 48: 2.0, 56: 1.0}])
    today = NOW // SECOND // DAY_S * DAY_S
    with sqlite3.connect(path) as connection:
        for number in range(1, ENDPOINTS + 1):
            template = f"/v1/items{number}/{{}}"
            connection.execute(
                "INSERT INTO endpoint (id, organization, environment, application, host, method, template,"
                " traces, exchanges, first_seen_ns, last_seen_ns, path, place)"
                " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    *(number, "acme", ("production", "staging")[number % 2], f"app {number % 20}"),
                    *(
                        f"h{number % 50}.example",
                        ("GET", "POST", "PUT")[number % 3],
                        template,
                        100,
                        100.0 + number,
                    ),
                    *(NOW - number * 10**12, NOW, template.replace("{}", "{itemId}"), template),
                ),
            )
            statuses = [(number, 200, 90.0), (number, 500 if number % 7 == 0 else 404, 10.0)]
            connection.executemany("INSERT INTO endpoint_status VALUES (?, ?, ?)", statuses)
        connection.executemany(
            "INSERT INTO rollup VALUES (?, ?, ?, 8, 1, 1, ?)",
            (
                (endpoint, DAY_S, today - day * DAY_S, latency)
                for endpoint in range(ENDPOINTS + 1)
                for day in range(DAYS)
            ),
        )


def test_pages_over_many_endpoints(tmp_path: Path) -> None:
    seed(tmp_path / "catalog")
    site = Site(tmp_path, None)
    for path in PAGES:
        times = []
        for _ in range(5):
            start = time.perf_counter()
            text = site.get(path)
            times.append((time.perf_counter() - start) * 1000)
        print(f"{statistics.median(times):7.1f} ms  {len(text) // 1024:5d} KiB  {path}")
    assert "5,000" in site.get("/catalog")
    assert "of 250 " in site.get("/catalog?application=app%203")
