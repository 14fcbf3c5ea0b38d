"""Traffic over time in the database: rollups of a minute, an hour and a day, each kept for its own time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping

import msgspec

from levo.satellite.learn.columns import joined_latency, pack_latency
from levo.satellite.learn.traffic import Traffic
from levo.satellite.store.retention import SIZES, forget_steps, kept_since_s

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


_decode = msgspec.msgpack.Decoder(_Latency).decode


def prepare(connection: sqlite3.Connection) -> None:
    """Give *connection*, which is to be written to, what the statements of this module call."""
    connection.create_function("joined_latency", 2, joined_latency, deterministic=True)
    connection.create_function("latency_without", 2, _latency_without, deterministic=True)


def add_traffic(connection: sqlite3.Connection, place: int, by_minute: Mapping[int, Traffic]) -> None:
    """Add *by_minute* to the rollups of *place*. Runs in the caller's transaction."""
    if len(by_minute) == 1:
        ((minute, traffic),) = by_minute.items()
        columns = _columns_of(traffic)
        rows = [(place, size, minute // size * size, *columns) for size in SIZES]
    else:
        rows = [
            (place, size, start, *_columns_of(traffic))
            for size in SIZES
            for start, traffic in _sums_of(by_minute, size).items()
        ]
    connection.executemany(_ADD, rows)


def _sums_of(by_minute: Mapping[int, Traffic], size: int) -> dict[int, Traffic]:
    """Return *by_minute* summed up in spans of *size* seconds."""
    sums: dict[int, Traffic] = {}
    for minute, traffic in by_minute.items():
        sums.setdefault(minute // size * size, Traffic()).add(traffic)
    return sums


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
    connection.execute(f"{_COPY} WHERE place = ? {_ADDED}", (target, source))
    connection.execute("DELETE FROM rollup WHERE place = ?", (source,))


def count_traffic(connection: sqlite3.Connection, place: int, organization: str) -> None:
    """Add the rollups of a place that belongs to an endpoint from now on to the sums over all."""
    for total in (WHOLE_CATALOG, whole_of(connection, organization)):
        connection.execute(f"{_COPY} WHERE place = ? {_ADDED}", (total, place))


def uncount_traffic(connection: sqlite3.Connection, place: int, organization: str) -> None:
    """Take the rollups of a place that belongs to no endpoint any more out of the sums over all."""
    for total in (WHOLE_CATALOG, whole_of(connection, organization)):
        connection.execute(_SUBTRACT, (place, total))
        connection.execute("DELETE FROM rollup WHERE place = ? AND exchanges <= 0", (total,))


def prune_traffic(connection: sqlite3.Connection, kept_s: Mapping[int, int], now_s: int) -> int:
    """Delete rollups older than they are kept, by their size (``store.retention``); return how many."""
    pruned = 0
    for size, kept in kept_s.items():
        since_s = kept_since_s(connection, size, kept, now_s)
        if since_s is not None:
            pruned += drop_before(connection, size, since_s)
            forget_steps(connection, size, since_s)
    return pruned


def drop_before(connection: sqlite3.Connection, size_s: int, before_s: int) -> int:
    """Delete the rollups of one size that begin before a time; return how many.

    Place by place, by the key: a large catalog is not read as a whole. In a transaction of its own.
    """
    places = [
        *connection.execute("SELECT id FROM place"),
        *connection.execute("SELECT -id FROM organization"),
        (WHOLE_CATALOG,),
    ]
    connection.execute("BEGIN IMMEDIATE")
    with connection:  # commits, or takes back
        return connection.executemany(
            "DELETE FROM rollup WHERE place = ? AND size_s = ? AND start_s < ?",
            [(place, size_s, before_s) for (place,) in places],
        ).rowcount


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


def read_most_errors_ever(
    connection: sqlite3.Connection, limit: int
) -> list[tuple[int, float, float, float]]:
    """Return the same of all times; no rollup is read."""
    return connection.execute(
        "SELECT endpoint, total(exchanges), total(iif(status BETWEEN 400 AND 499, exchanges, 0)),"
        " total(iif(status >= 500, exchanges, 0)) FROM endpoint_status"
        " GROUP BY 1 HAVING total(iif(status >= 500, exchanges, 0)) > 0 ORDER BY 4 DESC, 1 LIMIT ?",
        (limit,),
    ).fetchall()


def read_latencies(connection: sqlite3.Connection, size_s: int, since_s: int) -> dict[int, dict[int, float]]:
    """Return the latencies by endpoint (``learn.traffic``) of the rollups of one size from *since_s* on."""
    found: dict[int, dict[int, float]] = {}
    for endpoint, latency in connection.execute(
        "SELECT place.endpoint, latency FROM place CROSS JOIN rollup ON rollup.place = place.id"
        " WHERE place.endpoint != 0 AND size_s = ? AND start_s >= ?",
        (size_s, since_s),
    ):
        total = found.setdefault(endpoint, {})
        for bucket, exchanges in _decode(latency).buckets.items():
            total[bucket] = total.get(bucket, 0.0) + exchanges
    return found


_COLUMNS = "start_s, exchanges, client_errors, server_errors, latency"


def _traffic(row: tuple[int, float, float, float, bytes] | list[object]) -> tuple[int, Traffic]:
    start, exchanges, client_errors, server_errors, latency = row
    assert isinstance(start, int) and isinstance(latency, bytes)
    assert isinstance(exchanges, float) and isinstance(client_errors, float)
    assert isinstance(server_errors, float)
    return start, Traffic(exchanges, client_errors, server_errors, _decode(latency).buckets)


_ADDED = (
    "ON CONFLICT DO UPDATE SET exchanges = exchanges + excluded.exchanges,"
    " client_errors = client_errors + excluded.client_errors,"
    " server_errors = server_errors + excluded.server_errors,"
    " latency = joined_latency(latency, excluded.latency)"
)
_ADD = f"INSERT INTO rollup VALUES (?, ?, ?, ?, ?, ?, ?) {_ADDED}"
_SUBTRACT = (
    "UPDATE rollup AS whole SET exchanges = whole.exchanges - part.exchanges,"
    " client_errors = whole.client_errors - part.client_errors,"
    " server_errors = whole.server_errors - part.server_errors,"
    " latency = latency_without(whole.latency, part.latency)"
    " FROM rollup AS part WHERE part.place = ? AND whole.place = ?"
    " AND whole.size_s = part.size_s AND whole.start_s = part.start_s"
)
_COPY = f"INSERT INTO rollup SELECT ?, size_s, {_COLUMNS} FROM rollup"


def _latency_without(whole: bytes, part: bytes) -> bytes:
    """Return a stored column less another one that is in it."""
    gone = _decode(part).buckets
    left = {bucket: weight - gone.get(bucket, 0.0) for bucket, weight in _decode(whole).buckets.items()}
    return pack_latency({bucket: weight for bucket, weight in left.items() if weight > 0})


def _columns_of(traffic: Traffic) -> tuple[float, float, float, bytes]:
    return (
        traffic.exchanges,
        traffic.client_errors,
        traffic.server_errors,
        pack_latency(traffic.latency),
    )
