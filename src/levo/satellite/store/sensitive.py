"""Sensitive data in the fields of endpoints: found by the learner, stored beside the endpoints.

What an endpoint's messages hold is a function of what is stored of its places (``learn.sensitive.decide``).
It is looked at anew when the endpoint has a quarter more traces than at the last look, so that all looks
together cost little however long traffic comes, and a Satellite that starts has nothing to work out.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from levo.satellite.learn.sensitive import KINDS
from levo.satellite.learn.signs import FoundField, pack_signs, signs_of
from levo.satellite.openapi.document import SensitiveField, sensitive_fields
from levo.satellite.store.learned import read_operations_of

RULES = 2
"""Grows with each change of the code that recognizes sensitive data, or signs, in what is stored."""
_IN_MEMORY = 20
"""Endpoints whose messages are in memory at once."""
_LOOKED = "looked"
"""The fact that all endpoints were looked at once, by which rules."""


class SensitiveItem(msgspec.Struct, frozen=True):
    """Sensitive data in one field of one endpoint."""

    endpoint: int
    organization: str
    environment: str
    application: str
    host: str
    method: str
    path: str
    kind: str
    category: str
    location: str
    direction: str
    """``request`` or ``response``."""
    confidence: float
    contained: bool
    """Inside longer texts rather than the whole value."""
    verdict: str
    """``confirm`` or ``reject`` by a user, else empty."""


class SensitiveFilter(NamedTuple):
    """Which sensitive data; an empty field does not restrict."""

    organization: str = ""
    environment: str = ""
    application: str = ""
    kind: str = ""
    endpoint: int = 0


class SensitiveCount(NamedTuple):
    """How many fields of one application hold one kind of sensitive data in one direction."""

    kind: str
    category: str
    direction: str
    application: str
    fields: int


class KnownField(NamedTuple):
    """A field with sensitive data, without its endpoint."""

    kind: str
    category: str
    location: str
    direction: str
    confidence: float
    contained: bool


def location_of(field: SensitiveField) -> str:
    """Return where *field* is, in one word: ``response-body:200:items/*/email``."""
    where = f"{field.position}:{field.status}" if field.status else field.position
    return f"{where}:{field.pointer or '(whole)'}".replace(" ", "_")


def known_fields(fields: Iterable[SensitiveField]) -> dict[tuple[str, str], KnownField]:
    """Return the sensitive *fields* of an operation by location and kind."""
    found: dict[tuple[str, str], KnownField] = {}
    for field in fields:
        detection, location = field.detection, location_of(field)
        known = found.get((location, detection.kind))
        if known is None or known.confidence < detection.confidence:
            found[location, detection.kind] = KnownField(
                detection.kind,
                str(detection.category),
                location,
                field.direction,
                detection.confidence,
                detection.contained,
            )
    return found


class SensitiveTable:
    """Finds sensitive data and stores where it is, within the writer's transaction."""

    def __init__(self, connection: sqlite3.Connection, key: bytes) -> None:
        """*key* is that of the hashes."""
        self._connection = connection
        self._key = key
        self._all_looked: bool | None = None
        """Whether the catalog says so, None while that is not known."""

    def start_over_if_rules_changed(self) -> bool:
        """Make all endpoints due that were looked at by the rules of another release.

        Returns:
            Whether all were looked at once by the rules of this one.
        """
        if self._all_looked is None:
            row = self._connection.execute("SELECT value FROM fact WHERE name = ?", (_LOOKED,)).fetchone()
            self._all_looked = row is not None and row[0] == _rules()
            if row is not None and not self._all_looked:
                # Other rules: what they found stays until each endpoint has been looked at again.
                self._connection.execute("UPDATE endpoint SET looked_traces = 0")
        return self._all_looked

    def forget(self) -> None:
        """Ask the catalog again, after a transaction that was taken back."""
        self._all_looked = None

    def due(self, limit: int) -> list[int]:
        """Return endpoints that have a quarter more traces than when they were looked at, *limit* at most."""
        rows = self._connection.execute(
            "SELECT id FROM endpoint WHERE 4 * traces > 5 * looked_traces LIMIT ?", (limit,)
        )
        return [identity for (identity,) in rows]

    def look(self, endpoints: Sequence[int]) -> set[str]:
        """Store what is sensitive in *endpoints*; return the organizations of those where that is new."""
        changed = set()
        for at in range(0, len(endpoints), _IN_MEMORY):
            for identity, operation in read_operations_of(
                self._connection, endpoints[at : at + _IN_MEMORY], self._key
            ):
                fields = sensitive_fields(operation)
                news = self._store(identity, known_fields(fields))
                places = {FoundField(location_of(f), f.position, f.status, f.pointer) for f in fields}
                signs = pack_signs(signs_of(operation.knowledge, places))
                news |= (
                    self._connection.execute(
                        "UPDATE endpoint SET signs = ? WHERE id = ? AND signs != ?", (signs, identity, signs)
                    ).rowcount
                    > 0
                )
                if news:
                    (name,) = self._connection.execute(
                        "SELECT organization FROM endpoint WHERE id = ?", (identity,)
                    ).fetchone()
                    changed.add(name)
        self._connection.executemany(
            "UPDATE endpoint SET looked_traces = traces WHERE id = ?", [(each,) for each in endpoints]
        )
        return changed

    def note_all_looked(self) -> bool:
        """Remember that all endpoints were looked at; return whether that is news."""
        news = not self.start_over_if_rules_changed()
        if news:
            self._connection.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (_LOOKED, _rules()))
            self._all_looked = True
        return news

    def _store(self, endpoint: int, found: dict[tuple[str, str], KnownField]) -> bool:
        execute = self._connection.execute
        stored = {
            (location, kind): KnownField(kind, category, location, direction, confidence, bool(contained))
            for kind, category, location, direction, confidence, contained in execute(
                "SELECT kind, category, location, direction, confidence, contained FROM sensitive_field"
                " WHERE endpoint = ?",
                (endpoint,),
            )
        }
        for location, kind in stored.keys() - found.keys():
            execute(
                "DELETE FROM sensitive_field WHERE endpoint = ? AND location = ? AND kind = ?",
                (endpoint, location, kind),
            )
        for name in sorted(found):
            if stored.get(name) != found[name]:
                # One that is there keeps its number: an export under way finds it again.
                execute(
                    "INSERT INTO sensitive_field"
                    " (endpoint, kind, category, location, direction, confidence, contained)"
                    " VALUES (?,?,?,?,?,?,?) ON CONFLICT (endpoint, location, kind) DO UPDATE SET"
                    " (category, direction, confidence, contained)"
                    " = (excluded.category, excluded.direction, excluded.confidence, excluded.contained)",
                    (endpoint, *found[name]),
                )
        return stored != found


def _rules() -> str:
    return f"{RULES}-{zlib.crc32(repr(sorted(KINDS)).encode()):08x}"


def is_looked_at(connection: sqlite3.Connection) -> bool:
    """Return whether all endpoints were looked at for sensitive data, the newest ones aside."""
    found = connection.execute("SELECT 1 FROM fact WHERE name = ?", (_LOOKED,)).fetchone()
    return found is not None


def count_sensitive(connection: sqlite3.Connection, wanted: SensitiveFilter) -> int:
    """Return how many fields hold sensitive data, those that users rejected included."""
    where, values = _where(wanted)
    if where:
        where = f"JOIN endpoint e ON e.id = f.endpoint {where}"
    (total,) = connection.execute(f"SELECT count(*) FROM sensitive_field f {where}", values).fetchone()
    return int(total)


def count_sensitive_by_kind(connection: sqlite3.Connection) -> list[SensitiveCount]:
    """Return how many fields hold which kind, without those that users rejected."""
    rows = connection.execute(
        f"SELECT f.kind, f.category, f.direction, e.application, count(*) {_FROM}"
        " WHERE v.verdict IS NOT 'reject' GROUP BY 1, 2, 3, 4"
    )
    return [SensitiveCount(*row) for row in rows]


def read_sensitive(
    connection: sqlite3.Connection, wanted: SensitiveFilter, *, limit: int = -1, offset: int = 0
) -> list[SensitiveItem]:
    """Return *limit* items from *offset* on, by kind, then surest first; -1 is all of them."""
    where, values = _where(wanted)
    rows = connection.execute(
        f"SELECT {_ITEM} {_FROM} {where} ORDER BY {_ORDER} LIMIT ? OFFSET ?", [*values, limit, offset]
    )
    return [_item(row) for row in rows]


def read_sure(connection: sqlite3.Connection, confidence: float) -> list[SensitiveItem]:
    """Return what is at least of this *confidence* and not rejected."""
    rows = connection.execute(
        f"SELECT {_ITEM} {_FROM} WHERE f.confidence >= ? AND v.verdict IS NOT 'reject' ORDER BY {_ORDER}",
        (confidence,),
    )
    return [_item(row) for row in rows]


def read_sensitive_ids(connection: sqlite3.Connection, wanted: SensitiveFilter) -> Iterable[int]:
    """Yield the numbers of the items that there are, in the order of ``read_sensitive``."""
    where, values = _where(wanted)
    rows = connection.execute(
        f"SELECT f.id FROM sensitive_field f JOIN endpoint e ON e.id = f.endpoint {where} ORDER BY {_ORDER}",
        values,
    )
    for (identity,) in rows:
        yield identity


def read_sensitive_by_id(
    connection: sqlite3.Connection, identities: Sequence[int]
) -> dict[int, SensitiveItem]:
    """Return those of *identities* that there are."""
    marks = ",".join("?" * len(identities))
    rows = connection.execute(f"SELECT f.id, {_ITEM} {_FROM} WHERE f.id IN ({marks})", list(identities))
    return {row[0]: _item(row[1:]) for row in rows}


_ITEM = (
    "e.id, e.organization, e.environment, e.application, e.host, e.method, e.path, f.kind, f.category,"
    " f.location, f.direction, f.confidence, f.contained, ifnull(v.verdict, '')"
)
# A verdict is about a field of an endpoint by name, not by number; the last one counts. There are few.
_VERDICTS = (
    "SELECT e.id AS endpoint, d.detail AS detail, d.kind AS verdict, max(d.id)"
    " FROM userdata.decision d CROSS JOIN endpoint e"
    " USING (organization, environment, application, host, method)"
    " WHERE d.undone_ns = 0 AND d.kind IN ('confirm', 'reject') AND d.template = anonymous(e.template)"
    " GROUP BY 1, 2"
)
_FROM = (
    "FROM sensitive_field f JOIN endpoint e ON e.id = f.endpoint"
    f" LEFT JOIN ({_VERDICTS}) v ON v.endpoint = f.endpoint AND v.detail = f.location || ' ' || f.kind"
)
_ORDER = "f.kind, f.confidence DESC, e.path, f.location, f.id"


def _item(row: tuple[Any, ...]) -> SensitiveItem:
    return SensitiveItem(*(*row[:-2], bool(row[-2]), row[-1]))


def _where(wanted: SensitiveFilter) -> tuple[str, list[str | int]]:
    parts, values = [], list[str | int]()
    for column, value in (
        ("e.organization", wanted.organization),
        ("e.environment", wanted.environment),
        ("e.application", wanted.application),
        ("f.kind", wanted.kind),
        ("f.endpoint", wanted.endpoint),
    ):
        if value:
            parts.append(f"{column} = ?")
            values.append(value)
    return ("WHERE " + " AND ".join(parts) if parts else ""), values
