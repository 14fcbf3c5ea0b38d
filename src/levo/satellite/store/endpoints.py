"""The endpoints: the places that a decision puts together. A read model, made of places and decisions only.

It can be thrown away and made again from the places. What can not is what has happened to it: numbers of
endpoints, which links and alerts use, redirects from numbers that are gone, and the events.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from levo.satellite.learn import (
    Assignment,
    EndpointFacts,
    PathState,
    Scope,
    State,
    TemplateDecision,
    undecided,
)
from levo.satellite.learn.access import pack_access
from levo.satellite.learn.paths.operation_names import settle_place
from levo.satellite.learn.paths.state import Located
from levo.satellite.learn.schema import unpack_knowledge
from levo.satellite.learn.traffic import TrafficByMinute, merge_traffic
from levo.satellite.store.changes import changes
from levo.satellite.store.names import NameTable
from levo.satellite.store.places import (
    SCOPE,
    PlaceContents,
    PlaceRow,
    PlaceTable,
    Removed,
    is_proven,
    read_knowledge,
)
from levo.satellite.store.retention import kept_since_ns
from levo.satellite.store.traffic import (
    WHOLE_CATALOG,
    add_traffic,
    count_traffic,
    uncount_traffic,
    whole_of,
)

MAX_EVENTS = 100_000
MAX_REDIRECTS = 100_000
_SIBLINGS = 8
"""Places of an endpoint that are asked whether something is news, those with most traces."""

Name = tuple[str, str]
"""Method and template."""


@dataclass(slots=True)
class Added:
    """What became of the exchanges of a delta."""

    noise: float = 0.0
    """Belong to no endpoint (as yet)."""
    refused: float = 0.0
    """Were left out, as there is no room for more places."""
    unproven: float = 0.0
    """Made room for others, as there is none for more places that nothing proves; they are noise, too."""
    displaced: float = 0.0
    """Had been learned, and made room for others."""


@dataclass(slots=True)
class _Rows:
    """The endpoints of one host while a decision is applied."""

    by_name: dict[Name, int]
    shown: dict[int, tuple[str, float]]
    taken: set[int] = field(default_factory=set)
    moved: dict[int, Counter[int]] = field(default_factory=dict)
    """By endpoint: where its exchanges went."""
    changed: set[int] = field(default_factory=set)
    noise: float = 0.0
    """By how much the exchanges that belong to no endpoint grew."""

    def successor(self, endpoint: int) -> int:
        """Return the endpoint that got most of what *endpoint* had, 0 if none did."""
        seen = {0}
        while endpoint not in seen and endpoint not in self.taken:
            seen.add(endpoint)
            moved = self.moved.get(endpoint, Counter())
            endpoint = max(moved, key=lambda each: (moved[each], -each), default=0)
        return endpoint if endpoint in self.taken else 0


class EndpointTable:
    """Keeps endpoints in step with places and decisions, within the writer's transaction."""

    def __init__(self, connection: sqlite3.Connection, places: PlaceTable, names: NameTable) -> None:
        self._connection = connection
        self._names = names
        self._places = places

    def add(
        self, delta: State, paths: Mapping[Scope, PathState], decisions: Mapping[Scope, TemplateDecision]
    ) -> Added:
        """Add the facts of *delta* to their places and endpoints."""
        added = Added()
        by_organization: dict[str, TrafficByMinute] = {}
        for (scope, method, _), (facts, at) in self._by_place(delta, paths).items():
            if self._add_place(scope, method, at, facts, decisions.get(scope), added):
                merge_traffic(by_organization.setdefault(scope.organization, {}), facts.traffic)
        for organization, traffic in by_organization.items():
            add_traffic(self._connection, WHOLE_CATALOG, traffic)
            add_traffic(self._connection, whole_of(self._connection, organization), traffic)
        return added

    def _by_place(
        self, delta: State, paths: Mapping[Scope, PathState]
    ) -> dict[tuple[Scope, str, str], tuple[EndpointFacts, Located]]:
        """Return the facts of *delta*, which is not changed, by the places where they are kept."""
        found: dict[tuple[Scope, str, str], tuple[EndpointFacts, Located]] = {}
        own: set[tuple[Scope, str, str]] = set()
        for key, facts in delta.endpoints.items():
            scope = key.scope
            place = key.place
            if "/#" in place and scope.application_key in delta.names:
                place = settle_place(place, self._names.of(scope.application_key).settled)
            at = paths[scope].locate(place, key.method)
            name = (scope, key.method, at.key)
            known = found.get(name)
            if known is None:
                found[name] = (facts, at)
            else:
                if name not in own:
                    own.add(name)
                    both = EndpointFacts()
                    both.add(known[0])
                    known = found[name] = (both, at)
                known[0].add(facts)
        return found

    def _add_place(
        self,
        scope: Scope,
        method: str,
        at: Located,
        facts: EndpointFacts,
        decision: TemplateDecision | None,
        added: Added,
    ) -> bool:
        """Return whether *facts* belong to an endpoint now."""
        row = self._places.find(scope, method, at.key)
        unproven = at.like != at.key
        if row is None and unproven and not self._places.has_room_unproven(scope):
            added.unproven += self._removed(self._places.make_room_unproven(scope)).exchanges
        proven = is_proven(facts.statuses) or (row is not None and row.proven)
        wanted = _assign(method, at, decision, proven=proven)
        if row is None and self._places.is_full(scope):
            gone = self._removed(self._places.make_room(scope))
            added.displaced += gone.exchanges
            added.noise -= gone.noise
            if self._places.is_full(scope):
                added.refused += facts.exchanges
                return False
        endpoint = before = 0 if row is None else row.endpoint
        if wanted is None:
            added.noise += 0.0 if before else facts.exchanges
        else:
            endpoint = self._endpoint(scope, method, wanted, facts, is_news=before == 0)
        if row is None:
            self._places.insert(scope, method, at.key, endpoint, facts, unproven=unproven)
        else:
            if row.unproven and not unproven:
                self._places.rename(row, at.key, unproven=False)
            if endpoint and not before:
                count_traffic(self._connection, row.id, scope.organization)
                added.noise -= row.exchanges
            self._add_known(row, endpoint, facts)
            if endpoint != before:
                self._places.assign(row, endpoint)
                for each in {before, endpoint} - {0}:
                    self._rebuild(each)
                return endpoint != 0
        if endpoint:
            self._count(endpoint, facts)
        return endpoint != 0

    def _add_known(self, row: PlaceContents, endpoint: int, facts: EndpointFacts) -> None:
        known = unpack_knowledge(row.knowledge)
        if not endpoint or known.names_all_of(facts.knowledge):  # nearly always
            self._places.add(row, facts, known)
            return
        before = unpack_knowledge(row.knowledge)
        if self._has_others(endpoint, row.id):
            before = read_knowledge(self._connection, endpoint, _SIBLINGS)
        # After it was settled what may be told: a name that is not proven is no news.
        self._places.add(row, facts, known)
        for kind, detail in changes(before, known):
            self._event(endpoint, facts.last_seen_ns, kind, detail)

    def _has_others(self, endpoint: int, place: int) -> bool:
        found = self._connection.execute(
            "SELECT 1 FROM place WHERE endpoint = ? AND id != ? LIMIT 1", (endpoint, place)
        ).fetchone()
        return found is not None

    def follow(self, scope: Scope, decision: TemplateDecision, paths: PathState) -> float:
        """Bring places and endpoints of *scope* to *decision*; return by how much the noise grew."""
        execute = self._connection.execute
        rows = _Rows({}, {})
        for identity, method, template, path, confidence in execute(
            "SELECT id, method, template, path, confidence FROM endpoint"
            " WHERE organization = ? AND environment = ? AND application = ? AND host = ? ORDER BY id",
            scope,
        ).fetchall():
            rows.by_name[method, template] = identity
            rows.shown[identity] = (path, confidence)
        wanted: dict[Name, tuple[Assignment, list[PlaceRow]]] = {}
        for row, at in self._located(scope, paths, rows):
            found = _assign(row.method, at, decision, row=row)
            if found is not None:
                wanted.setdefault((row.method, found.template), (found, []))[1].append(row)
            elif row.endpoint:
                uncount_traffic(self._connection, row.id, scope.organization)
                rows.noise += row.exchanges
                rows.changed.add(row.endpoint)
                self._places.assign(row, 0)
        rows.taken.update(rows.by_name[name] for name in wanted if name in rows.by_name)
        for name, (assignment, group) in sorted(wanted.items(), key=lambda item: item[0]):
            endpoint = self._place_together(scope, name, assignment, group, rows)
            for row in group:
                if not row.endpoint:
                    count_traffic(self._connection, row.id, scope.organization)
                    rows.noise -= row.exchanges
                if row.endpoint != endpoint:
                    rows.changed |= {row.endpoint, endpoint}
                    rows.moved.setdefault(row.endpoint, Counter())[endpoint] += max(1, round(row.exchanges))
                    self._places.assign(row, endpoint)
        for endpoint in rows.shown.keys() - rows.taken:
            self._remove(endpoint, rows.successor(endpoint))
        for endpoint in sorted(rows.changed & rows.taken):
            self._rebuild(endpoint)
        return rows.noise

    def _located(self, scope: Scope, paths: PathState, rows: _Rows) -> Iterable[tuple[PlaceRow, Located]]:
        """Return the places of *scope* under the keys that they have by now."""
        found: dict[tuple[str, str], tuple[PlaceRow, Located]] = {}
        for row in self._places.of(scope):
            place = settle_place(row.place, self._names.of(scope.application_key).settled)
            at = paths.locate(place, row.method)
            known = found.get((row.method, at.key))
            if known is not None:
                self._join(scope, row, known[0], rows)
                continue
            if at.key != row.place or row.unproven != (at.like != at.key):
                self._places.rename(row, at.key, unproven=at.like != at.key)
            found[row.method, at.key] = (row, at)
        return found.values()

    def _join(self, scope: Scope, row: PlaceRow, target: PlaceRow, rows: _Rows) -> None:
        """Give everything of *row* to *target*, which has the same key by now."""
        rows.changed |= {row.endpoint, target.endpoint}
        if row.endpoint and not target.endpoint:
            count_traffic(self._connection, target.id, scope.organization)
            rows.noise -= target.exchanges
            self._places.assign(target, row.endpoint)
        elif target.endpoint and not row.endpoint:
            count_traffic(self._connection, row.id, scope.organization)
            rows.noise -= row.exchanges
        elif row.endpoint != target.endpoint:
            rows.moved.setdefault(row.endpoint, Counter())[target.endpoint] += max(1, round(row.exchanges))
        self._places.merge(row, target)

    def _place_together(
        self, scope: Scope, name: Name, assignment: Assignment, group: list[PlaceRow], rows: _Rows
    ) -> int:
        """Return the endpoint of *group*: the one of that name, else one that becomes it, else a new one."""
        method, template = name
        endpoint = rows.by_name.get(name)
        if endpoint is None:
            free: Counter[int] = Counter()
            for row in group:
                if row.endpoint and row.endpoint not in rows.taken:
                    free[row.endpoint] += max(1, round(row.exchanges))
            if free:
                endpoint = max(free, key=lambda each: (free[each], -each))
                self._connection.execute(
                    "UPDATE endpoint SET template = ? WHERE id = ?", (template, endpoint)
                )
            else:
                facts = EndpointFacts()
                endpoint = self._insert(scope, method, assignment, facts)
                if not any(row.endpoint for row in group):
                    rows.changed.add(endpoint)
                    self._event(endpoint, 0, "endpoint", f"{method} {assignment.path}")
            rows.taken.add(endpoint)
        shown = (assignment.path, assignment.confidence)
        if rows.shown.get(endpoint) != shown:
            self._connection.execute(
                "UPDATE endpoint SET path = ?, confidence = ? WHERE id = ?", (*shown, endpoint)
            )
            self._connection.execute(
                "UPDATE event SET detail = ? WHERE endpoint = ? AND kind = 'endpoint'",
                (f"{method} {assignment.path}", endpoint),
            )
        return endpoint

    def _endpoint(
        self, scope: Scope, method: str, assignment: Assignment, facts: EndpointFacts, *, is_news: bool
    ) -> int:
        """Return the endpoint of a template, made if need be."""
        row = self._connection.execute(
            "SELECT id FROM endpoint WHERE organization = ? AND environment = ? AND application = ?"
            " AND host = ? AND method = ? AND template = ?",
            (*scope, method, assignment.template),
        ).fetchone()
        if row is not None:
            return int(row[0])
        identity = self._insert(scope, method, assignment, facts)
        if is_news:
            self._event(identity, facts.first_seen_ns, "endpoint", f"{method} {assignment.path}")
        return identity

    def _insert(self, scope: Scope, method: str, assignment: Assignment, facts: EndpointFacts) -> int:
        """An id is never given twice: alerts, links and redirects name endpoints by it."""
        row = self._connection.execute(
            "INSERT INTO endpoint (id, traces, exchanges, first_seen_ns, last_seen_ns, organization,"
            " environment, application, host, method, template, path, confidence)"
            " VALUES (1 + max((SELECT ifnull(max(id), 0) FROM endpoint),"
            " (SELECT ifnull(max(old_endpoint), 0) FROM endpoint_redirect)),0,0,?,?,?,?,?,?,?,?,?,?)"
            " RETURNING id",
            (
                facts.first_seen_ns,
                facts.last_seen_ns,
                *scope,
                method,
                assignment.template,
                assignment.path,
                assignment.confidence,
            ),
        ).fetchone()
        return int(row[0])

    def _count(self, endpoint: int, facts: EndpointFacts) -> None:
        """Add *facts* to the figures of an endpoint."""
        execute = self._connection.execute
        execute(
            "UPDATE endpoint SET traces = traces + ?, exchanges = exchanges + ?,"
            " callers = joined_callers(callers, ?), access = joined_access(access, ?),"
            " schemes = schemes | ?, first_seen_ns = min(first_seen_ns, ?),"
            " last_seen_ns = max(last_seen_ns, ?) WHERE id = ?",
            (
                facts.traces,
                facts.exchanges,
                facts.callers.registers,
                pack_access(facts.access),
                facts.schemes,
                facts.first_seen_ns,
                facts.last_seen_ns,
                endpoint,
            ),
        )
        self._connection.executemany(
            "INSERT INTO endpoint_status VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET exchanges = exchanges + excluded.exchanges",
            [(endpoint, status, exchanges) for status, exchanges in facts.statuses.items()],
        )

    def _rebuild(self, endpoint: int) -> None:
        """Work out the figures of an endpoint from its places."""
        total = self._places.joined(endpoint)
        if not total.traces:
            self._remove(endpoint, 0)
            return
        self._connection.execute(
            "UPDATE endpoint SET traces = 0, exchanges = 0, callers = x'', access = x'', schemes = 0,"
            " first_seen_ns = ?,"
            " last_seen_ns = ?, looked_traces = 0 WHERE id = ?",
            (total.first_seen_ns, total.last_seen_ns, endpoint),
        )
        self._connection.execute("DELETE FROM endpoint_status WHERE endpoint = ?", (endpoint,))
        self._count(endpoint, total)
        self._connection.execute(
            "UPDATE event SET time_ns = ? WHERE endpoint = ? AND kind = 'endpoint' AND time_ns = 0",
            (total.first_seen_ns, endpoint),
        )

    def _removed(self, gone: Removed) -> Removed:
        """Bring the endpoints up to date that had what is gone; return *gone*."""
        for endpoint in sorted(gone.endpoints):
            self._rebuild(endpoint)
        return gone

    def remove_host(self, scope: Scope) -> Removed:
        """Delete all places and endpoints of a host."""
        return self._removed(self._places.remove(SCOPE, scope))

    def remove_endpoint(self, endpoint: int) -> Removed:
        """Delete an endpoint with its places."""
        return self._removed(self._places.remove("endpoint = ?", (endpoint,)))

    def remove_unseen(self, now_ns: int, endpoints_ns: int, unproven_ns: int) -> Removed:
        """Delete the places not seen for *endpoints_ns*, and those of no endpoint for *unproven_ns*.

        An application's time is that of its latest exchange, so that an old capture is kept like a new one.
        Days on which nothing was learned do not count (``store.retention``).
        """
        newest = self._connection.execute(
            "SELECT organization, environment, application, max(last_seen_ns) FROM place GROUP BY 1, 2, 3"
        ).fetchall()
        exchanges = noise = 0.0
        for *application, seen_ns in newest:
            latest_ns = min(now_ns, seen_ns)
            since = [
                kept_since_ns(self._connection, kept_ns, latest_ns) for kept_ns in (unproven_ns, endpoints_ns)
            ]
            gone = self._removed(
                self._places.remove(
                    "organization = ? AND environment = ? AND application = ?"
                    " AND last_seen_ns < CASE endpoint WHEN 0 THEN ? ELSE ? END",
                    (*application, *since),
                )
            )
            exchanges, noise = exchanges + gone.exchanges, noise + gone.noise
        return Removed(exchanges, noise)

    def remove_longest_unseen(self, part: int, *, with_endpoint: bool) -> Removed:
        """Delete one in *part* of the places; see ``PlaceTable``."""
        return self._removed(self._places.remove_longest_unseen(part, with_endpoint=with_endpoint))

    def rename_host(self, scope: Scope, host: str) -> None:
        """Give a host another name."""
        for table in ("place", "endpoint"):
            self._connection.execute(f"UPDATE {table} SET host = ? WHERE {SCOPE}", (host, *scope))
        self._places.forget()

    def _remove(self, endpoint: int, new: int) -> None:
        """Delete an endpoint that has no places any more, and lead its number to *new*, 0 for nowhere."""
        execute = self._connection.execute
        execute("DELETE FROM event WHERE endpoint = ?", (endpoint,))
        execute("UPDATE endpoint_redirect SET new_endpoint = ? WHERE new_endpoint = ?", (new, endpoint))
        execute(
            "INSERT INTO endpoint_redirect (old_endpoint, new_endpoint, exchanges)"
            " SELECT id, ?, exchanges FROM endpoint WHERE id = ?",
            (new, endpoint),
        )
        execute("DELETE FROM endpoint WHERE id = ?", (endpoint,))

    def _event(self, endpoint: int, time_ns: int, kind: str, detail: str) -> None:
        self._connection.execute(
            "INSERT INTO event (time_ns, endpoint, kind, detail) VALUES (?,?,?,?)",
            (time_ns, endpoint, kind, detail),
        )

    def prune_events(self) -> None:
        """Delete the oldest events past their number."""
        self._connection.execute(
            "DELETE FROM event WHERE id <= (SELECT max(id) FROM event) - ?", (MAX_EVENTS,)
        )

    def prune_redirects(self) -> None:
        """Forget where the least used endpoints went, past their number; never the highest number given."""
        self._connection.execute(
            "DELETE FROM endpoint_redirect WHERE old_endpoint IN"
            " (SELECT old_endpoint FROM endpoint_redirect ORDER BY exchanges DESC, old_endpoint DESC"
            " LIMIT -1 OFFSET ?) AND old_endpoint != (SELECT max(old_endpoint) FROM endpoint_redirect)",
            (MAX_REDIRECTS,),
        )


def _assign(
    method: str,
    at: Located,
    decision: TemplateDecision | None,
    *,
    proven: bool = False,
    row: PlaceRow | None = None,
) -> Assignment | None:
    """Return where a place belongs, None for noise: nothing has proven that the endpoint exists.

    A place newer than the decision that fits a parameter is most likely a value: it waits for the next one.
    Requests of methods that make no endpoint, such as TRACE, belong to a template that others made.
    """
    found = None if decision is None else decision.assign_located(at, method)
    if found is not None and (method in found.methods or proven or (row is not None and row.proven)):
        return found
    if not at.there or (found is None and decision is not None and decision.fits_parameter(at.key)):
        return None
    return found or undecided(at.key, method)
