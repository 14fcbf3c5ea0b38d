"""Reads what was learned of messages: operations, events and uploaded descriptions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

import msgspec

from levo.satellite.learn.naming import Application, Proven
from levo.satellite.learn.trace import schemes_of, status_name
from levo.satellite.openapi import Operation
from levo.satellite.store.names import read_proven
from levo.satellite.store.places import read_knowledge

_COLUMNS = (
    "id, method, path, host, exchanges, first_seen_ns, last_seen_ns, confidence, schemes,"
    " organization, environment, application"
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
    connection: sqlite3.Connection, place: tuple[str, str, str], limit: int = 5000, key: bytes = b"levo"
) -> list[Operation]:
    """Return the operations of (organization, environment, application) in order of path."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM endpoint WHERE organization = ? AND environment = ? AND application = ?"
        " ORDER BY path, method, host LIMIT ?",
        (*place, limit),
    ).fetchall()
    return [operation for _, operation in _operations(connection, rows, key)]


def read_operations_of(
    connection: sqlite3.Connection, endpoints: Sequence[int], key: bytes = b"levo"
) -> list[tuple[int, Operation]]:
    """Return (id, operation) of *endpoints*, those that there are."""
    marks = ",".join("?" * len(endpoints))
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM endpoint WHERE id IN ({marks})", list(endpoints)
    ).fetchall()
    return _operations(connection, rows, key)


def read_events(
    connection: sqlite3.Connection,
    *,
    endpoint: int | None = None,
    kind: str = "",
    limit: int = 100,
    offset: int = 0,
) -> tuple[int, list[EventRow]]:
    """Return how many events there are, and some of them, newest first."""
    where, values = _events_where(endpoint, kind)
    (total,) = connection.execute(f"SELECT count(*) FROM event WHERE {where}", values).fetchone()
    rows = connection.execute(
        f"{_EVENTS} WHERE {where} ORDER BY {_NEWEST} LIMIT ? OFFSET ?", [*values, limit, offset]
    ).fetchall()
    return total, [EventRow(*row) for row in rows]


def read_event_ids(
    connection: sqlite3.Connection, *, endpoint: int | None = None, kind: str = ""
) -> Iterator[int]:
    """Yield the numbers of the events that there are, newest first."""
    where, values = _events_where(endpoint, kind)
    for (identity,) in connection.execute(f"SELECT id FROM event WHERE {where} ORDER BY {_NEWEST}", values):
        yield identity


def read_events_after(connection: sqlite3.Connection, number: int, limit: int) -> list[EventRow]:
    """Return the events after that of *number*, the first ones first."""
    rows = connection.execute(f"{_EVENTS} WHERE event.id > ? ORDER BY event.id LIMIT ?", (number, limit))
    return [EventRow(*row) for row in rows]


def read_events_by_id(connection: sqlite3.Connection, identities: Sequence[int]) -> dict[int, EventRow]:
    """Return those of *identities* that there are."""
    marks = ",".join("?" * len(identities))
    rows = connection.execute(f"{_EVENTS} WHERE event.id IN ({marks})", list(identities))
    return {row[0]: EventRow(*row) for row in rows}


_EVENTS = (
    "SELECT event.id, event.time_ns, event.endpoint, organization, environment, application, method,"
    " path, kind, detail FROM event JOIN endpoint ON endpoint.id = event.endpoint"
)
_NEWEST = "event.time_ns DESC, event.id DESC"


def _events_where(endpoint: int | None, kind: str) -> tuple[str, list[str | int]]:
    parts: list[str] = ["TRUE"]
    values: list[str | int] = []
    if endpoint is not None:
        parts.append("event.endpoint = ?")
        values.append(endpoint)
    if kind:
        parts.append("event.kind = ?")
        values.append(kind)
    return " AND ".join(parts), values


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
    rows: Sequence[tuple[int, str, str, str, float, int, int, float, int, str, str, str]],
    key: bytes,
) -> list[tuple[int, Operation]]:
    found: list[tuple[int, Operation]] = []
    proven: dict[Application, Proven] = {}
    for identity, method, path, host, exchanges, first, last, confidence, schemes, *place in rows:
        application = Application(*place)
        names = proven.get(application)
        if names is None:
            names = proven[application] = read_proven(connection, application, key)
        known = read_knowledge(connection, identity)
        operation = Operation(method, path, host, known)
        if known.unsettled or names.alone:
            operation.unnamed = known.reveal(names)
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
