"""Reads what was learned of messages: operations, events and uploaded descriptions."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from levo.satellite.learn.trace import schemes_of, status_name
from levo.satellite.openapi import Operation
from levo.satellite.store.endpoints import unpack_knowledge

_COLUMNS = (
    "id, method, path, host, exchanges, first_seen_ns, last_seen_ns, confidence, schemes,"
    " (SELECT state FROM knowledge WHERE endpoint = endpoint.id)"
)


class EventRow(msgspec.Struct, frozen=True):
    """Something that was new about an endpoint when it was seen."""

    id: int
    time_ns: int
    endpoint: int
    organization: str
    environment: str
    application: str
    method: str
    path: str
    kind: str
    """``endpoint``, ``property``, ``status``, ``authentication``, ``request-media-type`` …"""
    detail: str


def read_operations(
    connection: sqlite3.Connection, place: tuple[str, str, str], limit: int = 5000
) -> list[Operation]:
    """Return the operations of (organization, environment, application) in order of path."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM endpoint WHERE organization = ? AND environment = ? AND application = ?"
        " ORDER BY path, method, host LIMIT ?",
        (*place, limit),
    ).fetchall()
    return [operation for _, operation in _operations(connection, rows)]


def read_operations_of(
    connection: sqlite3.Connection, endpoints: Sequence[int]
) -> list[tuple[int, Operation]]:
    """Return (id, operation) of *endpoints*, those that there are."""
    marks = ",".join("?" * len(endpoints))
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM endpoint WHERE id IN ({marks})", list(endpoints)
    ).fetchall()
    return _operations(connection, rows)


def read_events(
    connection: sqlite3.Connection,
    *,
    endpoint: int | None = None,
    kind: str = "",
    since_ns: int = 0,
    limit: int = 100,
    offset: int = 0,
) -> tuple[int, list[EventRow]]:
    """Return how many events there are, and some of them, newest first."""
    parts, values = ["event.time_ns >= ?"], [since_ns]
    if endpoint is not None:
        parts.append("event.endpoint = ?")
        values.append(endpoint)
    extra: list[str] = []
    if kind:
        parts.append("event.kind = ?")
        extra.append(kind)
    where = " AND ".join(parts)
    (total,) = connection.execute(f"SELECT count(*) FROM event WHERE {where}", [*values, *extra]).fetchone()
    rows = connection.execute(
        "SELECT event.id, event.time_ns, event.endpoint, organization, environment, application, method,"
        f" path, kind, detail FROM event JOIN endpoint ON endpoint.id = event.endpoint WHERE {where}"
        " ORDER BY event.time_ns DESC, event.id DESC LIMIT ? OFFSET ?",
        [*values, *extra, limit, offset],
    ).fetchall()
    return total, [EventRow(*row) for row in rows]


def read_description(connection: sqlite3.Connection, place: tuple[str, str, str]) -> tuple[int, str] | None:
    """Return (time of upload, document) of what was uploaded for an application, None if nothing was."""
    row = connection.execute(
        "SELECT uploaded_ns, document FROM description"
        " WHERE organization = ? AND environment = ? AND application = ?",
        place,
    ).fetchone()
    return (int(row[0]), str(row[1])) if row else None


def _operations(
    connection: sqlite3.Connection,
    rows: Sequence[tuple[int, str, str, str, float, int, int, float, int, bytes | None]],
) -> list[tuple[int, Operation]]:
    found: list[tuple[int, Operation]] = []
    for identity, method, path, host, exchanges, first, last, confidence, schemes, state in rows:
        operation = Operation(method, path, host)
        if state is not None:
            operation.knowledge = unpack_knowledge(state)
        operation.exchanges = exchanges
        operation.first_seen_ns, operation.last_seen_ns = first, last
        operation.confidence = confidence
        operation.schemes = schemes_of(schemes)
        operation.statuses = {
            status_name(status): count
            for status, count in connection.execute(
                "SELECT status, exchanges FROM endpoint_status WHERE endpoint = ?", (identity,)
            )
        }
        found.append((identity, operation))
    return found
