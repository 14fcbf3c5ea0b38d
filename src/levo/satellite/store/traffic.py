"""Traffic over time in the database: rollups of a minute, an hour and a day, each kept for its own time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping

import msgspec

from levo.satellite.learn.traffic import MINUTE_S, Traffic

HOUR_S, DAY_S = 3600, 86_400
KEPT_S = {MINUTE_S: 3 * HOUR_S, HOUR_S: 8 * DAY_S, DAY_S: 400 * DAY_S}
"""How long rollups are kept, by their size in seconds."""
WHOLE_CATALOG = 0
"""Stands in for a place's id for the sum over all."""

SCHEMA = """
    CREATE TABLE rollup (
        endpoint INTEGER NOT NULL,
        size_s INTEGER NOT NULL,
        start_s INTEGER NOT NULL,
        exchanges REAL NOT NULL,
        client_errors REAL NOT NULL,
        server_errors REAL NOT NULL,
        latency BLOB NOT NULL,
        PRIMARY KEY (endpoint, size_s, start_s)
    ) STRICT, WITHOUT ROWID;
    CREATE TRIGGER rollup_of_deleted_endpoint AFTER DELETE ON endpoint BEGIN
        DELETE FROM rollup WHERE endpoint = old.id;
    END;
    CREATE INDEX endpoint_first_seen ON endpoint (first_seen_ns);
"""


class _Latency(msgspec.Struct, array_like=True):
    buckets: dict[int, float]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Latency).decode


def add_traffic(connection: sqlite3.Connection, place: int, by_minute: Mapping[int, Traffic]) -> None:
    """Add *by_minute* to the rollups of *place*. Runs in the caller's transaction."""
    for size in KEPT_S:
        sums: dict[int, Traffic] = {}
        for minute, traffic in by_minute.items():
            sums.setdefault(minute // size * size, Traffic()).add(traffic)
        for start, traffic in sums.items():
            _add(connection, place, size, start, traffic)


def whole_of(connection: sqlite3.Connection, organization: str) -> int:
    """Return what stands in for a place's id for the sum over all of *organization*."""
    row = connection.execute("SELECT id FROM organization WHERE name = ?", (organization,)).fetchone()
    if row is None:
        row = connection.execute(
            "INSERT INTO organization (name, revision) VALUES (?, 0) RETURNING id", (organization,)
        ).fetchone()
    return -int(row[0])


def move_traffic(connection: sqlite3.Connection, source: int, target: int) -> None:
    """Add the rollups of one place to those of another."""
    rows = connection.execute(f"SELECT size_s, {_COLUMNS} FROM rollup WHERE place = ?", (source,))
    for size, *row in rows.fetchall():
        start, traffic = _traffic(row)
        _add(connection, target, size, start, traffic)
    connection.execute("DELETE FROM rollup WHERE place = ?", (source,))


def count_traffic(connection: sqlite3.Connection, place: int, organization: str) -> None:
    """Add the rollups of a place that belongs to an endpoint from now on to the sums over all."""
    rows = connection.execute(f"SELECT size_s, {_COLUMNS} FROM rollup WHERE place = ?", (place,)).fetchall()
    for total in (WHOLE_CATALOG, whole_of(connection, organization)) if rows else ():
        for size, *row in rows:
            start, traffic = _traffic(row)
            _add(connection, total, size, start, traffic)


def prune_traffic(connection: sqlite3.Connection, now_s: int) -> int:
    """Delete what is older than it is kept; return how many rollups that was."""
    return sum(
        connection.execute(
            "DELETE FROM rollup WHERE size_s = ? AND start_s < ?", (size, now_s - kept)
        ).rowcount
        for size, kept in KEPT_S.items()
    )


def read_traffic(
    connection: sqlite3.Connection, endpoint: int, size_s: int, since_s: int
) -> Iterator[tuple[int, Traffic]]:
    """Yield (start in seconds, traffic) of the rollups of one size from *since_s* on, in order.

    *endpoint* may be :data:`WHOLE_CATALOG` or what :func:`whole_of` returned.
    """
    places = "?" if endpoint <= WHOLE_CATALOG else "SELECT id FROM place WHERE endpoint = ?"
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM rollup WHERE place IN ({places}) AND size_s = ? AND start_s >= ?"
        " ORDER BY start_s",
        (endpoint, size_s, since_s),
    )
    last: tuple[int, Traffic] | None = None
    for row in rows:
        start, traffic = _traffic(row)
        if last is not None and last[0] == start:
            last[1].add(traffic)
            continue
        if last is not None:
            yield last
        last = start, traffic
    if last is not None:
        yield last


def read_most_errors(
    connection: sqlite3.Connection, size_s: int, since_s: int, limit: int
) -> list[tuple[int, float, float, float]]:
    """Return (endpoint, exchanges, client errors, server errors) of those with most server errors, if any.

    Only the rollups of endpoints that ever answered with 5xx are read, each by its key.
    """
    return connection.execute(
        "SELECT place.endpoint, total(rollup.exchanges), total(client_errors), total(server_errors)"
        " FROM place CROSS JOIN rollup ON rollup.place = place.id"
        " WHERE place.endpoint IN (SELECT endpoint FROM endpoint_status WHERE status >= 500)"
        " AND size_s = ? AND start_s >= ?"
        " GROUP BY 1 HAVING total(server_errors) > 0 ORDER BY 4 DESC, 1 LIMIT ?",
        (size_s, since_s, limit),
    ).fetchall()


_COLUMNS = "start_s, exchanges, client_errors, server_errors, latency"


def _traffic(row: tuple[int, float, float, float, bytes] | list[object]) -> tuple[int, Traffic]:
    start, exchanges, client_errors, server_errors, latency = row
    assert isinstance(start, int) and isinstance(latency, bytes)
    assert isinstance(exchanges, float) and isinstance(client_errors, float)
    assert isinstance(server_errors, float)
    return start, Traffic(exchanges, client_errors, server_errors, _decode(latency).buckets)


def _add(connection: sqlite3.Connection, place: int, size: int, start: int, traffic: Traffic) -> None:
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM rollup WHERE place = ? AND size_s = ? AND start_s = ?",
        (place, size, start),
    ).fetchone()
    if row is not None:
        known = _traffic(row)[1]
        known.add(traffic)
        traffic = known
    connection.execute(
        "INSERT OR REPLACE INTO rollup VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            place,
            size,
            start,
            traffic.exchanges,
            traffic.client_errors,
            traffic.server_errors,
            _encode(_Latency(dict(sorted(traffic.latency.items())))),
        ),
    )
