"""The rows of endpoints: figures, messages, rollups; and how they follow the templates."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

import msgspec

from levo.satellite.learn import (
    Assignment,
    Callers,
    EndpointFacts,
    EndpointKey,
    Knowledge,
    PathState,
    Scope,
    State,
    TemplateDecision,
    undecided,
)
from levo.satellite.learn.traffic import TrafficByMinute, merge_traffic
from levo.satellite.store.changes import changes
from levo.satellite.store.traffic import WHOLE_CATALOG, add_traffic, move_traffic, whole_of

MAX_EVENTS = 100_000

_encode = msgspec.msgpack.Encoder().encode
_decode_knowledge = msgspec.msgpack.Decoder(Knowledge).decode


def unpack_knowledge(octets: bytes) -> Knowledge:
    """Return what was stored of an endpoint's messages."""
    return _decode_knowledge(octets)


class EndpointTable:
    """Adds facts to rows, within the writer's transaction."""

    def __init__(self, connection: sqlite3.Connection, max_endpoints: int) -> None:
        self._connection = connection
        self._max_endpoints = max_endpoints
        self._count = 0
        self.forget()

    def forget(self) -> None:
        """Count again, after a transaction that was taken back."""
        (self._count,) = self._connection.execute("SELECT count(*) FROM endpoint").fetchone()

    def add(self, delta: State, decisions: Mapping[Scope, TemplateDecision]) -> tuple[float, float]:
        """Add the endpoints of *delta*; return the exchanges that the full catalog refused, and the noise."""
        refused = noise = 0.0
        whole: TrafficByMinute = {}
        by_organization: dict[str, TrafficByMinute] = {}
        joined: dict[tuple[Scope, str, str], tuple[Assignment, str, EndpointFacts]] = {}
        split: set[tuple[Scope, str, str]] = set()
        """Those of which requests were counted before: a new template has taken them from another row."""
        own: set[tuple[Scope, str, str]] = set()
        """Those whose facts are not those of *delta*, which must not change."""
        for key, facts in delta.endpoints.items():
            scope = key.scope
            assignment = _assign(key, facts, decisions.get(scope), delta.paths.get(scope))
            if assignment is None:
                noise += facts.exchanges
                continue
            name = (scope, key.method, assignment.template)
            paths = delta.paths.get(scope)
            if paths is not None and paths.requests(key.place, key.method) > facts.traces:
                split.add(name)
            known = joined.get(name)
            if known is None:
                place = key.place if paths is None else paths.canonical(key.place)
                joined[name] = (assignment, place, facts)
            elif name in own:
                known[2].add(facts)
            else:
                own.add(name)
                both = EndpointFacts()
                both.add(known[2])
                both.add(facts)
                joined[name] = (assignment, known[1], both)
        for name, (assignment, place, facts) in joined.items():
            scope, method, _ = name
            row = self._row(scope, method, assignment, place, facts, is_news=name not in split)
            if row is None:
                refused += facts.exchanges
                continue
            self._add_messages(row, facts)
            add_traffic(self._connection, row, facts.traffic)
            merge_traffic(whole, facts.traffic)
            merge_traffic(by_organization.setdefault(scope.organization, {}), facts.traffic)
        add_traffic(self._connection, WHOLE_CATALOG, whole)
        for organization, traffic in by_organization.items():
            add_traffic(self._connection, whole_of(self._connection, organization), traffic)
        return refused, noise

    def follow(self, scope: Scope, decision: TemplateDecision, paths: PathState | None) -> None:
        """Bring the rows of *scope* to the templates of *decision*: rename, or merge into another."""
        rows = self._connection.execute(
            "SELECT id, method, template, path_key, path, confidence FROM endpoint"
            " WHERE organization = ? AND environment = ? AND application = ? AND host = ? ORDER BY id",
            scope,
        ).fetchall()
        by_name = {(method, template): identity for identity, method, template, *_ in rows}
        for identity, method, template, place, path, confidence in rows:
            wanted = decision.assign(place, paths)
            kept = place if paths is None else paths.canonical(place)
            if kept != place:  # the text of values was forgotten
                self._connection.execute("UPDATE endpoint SET path_key = ? WHERE id = ?", (kept, identity))
            if wanted is None or (wanted.template, wanted.path, wanted.confidence) == (
                template,
                path,
                confidence,
            ):
                continue
            target = by_name.get((method, wanted.template), identity)
            if target != identity:
                self._merge(identity, target)
                del by_name[method, template]
                continue
            self._connection.execute(
                "UPDATE endpoint SET template = ?, path = ?, confidence = ? WHERE id = ?",
                (wanted.template, wanted.path, wanted.confidence, identity),
            )
            self._connection.execute(
                "UPDATE event SET detail = ? WHERE endpoint = ? AND kind = 'endpoint'",
                (f"{method} {wanted.path}", identity),
            )
            del by_name[method, template]
            by_name[method, wanted.template] = identity

    def _row(
        self,
        scope: Scope,
        method: str,
        assignment: Assignment,
        place: str,
        facts: EndpointFacts,
        *,
        is_news: bool,
    ) -> int | None:
        """Count *facts* in the row of an endpoint, made if need be; return its id, None without room.

        An id is never given twice: alerts, links and redirects name endpoints by it.
        """
        execute = self._connection.execute
        row = execute(
            "SELECT id, callers FROM endpoint WHERE organization = ? AND environment = ? AND application = ?"
            " AND host = ? AND method = ? AND template = ?",
            (*scope, method, assignment.template),
        ).fetchone()
        if row is None:
            if self._count >= self._max_endpoints:
                return None
            self._count += 1
            row = execute(
                "INSERT INTO endpoint (id, traces, exchanges, first_seen_ns, last_seen_ns, organization,"
                " environment, application, host, method, template, path, path_key, confidence)"
                " VALUES (1 + max((SELECT ifnull(max(id), 0) FROM endpoint),"
                " (SELECT ifnull(max(old_endpoint), 0) FROM endpoint_redirect)),0,0,?,?,?,?,?,?,?,?,?,?,?)"
                " RETURNING id, callers",
                (
                    facts.first_seen_ns,
                    facts.last_seen_ns,
                    *scope,
                    method,
                    assignment.template,
                    assignment.path,
                    place,
                    assignment.confidence,
                ),
            ).fetchone()
            if is_news:
                self._event(row[0], facts.first_seen_ns, "endpoint", f"{method} {assignment.path}")
        callers = Callers(row[1])
        callers.absorb(facts.callers)
        execute(
            "UPDATE endpoint SET traces = traces + ?, exchanges = exchanges + ?, callers = ?,"
            " schemes = schemes | ?, first_seen_ns = min(first_seen_ns, ?),"
            " last_seen_ns = max(last_seen_ns, ?) WHERE id = ?",
            (
                facts.traces,
                facts.exchanges,
                callers.registers,
                facts.schemes,
                facts.first_seen_ns,
                facts.last_seen_ns,
                row[0],
            ),
        )
        self._connection.executemany(
            "INSERT INTO endpoint_status VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET exchanges = exchanges + excluded.exchanges",
            [(row[0], status, exchanges) for status, exchanges in facts.statuses.items()],
        )
        return int(row[0])

    def _add_messages(self, endpoint: int, facts: EndpointFacts) -> None:
        row = self._connection.execute(
            "SELECT state FROM knowledge WHERE endpoint = ?", (endpoint,)
        ).fetchone()
        if row is None:
            known = facts.knowledge
        else:
            known = _decode_knowledge(row[0])
            for kind, detail in changes(known, facts.knowledge):
                self._event(endpoint, facts.last_seen_ns, kind, detail)
            known.absorb(facts.knowledge)
        self._connection.execute("INSERT OR REPLACE INTO knowledge VALUES (?, ?)", (endpoint, _encode(known)))

    def _merge(self, old: int, new: int) -> None:
        """Give everything of the row *old* to the row *new*, and leave a redirect."""
        execute = self._connection.execute
        for status, exchanges in execute(
            "SELECT status, exchanges FROM endpoint_status WHERE endpoint = ?", (old,)
        ).fetchall():
            execute(
                "INSERT INTO endpoint_status VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET exchanges = exchanges + excluded.exchanges",
                (new, status, exchanges),
            )
        states = dict(
            execute("SELECT endpoint, state FROM knowledge WHERE endpoint IN (?, ?)", (old, new)).fetchall()
        )
        known = Knowledge()
        for state in states.values():
            known.absorb(_decode_knowledge(state))
        execute("INSERT OR REPLACE INTO knowledge VALUES (?, ?)", (new, _encode(known)))
        move_traffic(self._connection, old, new)
        callers, schemes = Callers(), 0
        for registers, seen in execute(
            "SELECT callers, schemes FROM endpoint WHERE id IN (?, ?)", (old, new)
        ).fetchall():
            callers.absorb(Callers(registers))
            schemes |= seen
        execute(
            "UPDATE endpoint SET (traces, exchanges, first_seen_ns, last_seen_ns) = (SELECT sum(traces),"
            " sum(exchanges), min(first_seen_ns), max(last_seen_ns) FROM endpoint WHERE id IN (?, ?)),"
            " callers = ?, schemes = ? WHERE id = ?",
            (old, new, callers.registers, schemes, new),
        )
        execute("DELETE FROM event WHERE endpoint = ?", (old,))
        execute("DELETE FROM endpoint WHERE id = ?", (old,))
        execute("UPDATE endpoint_redirect SET new_endpoint = ? WHERE new_endpoint = ?", (new, old))
        execute("INSERT OR REPLACE INTO endpoint_redirect VALUES (?, ?)", (old, new))
        self._count -= 1

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


def _assign(
    key: EndpointKey, facts: EndpointFacts, decision: TemplateDecision | None, paths: PathState | None
) -> Assignment | None:
    """Return where *key* belongs, None for noise: nothing has proven that the endpoint exists."""
    found = None if decision is None else decision.assign(key.place, paths)
    if found is not None and key.method in found.methods:
        return found
    proven = any(status not in (404, 405, 410, 501) for status in facts.statuses)
    if paths is None or not proven:
        return None
    return found or undecided(key.place, key.method)
