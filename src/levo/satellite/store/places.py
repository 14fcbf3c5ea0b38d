"""The rows of places: what was learned, at the finest grain that may be kept. Nothing here is a decision."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from levo.satellite.learn import Application, Callers, EndpointFacts, Knowledge, Scope
from levo.satellite.learn.access import added_access, pack_access, unpack_access
from levo.satellite.learn.paths.trie import ESTABLISHED
from levo.satellite.learn.schema import pack_knowledge, unpack_knowledge
from levo.satellite.store.names import APPLICATION, NameTable
from levo.satellite.store.traffic import add_traffic, move_traffic

MAX_UNPROVEN = 1_000
"""Places of one host that are told apart although no answer has proven that they exist."""
_PART = 100
"""When there is no room, this part of the places makes it at once."""

_read_statuses = msgspec.json.Decoder(dict[int, float]).decode


def _write_statuses(statuses: Mapping[int, float]) -> str:
    return msgspec.json.encode(dict(sorted(statuses.items()))).decode()


_ROW = "id, method, path_key, endpoint, exchanges, statuses, unproven"
_CONTENTS = f"{_ROW}, callers, knowledge, access, organization, environment, application"
SCOPE = f"{APPLICATION} AND host = ?"


@dataclass(slots=True)
class PlaceRow:
    """A stored place, as decisions look at it."""

    id: int
    method: str
    place: str
    endpoint: int
    """That it belongs to; 0 for none."""
    exchanges: float
    statuses: str
    unproven: int
    """Whether no request has proven some literal of the key."""

    @property
    def proven(self) -> bool:
        """Whether some request was answered with success (1xx to 3xx)."""
        return is_proven(_read_statuses(self.statuses))


@dataclass(slots=True)
class PlaceContents(PlaceRow):
    """A stored place with what is to be added to."""

    callers: bytes
    knowledge: bytes
    access: bytes
    organization: str
    environment: str
    application: str


def is_proven(statuses: Mapping[int, float]) -> bool:
    """Whether some request was answered with success (1xx to 3xx)."""
    return any(100 <= status < 400 for status in statuses)


def successes_of(statuses: str) -> int:
    """Return how many exchanges of a stored column were answered with success, up to what is told apart."""
    found = _read_statuses(statuses)
    return min(ESTABLISHED, int(sum(exchanges for status, exchanges in found.items() if 100 <= status < 400)))


class Removed(NamedTuple):
    """What was deleted."""

    exchanges: float = 0.0
    noise: float = 0.0
    """Of these, those that belonged to no endpoint."""
    endpoints: frozenset[int] = frozenset()
    """That had some of it."""
    places: int = 0
    """How many."""


class PlaceTable:
    """Reads and writes places, within the writer's transaction."""

    def __init__(self, connection: sqlite3.Connection, most: int, names: NameTable) -> None:
        """*most*: places of one application; *names* says what is stored as text."""
        self._connection = connection
        self._names = names
        self._most = most
        self._unproven: dict[Scope, int] = {}
        self._counts: dict[Application, int] = {}
        connection.create_function("successes_of", 1, successes_of, deterministic=True)

    def forget(self) -> None:
        """Count again, after a transaction that was taken back, or rows that others deleted."""
        self._counts.clear()
        self._unproven.clear()

    def of(self, scope: Scope) -> Iterator[PlaceRow]:
        """Yield the places of a host, oldest first."""
        for row in self._connection.execute(
            f"SELECT {_ROW} FROM place WHERE {SCOPE} ORDER BY id",
            scope,
        ).fetchall():
            yield PlaceRow(*row)

    def proven(self) -> Iterator[tuple[Scope, str, str, int, Mapping[int, float]]]:
        """Yield host, method, key, traces and statuses of the places that exist."""
        for *scope, method, place, traces, statuses in self._connection.execute(
            "SELECT organization, environment, application, host, method, path_key, traces, statuses"
            " FROM place"
        ):
            found = _read_statuses(statuses)
            if is_proven(found):
                yield Scope(*scope), method, place, traces, found

    def find(self, scope: Scope, method: str, place: str) -> PlaceContents | None:
        """Return a place, None if it is not stored."""
        row = self._connection.execute(
            f"SELECT {_CONTENTS} FROM place WHERE {SCOPE} AND method = ? AND path_key = ?"
            " ORDER BY id LIMIT 1",
            (*scope, method, place),
        ).fetchone()
        return None if row is None else PlaceContents(*row)

    def is_full(self, scope: Scope) -> bool:
        """Whether no more places of the application of *scope* can be stored."""
        application = scope.application_key
        count = self._counts.get(application)
        if count is None:
            (count,) = self._connection.execute(
                f"SELECT count(*) FROM place WHERE {APPLICATION}", application
            ).fetchone()
            self._counts[application] = count
        return count >= self._most

    def make_room(self, scope: Scope) -> Removed:
        """Delete some places of the application of *scope* that are not established.

        First those that no endpoint has, then those with fewest successes, not seen for longest.
        """
        return self.remove(
            f"id IN (SELECT id FROM place WHERE {APPLICATION} AND successes_of(statuses) < {ESTABLISHED}"
            " ORDER BY endpoint != 0, successes_of(statuses), last_seen_ns, id"
            f" LIMIT {max(1, self._most // _PART)})",
            scope[:3],
        )

    def make_room_unproven(self, scope: Scope) -> Removed:
        """Delete some places of a host that nothing proves: with fewest traces, not seen for longest."""
        return self.remove(
            f"id IN (SELECT id FROM place WHERE {SCOPE} AND unproven"
            f" ORDER BY traces, last_seen_ns, id LIMIT {MAX_UNPROVEN // _PART})",
            scope,
        )

    def remove_longest_unseen(self, part: int, *, with_endpoint: bool) -> Removed:
        """Delete one in *part* of the places, those not seen for longest: of endpoints, or of none."""
        which = "endpoint != 0" if with_endpoint else "endpoint = 0"
        return self.remove(
            f"id IN (SELECT id FROM place WHERE {which} ORDER BY last_seen_ns, id"
            f" LIMIT (SELECT (count(*) + {part - 1}) / {part} FROM place WHERE {which}))",
            (),
        )

    def remove(self, which: str, values: tuple[object, ...]) -> Removed:
        """Delete the places for which the SQL condition *which* holds, *values* in its place holders."""
        rows = self._connection.execute(
            f"DELETE FROM place WHERE {which} RETURNING exchanges, endpoint", values
        ).fetchall()
        if rows:
            self.forget()
        return Removed(
            sum(exchanges for exchanges, _ in rows),
            sum(exchanges for exchanges, endpoint in rows if not endpoint),
            frozenset(endpoint for _, endpoint in rows if endpoint),
            len(rows),
        )

    def has_room_unproven(self, scope: Scope) -> bool:
        """Whether another place of a host can be stored that nothing proves."""
        known = self._unproven.get(scope)
        if known is None:
            (known,) = self._connection.execute(
                f"SELECT count(*) FROM place WHERE {SCOPE} AND unproven", scope
            ).fetchone()
        self._unproven[scope] = known
        return known < MAX_UNPROVEN

    def insert(
        self, scope: Scope, method: str, place: str, endpoint: int, facts: EndpointFacts, *, unproven: bool
    ) -> int:
        """Store a new place with *facts*; return its number."""
        (identity,) = self._connection.execute(
            "INSERT INTO place (organization, environment, application, host, method, path_key, unproven,"
            " endpoint, traces, exchanges, schemes, first_seen_ns, last_seen_ns, statuses, callers,"
            " knowledge, access)"
            " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) RETURNING id",
            (
                *scope,
                method,
                place,
                unproven,
                endpoint,
                facts.traces,
                facts.exchanges,
                facts.schemes,
                facts.first_seen_ns,
                facts.last_seen_ns,
                _write_statuses(facts.statuses),
                facts.callers.registers,
                pack_knowledge(self._settled(facts.knowledge, scope.application_key)),
                pack_access(facts.access),
            ),
        ).fetchone()
        if scope.application_key in self._counts:
            self._counts[scope.application_key] += 1
        if unproven and scope in self._unproven:
            self._unproven[scope] += 1
        add_traffic(self._connection, identity, facts.traffic)
        return int(identity)

    def _settled(self, known: Knowledge, application: Application) -> Knowledge:
        """Return *known*, which is not changed, as it may be stored."""
        if not known.unsettled:
            return known
        copy = Knowledge()
        copy.absorb(known)
        copy.settle(self._names.of(application))
        return copy

    def add(self, row: PlaceContents, facts: EndpointFacts, known: Knowledge | None = None) -> None:
        """Add *facts* to a stored place; *known* is what is stored of its messages, if that was read."""
        if known is None:
            known = unpack_knowledge(row.knowledge)
        known.absorb(facts.knowledge)
        if known.unsettled:
            names = self._names.of(Application(row.organization, row.environment, row.application))
            if names.is_open:  # what is text now may have been a mark before
                for name in facts.knowledge.names():
                    names.add(name)
            known.settle(names)
        callers = Callers(row.callers)
        callers.absorb(facts.callers)
        statuses = _read_statuses(row.statuses)
        for status, exchanges in facts.statuses.items():
            statuses[status] = statuses.get(status, 0.0) + exchanges
        row.statuses = _write_statuses(statuses)
        row.exchanges += facts.exchanges
        self._connection.execute(
            "UPDATE place SET traces = traces + ?, exchanges = exchanges + ?, schemes = schemes | ?,"
            " first_seen_ns = min(first_seen_ns, ?), last_seen_ns = max(last_seen_ns, ?), statuses = ?,"
            " callers = ?, knowledge = ?, access = ? WHERE id = ?",
            (
                facts.traces,
                facts.exchanges,
                facts.schemes,
                facts.first_seen_ns,
                facts.last_seen_ns,
                row.statuses,
                callers.registers,
                pack_knowledge(known),
                added_access(row.access, facts.access),
                row.id,
            ),
        )
        add_traffic(self._connection, row.id, facts.traffic)

    def rename(self, row: PlaceRow, place: str, *, unproven: bool) -> None:
        """Store a place under another key."""
        row.place, row.unproven = place, unproven
        self._connection.execute(
            "UPDATE place SET path_key = ?, unproven = ? WHERE id = ?", (place, unproven, row.id)
        )
        self._unproven.clear()

    def assign(self, row: PlaceRow, endpoint: int) -> None:
        """Note the endpoint that a place belongs to."""
        row.endpoint = endpoint
        self._connection.execute("UPDATE place SET endpoint = ? WHERE id = ?", (endpoint, row.id))
        self._unproven.clear()

    def merge(self, source: PlaceRow, target: PlaceRow) -> None:
        """Give everything of one place to another, whose text it shares by now."""
        contents = self._connection.execute(
            f"SELECT {_CONTENTS} FROM place WHERE id = ?", (target.id,)
        ).fetchone()
        whole = PlaceContents(*contents)
        self.add(whole, self._facts(source.id))
        target.statuses, target.exchanges = whole.statuses, whole.exchanges
        move_traffic(self._connection, source.id, target.id)
        self._connection.execute("DELETE FROM place WHERE id = ?", (source.id,))
        self.forget()

    def joined(self, endpoint: int) -> EndpointFacts:
        """Return the figures of all places of an endpoint together, without messages and traffic."""
        total = EndpointFacts()
        for (identity,) in self._connection.execute(
            "SELECT id FROM place WHERE endpoint = ?", (endpoint,)
        ).fetchall():
            total.add(self._facts(identity, messages=False))
        return total

    def _facts(self, identity: int, *, messages: bool = True) -> EndpointFacts:
        row = self._connection.execute(
            "SELECT traces, exchanges, statuses, schemes, first_seen_ns, last_seen_ns, callers, access"
            f"{', knowledge' if messages else ''} FROM place WHERE id = ?",
            (identity,),
        ).fetchone()
        traces, exchanges, statuses, schemes, first, last, callers, access = row[:8]
        facts = EndpointFacts(traces, exchanges, _read_statuses(statuses), schemes, first, last)
        facts.callers = Callers(callers)
        facts.access = unpack_access(access)
        if messages:
            facts.knowledge = unpack_knowledge(row[8])
        return facts


def read_knowledge(connection: sqlite3.Connection, endpoint: int, limit: int = -1) -> Knowledge:
    """Return what is known of the messages of an endpoint: that of all its places, joined."""
    known: Knowledge | None = None
    for (octets,) in connection.execute(
        "SELECT knowledge FROM place WHERE endpoint = ? ORDER BY traces DESC, id LIMIT ?", (endpoint, limit)
    ):
        if known is None:
            known = unpack_knowledge(octets)
        else:
            known.absorb(unpack_knowledge(octets))
    return Knowledge() if known is None else known
