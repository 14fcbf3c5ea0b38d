"""Writes what was learned, together with how far the journal was read."""

from __future__ import annotations

import contextlib
import math
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType

import msgspec

from levo.errors import LevoError
from levo.satellite.learn import (
    Application,
    NameRule,
    Override,
    PathState,
    Run,
    Scope,
    SensorReport,
    State,
    TemplateDecision,
    decide_templates,
    follow_sensor,
    runs_before,
)
from levo.satellite.learn.decisions import rules_version
from levo.satellite.learn.schema import DamagedKnowledge
from levo.satellite.learn.sensors import NO_REPORT, SILENT_NS, is_skewed
from levo.satellite.learn.trace import CLOCK_TOLERANCE_NS, NOT_SET_NS
from levo.satellite.learn.traffic import MINUTE_S
from levo.satellite.queue import Position
from levo.satellite.store.endpoints import EndpointTable
from levo.satellite.store.hosts import Admission, HostBook, Limits
from levo.satellite.store.names import NameTable
from levo.satellite.store.paths import NOTHING_SAID, UNDECIDED, PathTable, read_overrides, read_words
from levo.satellite.store.places import SCOPE, PlaceTable, Removed
from levo.satellite.store.retention import DAY_S, HOUR_S, Retention, kept_since_ns, note_steps
from levo.satellite.store.schema import open_for_writing
from levo.satellite.store.sensitive import SensitiveTable
from levo.satellite.store.storage import (
    drop_oldest_changes,
    drop_oldest_steps,
    give_back,
    note_size,
    stored_bytes,
)
from levo.satellite.store.traffic import prune_traffic
from levo.satellite.store.userdata.database import USERDATA_NAME
from levo.satellite.store.userdata.decisions import rename_hosts
from levo.satellite.store.userdata.removals import read_removals

IN_FULL = Limits(hosts=1 << 30, places=100_000, name_hosts=True)
"""What a user's own file is learned with."""
OCTETS_IN_MEMORY = 12
"""Octets of memory that the paths of a host take for each octet that they are stored in."""
MAX_SENSORS = 10_000
MAX_RUNS = 64
"""Runs kept of one sensor id that overlap."""
_STEPS_AT_ONCE = 10
MAX_DELIVERIES = 20_000
"""Deliveries remembered, so that one that comes again changes nothing."""


Decide = Callable[
    [Mapping[Scope, PathState], Callable[[Scope], Sequence[Override]]], Mapping[Scope, TemplateDecision]
]
"""Given pending hosts with their paths, and what people say about each, decides on those that are due."""


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
    reported: tuple[int, int] = (0, 0)
    cut: int = 0
    skews: tuple[tuple[int, int, int], ...] = ()
    """As in :class:`SensorReport`."""


class CatalogWriter:
    """The one writer of a catalog. Not thread-safe.

    Counts add to what is stored, so a state may be committed once only; the position in the same transaction
    is what makes sure of that over a crash.
    """

    def __init__(
        self,
        path: Path,
        *,
        key: bytes = b"levo",
        names: NameRule | None = None,
        limits: Limits = IN_FULL,
        memory_octets: int = 1 << 62,
    ) -> None:
        """Open or make the database at *path*; *key* hashes what is kept of values.

        *names* says what proves a name; without it every name is one.

        *memory_octets*: about how much the paths of hosts may take in memory.

        Raises:
            LevoError: the file cannot be used.
        """
        self._path = path
        self._userdata = path.with_name(USERDATA_NAME)
        self._connection = open_for_writing(path)
        self._names = NameTable(self._connection, key, names or NameRule(1, 1))
        if names is not None:
            self._names.start()
        self._limits = limits
        self._memory_octets = memory_octets
        self._places = PlaceTable(self._connection, limits.places, self._names)
        self._endpoints = EndpointTable(self._connection, self._places, self._names)
        self._sensitive = SensitiveTable(self._connection, key)
        self._key = key
        self._decisions: dict[Scope, TemplateDecision] = {}
        (self._sensors,) = self._connection.execute("SELECT count(*) FROM sensor").fetchone()

    @cached_property
    def _paths(self) -> PathTable:
        """Read when first asked for: whoever only opens a catalog needs none of it."""
        return PathTable(self._connection, self._key, self._memory_octets // OCTETS_IN_MEMORY)

    @cached_property
    def _hosts(self) -> HostBook:
        return HostBook(self._paths, self._key, self._limits)

    def paths_of(self, scope: Scope) -> PathState | None:
        """Return what is known of the paths of a host, under whatever name it is stored."""
        return self._paths.known.get(self._hosts.stored(scope))

    @property
    def paths(self) -> Mapping[Scope, PathState]:
        """What is known of the paths of each host."""
        return self._paths.known

    def known_names(self, application: Application) -> Set[str]:
        """Return the names of an application that are proven; it grows with them."""
        return self._names.known(application)

    @property
    def pending(self) -> Set[Scope]:
        """Hosts that have learned something since the last decision on their templates."""
        return self._paths.pending

    def decide_again(self) -> str:
        """Make all hosts pending if they were decided by other rules than those of this release.

        Returns:
            The rules that they were decided by, empty if nothing has to be decided anew.
        """
        row = self._connection.execute("SELECT value FROM fact WHERE name = 'rules'").fetchone()
        if row is not None and row[0] == rules_version():
            return ""
        if row is None:
            # Earlier versions stored the paths of busy hosts now and then only, and a crash lost some.
            for scope, method, place, traces, statuses in self._places.proven():
                self._paths.of(scope).restore(place, method, traces, statuses)
        self._paths.pending.update(self._paths.hosts)
        return (row[0] if row is not None else "an earlier version") if self._paths.hosts else ""

    def listen(self) -> None:
        """Make pending the hosts about which people say something else than when they were decided on.

        Raises:
            LevoError: what they say cannot be read.
        """
        try:
            self._rename_decided_hosts()  # what was decided while a host got its name
            self._paths.listen(self._words(self._paths.hosts))
            self._remove_what_people_said()
        except sqlite3.Error as error:
            raise LevoError(f"{self._userdata}: cannot be read: {error}") from error
        self._describe()

    def _describe(self) -> None:
        """Take the names of uploaded descriptions for proven."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for application in self._names.describe():
                settled = self._names.of(application).settled
                for scope in self._paths.settle(application, settled, all_of_them=False):
                    self._paths.save(scope, None, decided=UNDECIDED)
            self._connection.execute("COMMIT")
        except BaseException as error:
            try:
                self._take_back(error)
            finally:
                self._names.forget()
                self._read_again()
            raise
        self._paths.stored()

    def _words(self, scopes: Iterable[Scope]) -> dict[Scope, int]:
        return read_words(self._connection, self._userdata, scopes)

    def checkpoint(self) -> Commit:
        """Return the last commit."""
        row = self._connection.execute("SELECT revision, segment, offset FROM checkpoint").fetchone()
        return Commit(row[0], Position(row[1], row[2]))

    def overrides(self, scope: Scope) -> tuple[Override, ...]:
        """Return what uploaded descriptions and users say about the paths of *scope*; users come last."""
        return read_overrides(self._connection, self._userdata, scope)

    def agreed_ns(self) -> int:
        """Return when the clock of a sender agreed with ours last, as of the last commit; 0 if never."""
        row = self._connection.execute("SELECT value FROM fact WHERE name = 'agreed'").fetchone()
        return 0 if row is None else int(row[0])

    def is_known(self, digest: bytes) -> bool:
        """Whether a delivery of this digest was committed before."""
        row = self._connection.execute("SELECT 1 FROM delivery WHERE digest = ?", (digest,)).fetchone()
        return row is not None

    def commit(
        self,
        delta: State,
        position: Position,
        *,
        decide: Decide | None = None,
        deliveries: Iterable[bytes] = (),
        agreed_ns: int = 0,
    ) -> Commit:
        """Add *delta* to the catalog and move the checkpoint to *position*, both or neither, durably.

        *decide* chooses the hosts that are decided on now and decides (None: on all that are pending), and
        *deliveries* are the digests of what was learned from, and *agreed_ns* is remembered (see
        :meth:`agreed_ns`). The places of *delta* are stored as they are;
        what depends on decisions is worked out anew for the hosts that are decided on.

        Raises:
            LevoError: nothing was changed; the disk or the file refuses.
        """
        connection = self._connection
        sensors = self._sensors
        admission = self._hosts.admit(delta)
        delta = admission.delta
        touched, decided, renamed = set(delta.paths), set[Scope](), set[Scope]()
        try:
            connection.execute("BEGIN IMMEDIATE")
            made_room = self._rearrange(admission)
            for application in self._names.add(delta.names):
                proven = self._names.of(application.key)
                all_of_them = application.is_withdrawn
                renamed |= self._paths.settle(application.key, proven.settled, all_of_them=all_of_them)
            touched |= renamed
            for scope, paths in delta.paths.items():
                names = delta.names.get(scope.application_key)
                is_named = names is not None and names.has_operations
                settled = self._names.of(scope.application_key).settled if is_named else None
                self._paths.learn(scope, paths, settled)
            pending = {scope: self._paths.known[scope] for scope in sorted(self._paths.pending)}
            words: dict[Scope, int] = {}

            def overrides(scope: Scope) -> tuple[Override, ...]:
                if not words:
                    # Read before what is decided by: a word that comes in between is noticed later.
                    words.update(dict.fromkeys(pending, NOTHING_SAID))
                    words.update(self._words(pending))
                return self.overrides(scope)

            decisions = (decide or self._decide_all)(pending, overrides)
            self._decisions.update(decisions)
            decided.update(decisions)
            noise = -made_room.noise
            for scope, decision in decisions.items():
                noise += self._endpoints.follow(scope, decision, self._paths.known[scope])
            added = self._endpoints.add(delta, self._paths.known, self._decisions)
            for scope in sorted(touched | decided):
                word = words.get(scope, NOTHING_SAID) if scope in decided else UNDECIDED
                new = None if scope in renamed else delta.paths.get(scope)
                self._paths.save(scope, new, decided=word)
            note_steps(connection, delta)
            refused_sensors, displaced_sensors = self._add_sensors(delta.sensors.items())
            self._add_counters(
                learned_traces=delta.traces,
                learned_exchanges=delta.exchanges,
                ignored_spans=delta.ignored_spans,
                unreadable_records=delta.unreadable_records,
                duplicate_spans=delta.duplicate_spans,
                duplicate_deliveries=delta.duplicate_deliveries,
                endpoint_limit_exchanges=added.refused,
                absent_limit_exchanges=added.unproven,
                displaced_exchanges=added.displaced + made_room.exchanges,
                host_limit_exchanges=admission.shared,
                noise_exchanges=noise + added.noise,
                sensor_limit_reports=refused_sensors,
                displaced_sensors=displaced_sensors,
                unknown_path_exchanges=delta.unknown_path_exchanges,
                unproven_names_dropped=self._names.take_dropped(),
            )
            self._add_deliveries(deliveries)
            self._note_facts(agreed_ns, all_decided=not self._paths.pending - decisions.keys())
            changed = not delta.is_empty or bool(decisions)
            connection.execute(
                "UPDATE checkpoint SET segment = ?, offset = ?, revision = revision + ?",
                (position.segment, position.offset, changed),
            )
            told = {scope.organization for scope in (*delta.paths, *decisions)}
            self._tell_organizations(told | {name for name, *_ in delta.sensors})
            result = self.checkpoint()
            connection.execute("COMMIT")
        except BaseException as error:
            self._sensors = sensors
            try:
                self._take_back(error)
            finally:
                self._places.forget()
                self._names.forget()
                if admission.named or admission.displaced:
                    self._read_again()
                else:
                    for scope in touched | decided:
                        self._paths.reload(scope)
            raise
        self._paths.pending.difference_update(decisions)
        self._paths.stored()
        return result

    def look(self, most: int | None = None) -> Commit | None:
        """Find the sensitive data of endpoints that have learned much since they were last looked at.

        *most* endpoints at once, None for all. Costs 0.3 ms of CPU time for each.

        Returns:
            The commit, None if there was nothing to look at.

        Raises:
            LevoError: nothing was changed; the disk or the file refuses.
        """
        connection = self._connection
        sensitive = self._sensitive
        try:
            all_looked = sensitive.start_over_if_rules_changed()
            due = sensitive.due(-1 if most is None else most)
            if all_looked and not due:
                return None
            connection.execute("BEGIN IMMEDIATE")
            told = sensitive.look(due)
            if len(due) != most and sensitive.note_all_looked():
                told.update(name for (name,) in connection.execute("SELECT name FROM organization"))
            connection.execute("UPDATE checkpoint SET revision = revision + ?", (bool(told),))
            self._tell_organizations(told)
            result = self.checkpoint()
            connection.execute("COMMIT")
        except BaseException as error:
            sensitive.forget()
            self._take_back(error)
            raise
        return result

    def _read_again(self) -> None:
        """Forget what is in memory, after a transaction that was taken back."""
        self.__dict__.pop("_paths", None)
        self.__dict__.pop("_hosts", None)

    def _change(self, change: Callable[[], Removed]) -> Removed:
        """Delete something in a transaction of its own; count it.

        Raises:
            LevoError: nothing was changed.
        """
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            gone = change()
            self._add_counters(removed_exchanges=gone.exchanges, noise_exchanges=-gone.noise)
            connection.execute("UPDATE checkpoint SET revision = revision + 1")
            connection.execute("UPDATE organization SET revision = (SELECT revision FROM checkpoint)")
            connection.execute("COMMIT")
        except BaseException as error:
            try:
                self._take_back(error)
            finally:
                self._places.forget()
                self._names.forget()
                self._read_again()
            raise
        return gone

    def _rename_decided_hosts(self) -> None:
        rename_hosts(self._userdata, lambda host: self._hosts.called(Scope(*host)))

    def _remove_what_people_said(self) -> None:
        """Delete the endpoints and hosts that people have deleted since this was asked last."""
        row = self._connection.execute("SELECT value FROM fact WHERE name = 'removals'").fetchone()
        for number, scope, method, template in read_removals(self._userdata, int(row[0]) if row else 0):
            self._change(
                partial(self._remove_one, number, self._hosts.called(Scope(*scope)), method, template)
            )

    def _remove_one(self, number: int, scope: Scope, method: str, template: str) -> Removed:
        execute = self._connection.execute
        execute("INSERT OR REPLACE INTO fact VALUES ('removals', ?)", (str(number),))
        if not method:
            return self._forget_host(scope)
        found = execute(
            f"SELECT id FROM endpoint WHERE {SCOPE} AND method = ? AND anonymous(template) = ?",
            (*scope, method, template),
        ).fetchone()
        if found is None:
            return Removed()
        keys = [key for (key,) in execute("SELECT path_key FROM place WHERE endpoint = ?", found)]
        gone = self._endpoints.remove_endpoint(*found)
        if scope in self._paths.hosts:
            for key in keys:
                self._paths.known[scope].remove(key, method)
            self._paths.save(scope, None, decided=UNDECIDED)
            self._paths.pending.add(scope)
        return gone

    def _remove_empty_hosts(self) -> None:
        """Forget the paths of hosts of which no place is stored any more."""
        stored = {
            Scope(*row)
            for row in self._connection.execute(
                "SELECT DISTINCT organization, environment, application, host FROM place"
            )
        }
        for scope in self._paths.hosts.keys() - stored - self._paths.pending:
            self._change(partial(self._forget_host, scope))

    def _rearrange(self, admission: Admission) -> Removed:
        """Give hosts the names that they have earned, and delete those that make room."""
        for scope, name in admission.named:
            self._paths.rename(scope, name)
            self._endpoints.rename_host(scope, name.host)
            self._decisions.pop(scope, None)
        if admission.named:
            # Before it is read what people say. If this commit fails, the next one gives the same names.
            self._rename_decided_hosts()
        exchanges = noise = 0.0
        for scope in admission.displaced:
            gone = self._remove_host(scope)  # the host that gets the room is of the same application
            exchanges, noise = exchanges + gone.exchanges, noise + gone.noise
        return Removed(exchanges, noise)

    def _forget_host(self, scope: Scope) -> Removed:
        """Delete all that is known of a host, and with an application's last one the application's names."""
        gone = self._remove_host(scope)
        self._names.remove_if_gone(scope.application_key)
        return gone

    def _remove_host(self, scope: Scope) -> Removed:
        self._paths.remove(scope)
        self._decisions.pop(scope, None)
        return self._endpoints.remove_host(scope)

    @staticmethod
    def _decide_all(
        pending: Mapping[Scope, PathState], overrides: Callable[[Scope], Sequence[Override]]
    ) -> dict[Scope, TemplateDecision]:
        return {scope: decide_templates(paths, overrides(scope)) for scope, paths in pending.items()}

    def _take_back(self, error: BaseException) -> None:
        """Undo the transaction that *error* ended; raise LevoError if the disk or the file is the reason."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        if isinstance(error, sqlite3.Error):
            raise LevoError(f"{self._path}: cannot be written: {error}") from error
        if isinstance(error, DamagedKnowledge):
            raise LevoError(f"{self._path}: {error}") from error

    def _tell_organizations(self, changed: Iterable[str]) -> None:
        self._connection.executemany(
            "INSERT INTO organization (name, revision) VALUES (?, (SELECT revision FROM checkpoint))"
            " ON CONFLICT DO UPDATE SET revision = excluded.revision",
            [(name,) for name in sorted(changed)],
        )

    def _note_facts(self, agreed_ns: int, *, all_decided: bool) -> None:
        facts = {"agreed": str(agreed_ns)} if agreed_ns else {}
        if all_decided:
            facts["rules"] = rules_version()
        self._connection.executemany("INSERT OR REPLACE INTO fact VALUES (?, ?)", facts.items())

    def _add_deliveries(self, digests: Iterable[bytes]) -> None:
        (number,) = self._connection.execute("SELECT ifnull(max(number), 0) FROM delivery").fetchone()
        self._connection.executemany(
            "INSERT OR IGNORE INTO delivery VALUES (?, ?)",
            [(digest, number + place) for place, digest in enumerate(digests, start=1)],
        )
        self._connection.execute("DELETE FROM delivery WHERE number <= ?", (number - MAX_DELIVERIES,))

    def prune(self, now_ns: int, retention: Retention | None = None, *, is_right: bool = False) -> int:
        """Delete rollups that are older than they are kept, and old pages; return how many.

        With a *retention*, what was not seen for so long goes, too. If *now_ns* *is_right*, what is said to
        have been seen later was learned while a clock was ahead, and was seen by now.
        """
        if is_right:
            self._change(lambda: self._take_back_the_future(now_ns))
        self._endpoints.prune_events()
        self._endpoints.prune_redirects()
        if retention is not None:
            since_ns = kept_since_ns(self._connection, retention.changes_ns, now_ns)
            self._connection.execute(
                "DELETE FROM event WHERE time_ns < ? AND kind != 'endpoint'", (since_ns,)
            )
            self._change(
                lambda: self._endpoints.remove_unseen(now_ns, retention.endpoints_ns, retention.unproven_ns)
            )
            self._remove_empty_hosts()
            self._expire_sensors(now_ns, retention)
        kept = retention or Retention()
        pruned = prune_traffic(self._connection, kept.rollups_s(), now_ns // 1_000_000_000)
        note_size(self._connection, now_ns // 1_000_000_000)
        give_back(self._connection, self._path)
        self._empty_log()
        return pruned

    def keep_within(self, most_bytes: int) -> dict[str, int]:
        """Delete until what is kept takes at most *most_bytes*, the least worth first; return what went.

        In this order, each as far as it goes before the next: traffic by the minute but the last hour, paths
        that were only refused, traffic by the hour but the last two days, changes, traffic by the day but
        the last month, endpoints that were not seen for longest. At most some steps at once: each takes a
        quarter of a kind, of endpoints a 20th.
        """
        connection = self._connection
        steps: tuple[tuple[str, Callable[[], int]], ...] = (
            ("rollups by the minute", lambda: drop_oldest_steps(connection, MINUTE_S, 60)),
            ("refused paths", lambda: self._give_up_places(4, with_endpoint=False)),
            ("rollups by the hour", lambda: drop_oldest_steps(connection, HOUR_S, 48)),
            ("changes", lambda: drop_oldest_changes(connection)),
            ("rollups by the day", lambda: drop_oldest_steps(connection, DAY_S, 30)),
            ("endpoints", lambda: self._give_up_places(20, with_endpoint=True)),
        )
        gone: Counter[str] = Counter()
        left = _STEPS_AT_ONCE
        for what, step in steps:
            while left and stored_bytes(connection) > most_bytes and (rows := step()):
                gone[what] += rows
                left -= 1
        if gone:
            self._remove_empty_hosts()
            self._add_counters(given_up_rows=gone.total())
            give_back(connection, self._path)
            self._empty_log()
        return dict(gone)

    def _give_up_places(self, part: int, *, with_endpoint: bool) -> int:
        """Delete one in *part* of the places of endpoints, or of none; return how many."""
        remove = partial(self._endpoints.remove_longest_unseen, part, with_endpoint=with_endpoint)
        return self._change(remove).places

    def _take_back_the_future(self, now_ns: int) -> Removed:
        """Note that nothing was seen after *now_ns*, nor before the clock was set for the first time."""
        late_ns = now_ns + CLOCK_TOLERANCE_NS
        for table in ("place", "endpoint", "sensor"):
            self._connection.execute(
                f"UPDATE {table} SET first_seen_ns = min(first_seen_ns, ?1), last_seen_ns = ?1"
                " WHERE last_seen_ns > ?2",
                (now_ns, late_ns),
            )
            self._connection.execute(
                f"UPDATE {table} SET first_seen_ns = last_seen_ns WHERE first_seen_ns = ?", (NOT_SET_NS,)
            )
        self._connection.execute("UPDATE event SET time_ns = ? WHERE time_ns > ?", (now_ns, late_ns))
        return Removed()

    def _expire_sensors(self, now_ns: int, retention: Retention) -> None:
        """Delete the sensors that stopped, or were last heard, longer ago than they are kept."""
        connection = self._connection
        gone = 0
        for is_open, kept_ns in ((0, retention.stopped_sensors_ns), (1, retention.sensors_ns)):
            since_ns = kept_since_ns(connection, kept_ns, now_ns)
            if since_ns is not None:
                gone += connection.execute(
                    "DELETE FROM sensor WHERE (stopped_ns = 0) = ? AND last_seen_ns < ?", (is_open, since_ns)
                ).rowcount
        if gone:
            self._sensors -= gone
            self._add_counters(expired_sensors=gone)

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

    def _add_sensors(self, reports: Iterable[tuple[tuple[str, str, str], SensorReport]]) -> tuple[int, int]:
        """Return the reports of sensors that found no room, and the sensors that made room."""
        refused = displaced = 0
        for (organization, sensor, instance), report in reports:
            known = self._runs(organization, sensor)
            mine = known.pop(instance, None)
            if mine is not None:
                report = follow_sensor(mine, report)
            elif report.reported == NO_REPORT and any(is_skewed(each) for each in known.values()):
                continue  # its times would be compared with those of another clock; its metrics will tell
            else:
                is_current, predecessor = runs_before([each.run for each in known.values()], report.run)
                if not is_current:
                    continue
                if predecessor is not None:
                    self._forget_run(organization, sensor, predecessor.instance)
                    first_ns = known[predecessor.instance].first_seen_ns
                    report = replace(report, first_seen_ns=min(first_ns, report.first_seen_ns))
                elif len(known) >= MAX_RUNS:
                    refused += 1
                    continue
                elif self._sensors >= MAX_SENSORS:
                    if not self._forget_longest_silent(report.last_seen_ns):
                        refused += 1
                        continue
                    displaced += 1
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
        return refused, displaced

    def _forget_longest_silent(self, now_ns: int) -> bool:
        """Make room for a sensor: one that stopped goes first, else the one that has been silent longest.

        Return whether there was one. One that reports does not go.
        """
        row = self._connection.execute(
            "SELECT organization, sensor, instance, stopped_ns, last_seen_ns FROM sensor"
            " ORDER BY stopped_ns = 0, last_seen_ns LIMIT 1"
        ).fetchone()
        if row is None or (not row[3] and now_ns - row[4] <= SILENT_NS):
            return False
        self._forget_run(*row[:3])
        return True

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
    state = SensorState(
        dict(report.attributes), values, report.run, report.reported, report.cut, report.skews
    )
    return msgspec.msgpack.encode(state)


def _unpack_sensor(row: tuple[int, int, bytes]) -> SensorReport:
    state = msgspec.msgpack.decode(row[2], type=SensorState)
    values = {
        (name, tuple(sorted(labels.items()))): (time, value) for name, labels, time, value in state.values
    }
    return SensorReport(
        row[0], row[1], state.attributes, values, state.run, state.reported, state.cut, state.skews
    )
