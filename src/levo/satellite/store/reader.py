"""Reads the catalog for the web. Rows are frozen values; no caller sees SQL."""

from __future__ import annotations

import contextlib
import queue
import sqlite3
import threading
import time
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from levo.satellite.learn.access import Access, unpack_access
from levo.satellite.learn.paths import Template
from levo.satellite.learn.paths.state import ABSENT_STATUSES, shown_place
from levo.satellite.learn.sensors import Run, greatest_skew
from levo.satellite.learn.signs import Sign, unpack_signs
from levo.satellite.learn.trace import INVALID, INVALID_STATUS, schemes_of, status_name
from levo.satellite.learn.traffic import Traffic
from levo.satellite.openapi import Operation
from levo.satellite.store.learned import (
    EventRow,
    read_description,
    read_event_ids,
    read_events,
    read_events_after,
    read_events_by_id,
    read_operations,
    read_operations_of,
)
from levo.satellite.store.paths import read_template
from levo.satellite.store.rotation import KEY_NAME, read_key
from levo.satellite.store.schema import open_for_reading
from levo.satellite.store.sensitive import (
    SensitiveCount,
    SensitiveFilter,
    SensitiveItem,
    count_sensitive,
    count_sensitive_by_kind,
    is_looked_at,
    read_sensitive,
    read_sensitive_by_id,
    read_sensitive_ids,
    read_sure,
)
from levo.satellite.store.storage import Storage, read_storage
from levo.satellite.store.traffic import (
    WHOLE_CATALOG,
    read_most_errors,
    read_most_errors_ever,
    read_traffic,
)
from levo.satellite.store.userdata.database import USERDATA_NAME, row_number
from levo.satellite.store.writer import SensorState

STATUS_CLASSES = {
    "none": (0, 0),
    INVALID: (INVALID_STATUS, INVALID_STATUS),
    "1xx": (100, 199),
    "2xx": (200, 299),
    "3xx": (300, 399),
    "4xx": (400, 499),
    "5xx": (500, 599),
}
SORTS = {
    "path": "application, host, path, method, environment, organization",
    "last_seen": "last_seen_ns DESC, id",
    "first_seen": "first_seen_ns DESC, id",
    "exchanges": "exchanges DESC, id",
}
"""Orders by the name that REST and pages use; each is total, so that pages neither repeat nor skip rows."""


REVIEWS = ("open", "accepted", "ignored")
"""What users say of endpoints; *open* is nothing yet."""


class EndpointFilter(msgspec.Struct, frozen=True):
    """Which endpoints; an empty field does not restrict."""

    organization: str = ""
    environment: str = ""
    application: str = ""
    host: str = ""
    method: str = ""
    status: str = ""
    """A key of :data:`STATUS_CLASSES`: endpoints that answered so at least once."""
    search: str = ""
    """Part of the template, the host or the application, in any case."""
    new_since_ns: int = 0
    """Endpoints first seen at this time or later."""
    unseen_ns: int = 0
    """Endpoints that were not seen for so long, counted back from the latest exchange …"""
    seen_ns: int = 0
    """… and those that were."""
    review: str = ""
    """A key of :data:`REVIEWS`; empty leaves out those that users ignore."""


class EndpointRow(msgspec.Struct, frozen=True):
    """One endpoint."""

    id: int
    organization: str
    environment: str
    application: str
    host: str
    method: str
    path: str
    """The path template."""
    traces: int
    exchanges: float
    first_seen_ns: int
    last_seen_ns: int
    confidence: float
    """That the template is right; 0 while nothing is decided."""
    statuses: dict[str, float]
    """Exchanges by status code; ``"0"`` is "no response seen", ``"invalid"`` a response without a code."""
    schemes: tuple[str, ...] = ()
    """``http``, ``https`` or both; empty when unknown."""
    access: Access = msgspec.field(default_factory=Access)
    """Who was let in, with and without a credential."""

    @property
    def status_classes(self) -> dict[str, float]:
        """Exchanges by status class, those that occurred, in ascending order."""
        classes = dict.fromkeys(STATUS_CLASSES, 0.0)
        for status, exchanges in self.statuses.items():
            classes[_class_of(status)] += exchanges
        return {name: exchanges for name, exchanges in classes.items() if exchanges}


class NewEndpoints(msgspec.Struct, frozen=True):
    """The endpoints that were found after some other one."""

    last: int
    """The last number of an endpoint."""
    applications: dict[str, int]
    """How many were found, by application, most first."""
    rows: list[EndpointRow]
    """Some of them, the first first."""


def _class_of(status: str) -> str:
    if status == INVALID:
        return INVALID
    return "none" if status == "0" else f"{status[0]}xx"


class RefusedRow(msgspec.Struct, frozen=True):
    """A path that was asked for and never answered with success."""

    organization: str
    environment: str
    application: str
    host: str
    method: str
    path: str
    """With ``{?}`` for names that are not kept."""
    exchanges: float
    statuses: dict[str, float]
    """Exchanges by status; ``0`` is "no response seen"."""
    first_seen_ns: int
    last_seen_ns: int


_read_statuses = msgspec.json.Decoder(dict[str, float]).decode
_REFUSED = (
    "FROM place WHERE endpoint = 0 AND EXISTS (SELECT 1 FROM json_each(place.statuses)"
    f" WHERE CAST(key AS INTEGER) NOT IN ({', '.join(map(str, sorted(ABSENT_STATUSES)))}))"
)
_REFUSED_ROW = (
    "organization, environment, application, host, method, path_key, exchanges, statuses, first_seen_ns,"
    " last_seen_ns"
)
_REFUSED_ORDER = "last_seen_ns DESC, id"


def _refused_row(row: tuple[Any, ...]) -> RefusedRow:
    *place, path_key, exchanges, statuses, first_seen_ns, last_seen_ns = row
    organization, environment, application, host, method = place
    return RefusedRow(
        organization, environment, application, host, method, shown_place(path_key), exchanges,
        _read_statuses(statuses), *_by_now(first_seen_ns, last_seen_ns),
    )  # fmt: skip


class ApplicationRow(msgspec.Struct, frozen=True):
    """One application in one environment."""

    organization: str
    environment: str
    application: str
    endpoints: int
    exchanges: float
    first_seen_ns: int
    last_seen_ns: int


class FacetValue(msgspec.Struct, frozen=True):
    """One value that a filter can take."""

    value: str
    endpoints: int
    """Endpoints that would be shown with it and all other filters."""


FACETS = ("application", "environment", "organization", "host", "method", "status")


class MetricValue(msgspec.Struct, frozen=True):
    """The last value of one series of a sensor."""

    name: str
    labels: dict[str, str]
    time_ns: int
    value: float


class SensorKey(NamedTuple):
    """One run of a sensor: two runs of one id that overlap are two sensors."""

    organization: str
    sensor: str
    instance: str


class SensorRow(msgspec.Struct, frozen=True):
    """One run of a sensor and what it last reported."""

    organization: str
    sensor: str
    first_seen_ns: int
    last_seen_ns: int
    attributes: dict[str, str]
    metrics: list[MetricValue]
    """Of its newest report."""
    run: Run = Run()
    cut: int = 0
    """Series of that report that found no room."""
    skew_ns: int | None = None
    """By how much its clock is ahead of the Satellite's; None if not known."""

    @property
    def key(self) -> SensorKey:
        """What no other row has."""
        return SensorKey(self.organization, self.sensor, self.run.instance)


class Summary(msgspec.Struct, frozen=True):
    """The catalog in numbers."""

    revision: int
    endpoints: int
    applications: int
    sensors: int
    exchanges: float
    errors: float
    """Exchanges with a status of 500 or more."""
    first_seen_ns: int
    last_seen_ns: int
    counters: dict[str, float]


_MAX_PARTS = 200
"""Organizations whose connections are kept open."""
_BATCH = 500
"""Rows of an export that are in memory at once."""
_SENSOR_BATCH = 20
"""Sensors at once: each may have reported hundreds of series."""


@dataclass(frozen=True, slots=True)
class _Where:
    text: str
    values: list[str | int]


class CatalogReader:
    """Queries; usable from any thread. Keeps as many connections as there are concurrent calls at most."""

    def __init__(self, path: Path, userdata: Path | None = None, organization: str = "") -> None:
        """Args:
        path: the catalog.
        userdata: the database of the users' decisions (``store.userdata``); without it there are none.
        organization: whose part of the catalog is read; empty for all of it.
        """
        self._path = path
        self._userdata = userdata
        self._organization = organization
        self._idle: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        self._parts: dict[str, CatalogReader] = {}
        self._lock = threading.Lock()

    def within(self, organization: str) -> CatalogReader:
        """Return a reader to which nothing exists but what is *organization*'s; this one if it is empty.

        Close this one to close it.
        """
        if organization == self._organization:
            return self
        if self._organization:
            raise ValueError("a part of the catalog has no other parts")
        with self._lock:
            found = self._parts.get(organization)
            if found is None:
                if len(self._parts) >= _MAX_PARTS:
                    self._parts.pop(next(iter(self._parts))).close()
                found = CatalogReader(self._path, self._userdata, organization)
                self._parts[organization] = found
        return found

    @property
    def organization(self) -> str:
        """Whose part of the catalog is read; empty for all of it."""
        return self._organization

    @property
    def path(self) -> Path:
        """The catalog's file."""
        return self._path

    def close(self) -> None:
        """Close the idle connections. Legal twice."""
        with self._lock:
            for part in self._parts.values():
                part.close()
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()

    def revision(self) -> int:
        """Return the number that grows with every change of the catalog."""
        with self._connection() as connection:
            return int(connection.execute("SELECT revision FROM checkpoint").fetchone()[0])

    def endpoints(
        self, wanted: EndpointFilter, *, sort: str = "path", limit: int = 100, offset: int = 0
    ) -> tuple[int, list[EndpointRow]]:
        """Return how many endpoints pass *wanted*, and *limit* of them from *offset* on, by *sort*."""
        where = _where(wanted)
        total = self.count_endpoints(wanted)
        with self._connection() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM endpoint {where.text} ORDER BY {SORTS[sort]} LIMIT ? OFFSET ?",
                [*where.values, limit, offset],
            ).fetchall()
            return total, _with_statuses(connection, rows)

    def count_endpoints(self, wanted: EndpointFilter) -> int:
        """Return how many endpoints pass *wanted*."""
        where = _where(wanted)
        with self._connection() as connection:
            found = connection.execute(f"SELECT count(*) FROM endpoint {where.text}", where.values)
            return int(found.fetchone()[0])

    def each_endpoint(self, wanted: EndpointFilter, *, sort: str = "path") -> Iterator[EndpointRow]:
        """Yield all endpoints that pass *wanted* now, by *sort*, a batch of rows in memory at a time.

        Their ids are read at once, the rows batch by batch: however the catalog changes meanwhile, none comes
        twice and none is skipped. One that was merged into another in the meantime is left out.
        """
        where = _where(wanted)
        with self._connection() as connection:
            found = connection.execute(
                f"SELECT id FROM endpoint {where.text} ORDER BY {SORTS[sort]}", where.values
            )
            identities = array("q", (identity for (identity,) in found))
        for at in range(0, len(identities), _BATCH):
            part = identities[at : at + _BATCH]
            rows = {row.id: row for row in self.endpoints_by_id(part)}
            yield from (rows[identity] for identity in part if identity in rows)

    def facets(self, wanted: EndpointFilter, limit: int = 40) -> dict[str, list[FacetValue]]:
        """Return for each of :data:`FACETS` its values, most endpoints first, under the other filters."""
        found: dict[str, list[FacetValue]] = {}
        with self._connection() as connection:
            for facet in FACETS:
                where = _where(msgspec.structs.replace(wanted, **{facet: ""}))
                if facet == "status":
                    table, column = f"({_CLASSES_OF}) JOIN endpoint ON id = endpoint", "class"
                else:
                    table, column = "endpoint", facet
                rows = connection.execute(
                    f"SELECT {column}, count(*) FROM {table} {where.text}"
                    f" GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ?",
                    [*where.values, limit],
                )
                found[facet] = [FacetValue(str(value), endpoints) for value, endpoints in rows]
        return found

    def traffic(self, size_s: int, since_s: int, endpoint: int = WHOLE_CATALOG) -> list[tuple[int, Traffic]]:
        """Return (start in seconds, traffic) of the rollups of *size_s* seconds from *since_s* on."""
        with self._connection() as connection:
            if endpoint == WHOLE_CATALOG and self._organization:
                row = connection.execute("SELECT -id FROM organization").fetchone()
                if row is None:
                    return []
                endpoint = row[0]
            return list(read_traffic(connection, endpoint, size_s, since_s))

    def most_errors(self, size_s: int, since_s: int, limit: int = 5) -> list[tuple[EndpointRow, Traffic]]:
        """Return endpoints with server errors in rollups of *size_s* seconds from *since_s* on, most first.

        Of all times with *since_s* 0. With each its exchanges and errors then; latencies are left out.
        """
        with self._connection() as connection:
            found = {
                endpoint: Traffic(exchanges, client_errors, server_errors)
                for endpoint, exchanges, client_errors, server_errors in (
                    read_most_errors(connection, size_s, since_s, limit)
                    if since_s
                    else read_most_errors_ever(connection, limit)
                )
            }
            marks = ",".join("?" * len(found))
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM endpoint WHERE id IN ({marks})", list(found)
            ).fetchall()
            by_id = {row.id: row for row in _with_statuses(connection, rows)}
        return [(by_id[endpoint], traffic) for endpoint, traffic in found.items() if endpoint in by_id]

    def endpoint(self, identity: int) -> EndpointRow | None:
        """Return one endpoint, or the one that it was merged into, or None."""
        with self._connection() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM endpoint"
                " WHERE id = ifnull((SELECT new_endpoint FROM endpoint_redirect WHERE old_endpoint = ?), ?)",
                (row_number(identity),) * 2,
            ).fetchall()
            return next(iter(_with_statuses(connection, rows)), None)

    def template(self, identity: int) -> Template | None:
        """Return the template of an endpoint with its evidence, None if its paths are not stored (yet)."""
        with self._connection() as connection:
            return read_template(connection, self._path.with_name(USERDATA_NAME), identity, self._key())

    def _key(self) -> bytes:
        """Return the key of the installation, without which hashed values are not recognized."""
        try:
            return read_key(self._path.with_name(KEY_NAME))
        except OSError:
            return b"levo"

    def endpoints_by_id(self, identities: Sequence[int]) -> list[EndpointRow]:
        """Return those of *identities* that there are."""
        found: list[EndpointRow] = []
        with self._connection() as connection:
            for at in range(0, len(identities), 500):
                part = list(identities[at : at + 500])
                rows = connection.execute(
                    f"SELECT {_COLUMNS} FROM endpoint WHERE id IN ({','.join('?' * len(part))})", part
                ).fetchall()
                found += _with_statuses(connection, rows)
        return found

    def signs(self) -> dict[int, tuple[Sign, ...]]:
        """Return what messages show besides sensitive data, by endpoint; those without any are left out."""
        with self._connection() as connection:
            rows = connection.execute("SELECT id, signs FROM endpoint WHERE signs != x''").fetchall()
        return {identity: unpack_signs(octets) for identity, octets in rows}

    def is_looked_at(self) -> bool:
        """Return whether all endpoints were looked at for sensitive data, the newest ones aside."""
        with self._connection() as connection:
            return is_looked_at(connection)

    def count_sensitive(self) -> int:
        """Return how many fields are known to hold sensitive data, those that users rejected included."""
        with self._connection() as connection:
            return count_sensitive(connection, SensitiveFilter())

    def sensitive_by_kind(self) -> list[SensitiveCount]:
        """Return how many fields hold which kind of sensitive data, without those that users rejected."""
        with self._connection() as connection:
            return count_sensitive_by_kind(connection)

    def sensitive(
        self, wanted: SensitiveFilter, *, limit: int = 100, offset: int = 0
    ) -> tuple[int, list[SensitiveItem]]:
        """Return how much sensitive data passes *wanted*, and *limit* of it by kind, then surest first."""
        with self._connection() as connection:
            found = read_sensitive(connection, wanted, limit=limit, offset=offset)
            return count_sensitive(connection, wanted), found

    def each_sensitive(self, wanted: SensitiveFilter) -> Iterator[SensitiveItem]:
        """Yield all that passes *wanted* now, in the same order, as :meth:`each_endpoint` does."""
        with self._connection() as connection:
            identities = array("q", read_sensitive_ids(connection, wanted))
        for at in range(0, len(identities), _BATCH):
            part = identities[at : at + _BATCH]
            with self._connection() as connection:
                rows = read_sensitive_by_id(connection, part)
            yield from (rows[identity] for identity in part if identity in rows)

    def sure_sensitive(self, confidence: float) -> list[SensitiveItem]:
        """Return the sensitive data that is at least of this *confidence* and that no user rejected."""
        with self._connection() as connection:
            return read_sure(connection, confidence)

    def operations(self, place: tuple[str, str, str]) -> list[Operation]:
        """Return the operations of (organization, environment, application) in order of path."""
        with self._connection() as connection:
            return read_operations(connection, place, key=self._key())

    def operations_of(self, endpoints: Sequence[int]) -> list[tuple[int, Operation]]:
        """Return (id, operation) of *endpoints*, those that there are."""
        with self._connection() as connection:
            return read_operations_of(connection, endpoints, self._key())

    def events(
        self,
        *,
        endpoint: int | None = None,
        kind: str = "",
        limit: int = 100,
        offset: int = 0,
    ) -> tuple[int, list[EventRow]]:
        """Return how many changes there are, and some of them, newest first."""
        with self._connection() as connection:
            return read_events(connection, endpoint=endpoint, kind=kind, limit=limit, offset=offset)

    def events_after(self, number: int, limit: int) -> list[EventRow]:
        """Return the changes that were found after that of *number*, the first ones first."""
        with self._connection() as connection:
            return read_events_after(connection, number, limit)

    def each_event(self, *, endpoint: int | None = None, kind: str = "") -> Iterator[EventRow]:
        """Yield all changes that there are now, newest first, as :meth:`each_endpoint` does."""
        with self._connection() as connection:
            identities = array("q", read_event_ids(connection, endpoint=endpoint, kind=kind))
        for at in range(0, len(identities), _BATCH):
            part = identities[at : at + _BATCH]
            with self._connection() as connection:
                rows = read_events_by_id(connection, part)
            yield from (rows[identity] for identity in part if identity in rows)

    def description(self, place: tuple[str, str, str]) -> tuple[int, str] | None:
        """Return (time, document) of what was uploaded for (organization, environment, application)."""
        with self._connection() as connection:
            return read_description(connection, place)

    def each_application(self) -> Iterator[ApplicationRow]:
        """Yield all applications by name. There are few of them, and they are read at once."""
        yield from self.applications(limit=-1)[1]

    def first_seen_ns(self, place: tuple[str, str, str] | None = None) -> int:
        """Return when the first exchange of (organization, environment, application) was seen, or of any.

        0 if none was.
        """
        where = "" if place is None else "WHERE organization = ? AND environment = ? AND application = ?"
        with self._connection() as connection:
            row = connection.execute(
                f"SELECT min(first_seen_ns) FROM endpoint {where}", place or ()
            ).fetchone()
        return int(row[0] or 0)

    def refused(self, *, limit: int = 100, offset: int = 0) -> tuple[int, list[RefusedRow]]:
        """Return how many paths there are that never were answered with success and not only as absent, and
        *limit* of them from *offset* on, latest first."""
        with self._connection() as connection:
            (total,) = connection.execute(f"SELECT count(*) {_REFUSED}").fetchone()
            rows = connection.execute(
                f"SELECT {_REFUSED_ROW} {_REFUSED} ORDER BY {_REFUSED_ORDER} LIMIT ? OFFSET ?",
                (limit, offset),
            ).fetchall()
        return total, [_refused_row(row) for row in rows]

    def each_refused(self) -> Iterator[RefusedRow]:
        """Yield all paths that are only refused now, in the same order, as :meth:`each_endpoint` does.

        One that was answered with success in the meantime is left out.
        """
        with self._connection() as connection:
            found = connection.execute(f"SELECT id {_REFUSED} ORDER BY {_REFUSED_ORDER}")
            identities = array("q", (identity for (identity,) in found))
        for at in range(0, len(identities), _BATCH):
            part = identities[at : at + _BATCH]
            marks = ",".join("?" * len(part))
            with self._connection() as connection:
                rows = connection.execute(
                    f"SELECT id, {_REFUSED_ROW} {_REFUSED} AND id IN ({marks})", list(part)
                ).fetchall()
            by_id = {row[0]: _refused_row(row[1:]) for row in rows}
            yield from (by_id[identity] for identity in part if identity in by_id)

    def applications(self, *, limit: int = 100, offset: int = 0) -> tuple[int, list[ApplicationRow]]:
        """Return how many applications there are, and *limit* of them from *offset* on, by name."""
        grouped = "FROM endpoint GROUP BY organization, environment, application"
        with self._connection() as connection:
            (total,) = connection.execute(f"SELECT count(*) FROM (SELECT 1 {grouped})").fetchone()
            rows = connection.execute(
                "SELECT organization, environment, application, count(*), sum(exchanges), min(first_seen_ns),"
                f" max(last_seen_ns) {grouped} ORDER BY 1, 2, 3 LIMIT ? OFFSET ?",
                (limit, offset),
            ).fetchall()
            found = []
            for *group, first_ns, last_ns in rows:
                organization, environment, application, endpoints, exchanges = group
                seen = _by_now(first_ns, last_ns)
                found.append(
                    ApplicationRow(organization, environment, application, endpoints, exchanges, *seen)
                )
            return total, found

    def sensors(self, *, limit: int = 100, offset: int = 0) -> tuple[int, list[SensorRow]]:
        """Return how many sensors there are, and *limit* of them from *offset* on, last heard of first."""
        with self._connection() as connection:
            (total,) = connection.execute("SELECT count(*) FROM sensor").fetchone()
            rows = connection.execute(
                f"SELECT {_SENSOR} FROM sensor"
                " ORDER BY last_seen_ns DESC, organization, sensor, instance LIMIT ? OFFSET ?",
                (limit, offset),
            ).fetchall()
        return total, [_sensor_row(row) for row in rows]

    def silent_sensors(self, since_ns: int, until_ns: int) -> set[SensorKey]:
        """Return all that were last heard in a span of time, its end not included, and did not stop."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT organization, sensor, instance FROM sensor"
                " WHERE (stopped_ns = 0) = 1 AND last_seen_ns >= ? AND last_seen_ns < ?",
                (since_ns, until_ns),
            ).fetchall()
        return {SensorKey(*row) for row in rows}

    def sensor(self, key: SensorKey) -> SensorRow | None:
        """Return one sensor."""
        with self._connection() as connection:
            row = connection.execute(
                f"SELECT {_SENSOR} FROM sensor WHERE organization = ? AND sensor = ? AND instance = ?", key
            ).fetchone()
        return None if row is None else _sensor_row(row)

    def merged_into(self, endpoints: Sequence[int]) -> dict[int, list[int]]:
        """Return the former numbers of those of *endpoints* into which others were merged."""
        found: dict[int, list[int]] = {}
        with self._connection() as connection:
            for at in range(0, len(endpoints), 500):
                part = list(endpoints[at : at + 500])
                marks = ",".join("?" * len(part))
                for new, old in connection.execute(
                    "SELECT new_endpoint, old_endpoint FROM endpoint_redirect"
                    f" WHERE new_endpoint IN ({marks}) ORDER BY old_endpoint",
                    part,
                ):
                    found.setdefault(new, []).append(old)
        return found

    def announced(self, endpoints: Sequence[int]) -> set[int]:
        """Return those of *endpoints* that were a change when they were found: not split off known ones."""
        found: set[int] = set()
        with self._connection() as connection:
            for at in range(0, len(endpoints), 500):
                part = list(endpoints[at : at + 500])
                marks = ",".join("?" * len(part))
                rows = connection.execute(
                    f"SELECT endpoint FROM event WHERE kind = 'endpoint' AND endpoint IN ({marks})", part
                )
                found.update(row[0] for row in rows)
        return found

    def newest(self, before_ns: int | None = None) -> tuple[int, int]:
        """Return the last number of an endpoint, and that of a change: of all, or of those before a time."""
        with self._connection() as connection:
            found = []
            for table, time in (("endpoint", "first_seen_ns"), ("event", "time_ns")):
                where, values = ("", ()) if before_ns is None else (f"WHERE {time} < ?", (before_ns,))
                row = connection.execute(f"SELECT ifnull(max(id), 0) FROM {table} {where}", values)
                found.append(int(row.fetchone()[0]))
        return found[0], found[1]

    def found_after(self, number: int, limit: int) -> NewEndpoints:
        """Return the endpoints that were found after that of *number*, *limit* of them in full."""
        found = (
            "FROM endpoint WHERE id > ?"
            " AND EXISTS (SELECT 1 FROM event WHERE endpoint = endpoint.id AND kind = 'endpoint')"
        )
        with self._connection() as connection:
            (last,) = connection.execute("SELECT ifnull(max(id), 0) FROM endpoint").fetchone()
            applications = connection.execute(
                f"SELECT application, count(*) {found} GROUP BY 1 ORDER BY 2 DESC, 1", (number,)
            ).fetchall()
            rows = connection.execute(
                f"SELECT {_COLUMNS} {found} ORDER BY id LIMIT ?", (number, limit)
            ).fetchall()
            return NewEndpoints(last, dict(applications), _with_statuses(connection, rows))

    def each_sensor(self) -> Iterator[SensorRow]:
        """Yield all runs of sensors that there are now, last heard of first, a few in memory at a time."""
        with self._connection() as connection:
            keys = connection.execute(
                "SELECT organization, sensor, instance FROM sensor"
                " ORDER BY last_seen_ns DESC, organization, sensor, instance"
            ).fetchall()
        for at in range(0, len(keys), _SENSOR_BATCH):
            part = keys[at : at + _SENSOR_BATCH]
            marks = ",".join(["(?, ?, ?)"] * len(part))
            with self._connection() as connection:
                found = connection.execute(
                    f"SELECT instance, {_SENSOR} FROM sensor"
                    f" WHERE (organization, sensor, instance) IN (VALUES {marks})",
                    [value for key in part for value in key],
                ).fetchall()
            rows = {(row[1], row[2], row[0]): row[1:] for row in found}
            yield from (_sensor_row(rows[key]) for key in part if key in rows)

    def storage(self) -> Storage:
        """Return how much room the catalog takes, and how much is left."""
        with self._connection() as connection:
            return read_storage(connection, self._path)

    def summary(self) -> Summary:
        """Return the catalog in numbers."""
        with self._connection() as connection:
            connection.execute("BEGIN")
            (revision,) = connection.execute("SELECT revision FROM checkpoint").fetchone()
            endpoints, exchanges, first, last = connection.execute(
                "SELECT count(*), total(exchanges),"
                " ifnull(min(first_seen_ns), 0), ifnull(max(last_seen_ns), 0)"
                " FROM endpoint"
            ).fetchone()
            (applications,) = connection.execute(
                "SELECT count(*) FROM (SELECT DISTINCT organization, environment, application FROM endpoint)"
            ).fetchone()
            (sensors,) = connection.execute("SELECT count(*) FROM sensor").fetchone()
            (errors,) = connection.execute(
                "SELECT total(exchanges) FROM endpoint_status WHERE status >= 500"
            ).fetchone()
            counters = dict(connection.execute("SELECT name, value FROM counter ORDER BY name").fetchall())
            connection.execute("COMMIT")
        seen = _by_now(first, last)
        return Summary(revision, endpoints, applications, sensors, exchanges, errors, *seen, counters)

    def names(self, column: str, limit: int = 200) -> list[str]:
        """Return the different values of *column*, one of ``environment``, ``application`` and ``method``."""
        if column not in ("environment", "application", "method"):
            raise ValueError(f"no such column: {column}")
        with self._connection() as connection:
            rows = connection.execute(f"SELECT DISTINCT {column} FROM endpoint ORDER BY 1 LIMIT ?", (limit,))
            return [row[0] for row in rows]

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = open_for_reading(self._path, self._userdata, self._organization)
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        self._idle.put(connection)


_Columns = tuple[int, str, str, str, str, str, str, int, float, int, int, float, int, bytes]
_COLUMNS = (
    "id, organization, environment, application, host, method, path,"
    " traces, exchanges, first_seen_ns, last_seen_ns, confidence, schemes, access"
)


_CLASSES_OF = (
    "SELECT DISTINCT endpoint, CASE WHEN status = 0 THEN 'none' WHEN status BETWEEN 100 AND 599"
    " THEN (status / 100) || 'xx' ELSE 'invalid' END AS class"
    " FROM endpoint_status"
)


_STANDING = (
    "SELECT e.id FROM userdata.triage s CROSS JOIN endpoint e"
    " USING (organization, environment, application, host, method) WHERE s.template = anonymous(e.template)"
)


def _where(wanted: EndpointFilter) -> _Where:
    parts: list[str] = []
    values: list[str | int] = []
    for column in ("organization", "environment", "application", "host", "method"):
        if value := getattr(wanted, column):
            parts.append(f"{column} = ?")
            values.append(value)
    if wanted.search:
        pattern = "".join(f"\\{c}" if c in "\\%_" else c for c in wanted.search)
        fields = ("path", "host", "application")
        parts.append("(" + " OR ".join(f"{f} LIKE ? ESCAPE '\\'" for f in fields) + ")")
        values.extend([f"%{pattern}%"] * len(fields))
    if wanted.new_since_ns:
        parts.append("first_seen_ns >= ?")
        values.append(wanted.new_since_ns)
    for sign, back_ns in (("<", wanted.unseen_ns), (">=", wanted.seen_ns)):
        if back_ns:
            parts.append(
                f"last_seen_ns {sign} min((SELECT ifnull(max(last_seen_ns), 0) FROM endpoint), ?) - ?"
            )
            values.extend((time.time_ns(), back_ns))
    if wanted.review in ("accepted", "ignored"):
        parts.append(f"id IN ({_STANDING} AND s.state = '{wanted.review}')")
    elif wanted.review == "open":
        parts.append(f"id NOT IN ({_STANDING} AND s.state IN ('accepted', 'ignored'))")
    else:
        parts.append(f"id NOT IN ({_STANDING} AND s.state = 'ignored')")
    if wanted.status:
        parts.append(
            "EXISTS (SELECT 1 FROM endpoint_status WHERE endpoint = endpoint.id AND status BETWEEN ? AND ?)"
        )
        values.extend(STATUS_CLASSES[wanted.status])
    return _Where("WHERE " + " AND ".join(parts) if parts else "", values)


def _with_statuses(connection: sqlite3.Connection, rows: Sequence[_Columns]) -> list[EndpointRow]:
    marks = ",".join("?" * len(rows))
    statuses: dict[int, dict[str, float]] = {row[0]: {} for row in rows}
    found = connection.execute(
        "SELECT endpoint, status, exchanges FROM endpoint_status"
        f" WHERE endpoint IN ({marks}) ORDER BY status",
        [row[0] for row in rows],
    )
    for endpoint, status, exchanges in found:
        statuses[endpoint][status_name(status)] = exchanges
    return [
        EndpointRow(
            *row[:9],
            *_by_now(*row[9:11]),
            row[11],
            statuses[row[0]],
            schemes_of(row[12]),
            unpack_access(row[13]),
        )
        for row in rows
    ]


def _by_now(first_ns: int, last_ns: int) -> tuple[int, int]:
    """Return when something was seen first and last; later than now is from a clock that was ahead."""
    now_ns = time.time_ns()
    return min(first_ns, now_ns), min(last_ns, now_ns)


_SENSOR = "organization, sensor, first_seen_ns, last_seen_ns, report"


def _sensor_row(row: tuple[str, str, int, int, bytes]) -> SensorRow:
    state = msgspec.msgpack.decode(row[4], type=SensorState)
    metrics = [
        MetricValue(name, labels, time, value) for name, labels, time, value in sorted(state.values, key=str)
    ]
    attributes = {name: value for name, (_, value) in sorted(state.attributes.items())}
    seen, skew_ns = _by_now(row[2], row[3]), greatest_skew(state.skews)
    return SensorRow(row[0], row[1], *seen, attributes, metrics, state.run, state.cut, skew_ns)
