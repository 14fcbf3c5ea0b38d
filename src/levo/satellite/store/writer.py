"""Writes what was learned, together with how far the journal was read."""

from __future__ import annotations

import contextlib
import math
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

import msgspec

from levo.errors import LevoError
from levo.satellite.learn import (
    Override,
    PathState,
    Run,
    Scope,
    SensorReport,
    State,
    TemplateDecision,
    decide_templates,
    merge_sensor,
    runs_before,
)
from levo.satellite.queue import Position
from levo.satellite.store.endpoints import EndpointTable
from levo.satellite.store.paths import read_overrides
from levo.satellite.store.schema import open_for_writing
from levo.satellite.store.traffic import prune_traffic
from levo.satellite.store.userdata.database import USERDATA_NAME

MAX_ENDPOINTS = 100_000
MAX_SENSORS = 10_000
MAX_RUNS = 64
"""Runs kept of one sensor id that overlap."""
MAX_DELIVERIES = 20_000
"""Deliveries remembered, so that one that comes again changes nothing."""


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
    run: Run = Run()


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
        self._endpoints = EndpointTable(self._connection, max_endpoints)
        (self._sensors,) = self._connection.execute("SELECT count(*) FROM sensor").fetchone()

    def checkpoint(self) -> Commit:
        """Return the last commit."""
        row = self._connection.execute("SELECT revision, segment, offset FROM checkpoint").fetchone()
        return Commit(row[0], Position(row[1], row[2]))

    def load_paths(self) -> dict[Scope, PathState]:
        """Return what is stored of the paths of each host; what cannot be read any more is learned anew."""
        found: dict[Scope, PathState] = {}
        for *scope, state in self._connection.execute(
            "SELECT organization, environment, application, host, state FROM paths"
        ):
            try:
                found[Scope(*scope)] = PathState.from_bytes(state)
            except ValueError:
                continue
        return found

    def overrides(self, scope: Scope) -> tuple[Override, ...]:
        """Return what uploaded descriptions and users say about the paths of *scope*; users come last."""
        return read_overrides(self._connection, self._path.with_name(USERDATA_NAME), scope)

    def is_known(self, digest: bytes) -> bool:
        """Whether a delivery of this digest was committed before."""
        row = self._connection.execute("SELECT 1 FROM delivery WHERE digest = ?", (digest,)).fetchone()
        return row is not None

    def commit(
        self,
        delta: State,
        position: Position,
        decisions: Mapping[Scope, TemplateDecision] | None = None,
        *,
        moved: Iterable[Scope] | None = None,
        save_paths: Iterable[Scope] | None = None,
        deliveries: Iterable[bytes] = (),
    ) -> Commit:
        """Add *delta* to the catalog and move the checkpoint to *position*, both or neither, durably.

        *decisions* are those on the templates of each host in *delta* (made here if None), *moved* the hosts
        whose decision is new, *save_paths* those whose paths are to be stored (both: all, if None), and
        *deliveries* the digests of what was learned from.

        Raises:
            LevoError: nothing was changed; the disk or the file refuses.
        """
        if decisions is None:
            decisions = {scope: decide_templates(paths) for scope, paths in delta.paths.items()}
        connection = self._connection
        sensors = self._sensors
        try:
            connection.execute("BEGIN IMMEDIATE")
            for scope in decisions if moved is None else moved:
                self._endpoints.follow(scope, decisions[scope], delta.paths.get(scope))
            refused, noise = self._endpoints.add(delta, decisions)
            for scope in delta.paths if save_paths is None else save_paths:
                connection.execute(
                    "INSERT OR REPLACE INTO paths VALUES (?,?,?,?,?)", (*scope, delta.paths[scope].to_bytes())
                )
            refused_sensors = self._add_sensors(delta.sensors.items())
            self._add_counters(
                learned_traces=delta.traces,
                learned_exchanges=delta.exchanges,
                ignored_spans=delta.ignored_spans,
                unreadable_records=delta.unreadable_records,
                duplicate_spans=delta.duplicate_spans,
                duplicate_deliveries=delta.duplicate_deliveries,
                endpoint_limit_exchanges=refused,
                noise_exchanges=noise,
                sensor_limit_reports=refused_sensors,
            )
            self._add_deliveries(deliveries)
            connection.execute(
                "UPDATE checkpoint SET segment = ?, offset = ?, revision = revision + ?",
                (position.segment, position.offset, not delta.is_empty),
            )
            self._tell_organizations(delta)
            result = self.checkpoint()
            connection.execute("COMMIT")
        except BaseException as error:
            self._sensors = sensors
            self._endpoints.forget()
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise LevoError(f"{self._path}: cannot be written: {error}") from error
            raise
        return result

    def _tell_organizations(self, delta: State) -> None:
        changed = {key.scope.organization for key in delta.endpoints} | {name for name, *_ in delta.sensors}
        self._connection.executemany(
            "INSERT INTO organization (name, revision) VALUES (?, (SELECT revision FROM checkpoint))"
            " ON CONFLICT DO UPDATE SET revision = excluded.revision",
            [(name,) for name in sorted(changed)],
        )

    def _add_deliveries(self, digests: Iterable[bytes]) -> None:
        (number,) = self._connection.execute("SELECT ifnull(max(number), 0) FROM delivery").fetchone()
        self._connection.executemany(
            "INSERT OR IGNORE INTO delivery VALUES (?, ?)",
            [(digest, number + place) for place, digest in enumerate(digests, start=1)],
        )
        self._connection.execute("DELETE FROM delivery WHERE number <= ?", (number - MAX_DELIVERIES,))

    def prune(self, now_ns: int) -> int:
        """Delete rollups that are older than they are kept, and old pages; return how many."""
        self._endpoints.prune_events()
        pruned = prune_traffic(self._connection, now_ns // 1_000_000_000)
        self._empty_log()
        return pruned

    def close(self) -> None:
        """Close the database. Legal twice."""
        with contextlib.suppress(sqlite3.ProgrammingError):  # closed already
            self._empty_log()
        self._connection.close()

    def _empty_log(self) -> None:
        """Empty the write-ahead log, which holds pages as they were before something was forgotten."""
        with contextlib.suppress(sqlite3.OperationalError):  # a reader is in the way: next time
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def __enter__(self) -> CatalogWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _add_sensors(self, reports: Iterable[tuple[tuple[str, str, str], SensorReport]]) -> int:
        """Return the reports of sensors that the full catalog could not take."""
        refused = 0
        for (organization, sensor, instance), report in reports:
            known = self._runs(organization, sensor)
            mine = known.pop(instance, None)
            if mine is not None:
                report = merge_sensor(mine, report)
            else:
                is_current, predecessor = runs_before([each.run for each in known.values()], report.run)
                if not is_current:
                    continue
                if predecessor is not None:
                    self._forget_run(organization, sensor, predecessor.instance)
                    first_ns = known[predecessor.instance].first_seen_ns
                    report = replace(report, first_seen_ns=min(first_ns, report.first_seen_ns))
                elif self._sensors >= MAX_SENSORS or len(known) >= MAX_RUNS:
                    refused += 1
                    continue
                self._sensors += 1
            self._connection.execute(
                "INSERT OR REPLACE INTO sensor VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    organization,
                    sensor,
                    instance,
                    report.first_seen_ns,
                    report.last_seen_ns,
                    report.run.stopped_ns,
                    _pack_sensor(report),
                ),
            )
        return refused

    def _runs(self, organization: str, sensor: str) -> dict[str, SensorReport]:
        """Return what is stored of a sensor, by instance."""
        rows = self._connection.execute(
            "SELECT first_seen_ns, last_seen_ns, report, instance FROM sensor"
            " WHERE organization = ? AND sensor = ?",
            (organization, sensor),
        ).fetchall()
        return {row[3]: _unpack_sensor(row[:3]) for row in rows}

    def _forget_run(self, organization: str, sensor: str, instance: str) -> None:
        self._connection.execute(
            "DELETE FROM sensor WHERE organization = ? AND sensor = ? AND instance = ?",
            (organization, sensor, instance),
        )
        self._sensors -= 1

    def _add_counters(self, **amounts: float) -> None:
        self._connection.executemany(
            "INSERT INTO counter VALUES (?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
            [(name, float(amount)) for name, amount in amounts.items() if amount and math.isfinite(amount)],
        )


def _pack_sensor(report: SensorReport) -> bytes:
    values = [(name, dict(labels), time, value) for (name, labels), (time, value) in report.values.items()]
    return msgspec.msgpack.encode(SensorState(dict(report.attributes), values, report.run))


def _unpack_sensor(row: tuple[int, int, bytes]) -> SensorReport:
    state = msgspec.msgpack.decode(row[2], type=SensorState)
    values = {
        (name, tuple(sorted(labels.items()))): (time, value) for name, labels, time, value in state.values
    }
    return SensorReport(row[0], row[1], state.attributes, values, state.run)
