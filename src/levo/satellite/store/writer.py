"""Writes what was learned, together with how far the journal was read."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import msgspec

from levo.errors import LevoError
from levo.satellite.learn import EndpointFacts, EndpointKey, SensorReport, State, merge_sensor
from levo.satellite.learn.traffic import TrafficByMinute, merge_traffic
from levo.satellite.queue import Position
from levo.satellite.store.schema import open_for_writing
from levo.satellite.store.traffic import WHOLE_CATALOG, add_traffic, prune_traffic

MAX_ENDPOINTS = 100_000
MAX_SENSORS = 10_000


@dataclass(frozen=True, slots=True)
class Commit:
    """What one commit changed."""

    revision: int
    """Grows by one with every commit that changed the catalog."""
    position: Position


class SensorState(msgspec.Struct):
    """How a sensor's report is stored."""

    attributes: dict[str, tuple[int, str]]
    """Time (ns) and value by name."""
    values: list[tuple[str, dict[str, str], int, float]]
    """Metric name, labels, time (ns), value."""


class CatalogWriter:
    """The one writer of a catalog. Not thread-safe.

    Counts add to what is stored, so a state may be committed once only; the position in the same transaction
    is what makes sure of that over a crash.
    """

    def __init__(self, path: Path, *, max_endpoints: int = MAX_ENDPOINTS) -> None:
        """Open or make the database at *path*.

        Raises:
            LevoError: the file cannot be used.
        """
        self._path = path
        self._connection = open_for_writing(path)
        self._max_endpoints = max_endpoints
        (self._endpoints,) = self._connection.execute("SELECT count(*) FROM endpoint").fetchone()
        (self._sensors,) = self._connection.execute("SELECT count(*) FROM sensor").fetchone()

    def checkpoint(self) -> Commit:
        """Return the last commit."""
        row = self._connection.execute("SELECT revision, segment, offset FROM checkpoint").fetchone()
        return Commit(row[0], Position(row[1], row[2]))

    def commit(self, delta: State, position: Position) -> Commit:
        """Add *delta* to the catalog and move the checkpoint to *position*, both or neither, durably.

        Raises:
            LevoError: nothing was changed; the disk or the file refuses.
        """
        connection = self._connection
        endpoints, sensors = self._endpoints, self._sensors
        try:
            connection.execute("BEGIN IMMEDIATE")
            refused = self._add_endpoints(delta.endpoints.items())
            refused_sensors = self._add_sensors(delta.sensors.items())
            self._add_counters(
                learned_traces=delta.traces,
                learned_exchanges=delta.exchanges,
                ignored_spans=delta.ignored_spans,
                unreadable_records=delta.unreadable_records,
                endpoint_limit_exchanges=refused,
                sensor_limit_reports=refused_sensors,
            )
            connection.execute(
                "UPDATE checkpoint SET segment = ?, offset = ?, revision = revision + ?",
                (position.segment, position.offset, not delta.is_empty),
            )
            result = self.checkpoint()
            connection.execute("COMMIT")
        except BaseException as error:
            self._endpoints, self._sensors = endpoints, sensors
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise LevoError(f"{self._path}: cannot be written: {error}") from error
            raise
        return result

    def prune(self, now_ns: int) -> int:
        """Delete rollups that are older than they are kept; return how many."""
        return prune_traffic(self._connection, now_ns // 1_000_000_000)

    def close(self) -> None:
        """Close the database. Legal twice."""
        self._connection.close()

    def __enter__(self) -> CatalogWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _add_endpoints(self, facts_by_key: Iterable[tuple[EndpointKey, EndpointFacts]]) -> float:
        """Return the exchanges of endpoints that the full catalog could not take."""
        refused = 0.0
        whole: TrafficByMinute = {}
        execute = self._connection.execute
        for key, facts in facts_by_key:
            row = execute(
                "UPDATE endpoint SET traces = traces + ?, exchanges = exchanges + ?,"
                " first_seen_ns = min(first_seen_ns, ?), last_seen_ns = max(last_seen_ns, ?)"
                " WHERE organization = ? AND environment = ? AND application = ? AND host = ? AND method = ?"
                " AND template = ? RETURNING id",
                (facts.traces, facts.exchanges, facts.first_seen_ns, facts.last_seen_ns, *key),
            ).fetchone()
            if row is None:
                if self._endpoints >= self._max_endpoints:
                    refused += facts.exchanges
                    continue
                self._endpoints += 1
                row = execute(
                    "INSERT INTO endpoint (traces, exchanges, first_seen_ns, last_seen_ns, organization,"
                    " environment, application, host, method, template)"
                    " VALUES (?,?,?,?,?,?,?,?,?,?) RETURNING id",
                    (facts.traces, facts.exchanges, facts.first_seen_ns, facts.last_seen_ns, *key),
                ).fetchone()
            self._connection.executemany(
                "INSERT INTO endpoint_status VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET exchanges = exchanges + excluded.exchanges",
                [(row[0], status, exchanges) for status, exchanges in facts.statuses.items()],
            )
            add_traffic(self._connection, row[0], facts.traffic)
            merge_traffic(whole, facts.traffic)
        add_traffic(self._connection, WHOLE_CATALOG, whole)
        return refused

    def _add_sensors(self, reports: Iterable[tuple[tuple[str, str], SensorReport]]) -> int:
        """Return the reports of sensors that the full catalog could not take."""
        refused = 0
        for (organization, sensor), report in reports:
            row = self._connection.execute(
                "SELECT first_seen_ns, last_seen_ns, report FROM sensor"
                " WHERE organization = ? AND sensor = ?",
                (organization, sensor),
            ).fetchone()
            if row is None:
                if self._sensors >= MAX_SENSORS:
                    refused += 1
                    continue
                self._sensors += 1
            else:
                report = merge_sensor(_unpack_sensor(row), report)
            self._connection.execute(
                "INSERT OR REPLACE INTO sensor VALUES (?, ?, ?, ?, ?)",
                (organization, sensor, report.first_seen_ns, report.last_seen_ns, _pack_sensor(report)),
            )
        return refused

    def _add_counters(self, **amounts: float) -> None:
        self._connection.executemany(
            "INSERT INTO counter VALUES (?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
            [(name, float(amount)) for name, amount in amounts.items() if amount and math.isfinite(amount)],
        )


def _pack_sensor(report: SensorReport) -> bytes:
    values = [(name, dict(labels), time, value) for (name, labels), (time, value) in report.values.items()]
    return msgspec.msgpack.encode(SensorState(dict(report.attributes), values))


def _unpack_sensor(row: sqlite3.Row | tuple[int, int, bytes]) -> SensorReport:
    state = msgspec.msgpack.decode(row[2], type=SensorState)
    values = {
        (name, tuple(sorted(labels.items()))): (time, value) for name, labels, time, value in state.values
    }
    return SensorReport(row[0], row[1], state.attributes, values)
