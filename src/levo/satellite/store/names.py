"""Which names of each application are proven, and what is remembered of those that are not."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from levo.satellite.learn.naming import Application, NameRule, Proven
from levo.satellite.learn.paths.operation_names import names_of
from levo.satellite.learn.paths.state import HASHED
from levo.satellite.learn.schema import pack_knowledge, unpack_knowledge
from levo.satellite.learn.schema.names import FEW_CALLERS, MARK, Names, Sightings, caller_of, mark_of
from levo.satellite.learn.schema.standard import STANDARD_NAMES

MAX_NAMES = 20_000
"""Proven names of one application, and those proven by one caller alone."""
MAX_UNPROVEN = 20_000
"""Names of one application that are remembered without being proven: those with most evidence."""
_TABLES = ("name", "unproven_name", "name_caller")
APPLICATION = "organization = ? AND environment = ? AND application = ?"
_RULE = "name rule"
"""The fact that says that every name in the knowledge of places is in the tables."""

SCHEMA = """
    CREATE TABLE name (
        organization TEXT NOT NULL,
        environment TEXT NOT NULL,
        application TEXT NOT NULL,
        text TEXT NOT NULL,
        alone INTEGER NOT NULL,
        PRIMARY KEY (organization, environment, application, text)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE unproven_name (
        organization TEXT NOT NULL,
        environment TEXT NOT NULL,
        application TEXT NOT NULL,
        mark TEXT NOT NULL,
        evidence INTEGER NOT NULL,
        sightings BLOB NOT NULL,
        PRIMARY KEY (organization, environment, application, mark)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE name_caller (
        organization TEXT NOT NULL,
        environment TEXT NOT NULL,
        application TEXT NOT NULL,
        caller TEXT NOT NULL,
        PRIMARY KEY (organization, environment, application, caller)
    ) STRICT, WITHOUT ROWID;
"""


class Change(NamedTuple):
    """An application whose proven names are other ones than before."""

    key: Application
    is_withdrawn: bool
    """Some are no longer proven."""


class NameTable:
    """Keeps the names of each application, within the writer's transaction."""

    def __init__(self, connection: sqlite3.Connection, key: bytes, rule: NameRule) -> None:
        self._connection = connection
        self._key = key
        self._rule = rule
        self._proven: dict[Application, Proven] = {}
        self._callers: dict[Application, set[str]] = {}
        self._dropped = 0

    def start(self) -> None:
        """Register the names that were stored as text before they needed a proof: they stay what they are."""
        execute = self._connection.execute
        if not self._rule.is_needed:
            execute("DELETE FROM fact WHERE name = ?", (_RULE,))
            return
        if execute("SELECT 1 FROM fact WHERE name = ?", (_RULE,)).fetchone() is not None:
            return
        execute("BEGIN IMMEDIATE")
        for identity, place, *application in execute(
            "SELECT id, path_key, organization, environment, application FROM place"
        ).fetchall():
            (octets,) = execute("SELECT knowledge FROM place WHERE id = ?", (identity,)).fetchone()
            found = unpack_knowledge(octets).names()
            found.update(
                name for name in names_of(tuple(place.split("/"))) if not name.startswith((MARK, HASHED))
            )
            self._connection.executemany(
                "INSERT OR IGNORE INTO name VALUES (?, ?, ?, ?, 0)",
                [(*application, name) for name in sorted(found)],
            )
        execute("INSERT INTO fact VALUES (?, '1')", (_RULE,))
        execute("COMMIT")

    def forget(self) -> None:
        """Read all again, after a transaction that was taken back."""
        for application, proven in self._proven.items():
            proven.replace(self._read(application))
        self._callers.clear()
        self._dropped = 0

    def of(self, application: Application) -> Proven:
        """Return the proven names of an application; the same object each time."""
        found = self._proven.get(application)
        if found is None:
            found = self._proven[application] = self._read(application)
        return found

    def known(self, application: Application) -> set[str]:
        """Return the names of an application that need not be sighted any more; it grows with them."""
        return self.of(application).names

    def _read(self, application: Application) -> Proven:
        return read_proven(self._connection, application, self._key, is_open=not self._rule.is_needed)

    def add(self, names: Mapping[Application, Names]) -> list[Change]:
        """Add what was sighted, and who called; prove what is proven by now.

        Return the applications some of whose names are proven, or no longer so, since before.
        """
        changes = []
        for application, sighted in names.items():
            is_described = application not in self._callers and self._describe(application)
            is_withdrawn = self._add_callers(application, sighted.callers)
            is_proven = bool(sighted.seen) and self._add_names(application, sighted.seen)
            if is_described or is_withdrawn or is_proven:
                changes.append(Change(application, is_withdrawn))
        return changes

    def _add_callers(self, application: Application, addresses: Iterable[str]) -> bool:
        """Return whether names were taken back."""
        known = self._callers.get(application)
        if known is None:
            rows = self._connection.execute(
                f"SELECT caller FROM name_caller WHERE {APPLICATION}", application
            )
            known = self._callers[application] = {row[0] for row in rows}
        before = len(known)
        for address in addresses:
            hashed = f"{caller_of(address, self._key):016x}"
            if len(known) < FEW_CALLERS and hashed not in known:
                known.add(hashed)
                self._connection.execute("INSERT INTO name_caller VALUES (?,?,?,?)", (*application, hashed))
        if before < FEW_CALLERS <= len(known):
            return self._withdraw(application)
        return False

    def _withdraw(self, application: Application) -> bool:
        """Take back what the first caller proved alone: there is a second one now."""
        proven = self.of(application)
        if not proven.alone:
            return False
        proven.withdraw()
        execute = self._connection.execute
        execute(f"DELETE FROM name WHERE {APPLICATION} AND alone", application)
        rows = execute(f"SELECT id FROM place WHERE {APPLICATION}", application).fetchall()
        for (identity,) in rows:
            (octets,) = execute("SELECT knowledge FROM place WHERE id = ?", (identity,)).fetchone()
            known = unpack_knowledge(octets)
            known.settle(proven)
            execute("UPDATE place SET knowledge = ? WHERE id = ?", (pack_knowledge(known), identity))
        return True

    def _add_names(self, application: Application, seen: Mapping[str, Sightings]) -> bool:
        """Return whether a name was proven."""
        execute = self._connection.execute
        proven = self.of(application)
        rule, is_alone = self._rule, len(self._callers[application]) < FEW_CALLERS
        is_full = len(proven.names) >= MAX_NAMES
        is_new = is_changed = False
        for name, sightings in seen.items():
            if name in proven.names:
                continue
            mark = mark_of(name, self._key)
            row = execute(
                f"SELECT sightings FROM unproven_name WHERE {APPLICATION} AND mark = ?", (*application, mark)
            ).fetchone()
            whole = Sightings() if row is None else Sightings.from_bytes(row[0])
            whole.absorb(sightings, rule.min_objects, rule.min_callers)
            if not is_full and whole.is_proof(rule.min_objects, rule.min_callers):
                self._prove(application, name)
                is_changed = True
                is_full = len(proven.names) >= MAX_NAMES
                continue
            if (
                is_alone
                and name not in proven.alone
                and len(proven.alone) < MAX_NAMES
                and whole.is_proof_of_one_caller(rule.min_objects, rule.alone_after_ns)
            ):
                is_changed = True
                proven.add(name, alone=True)
                execute("INSERT OR REPLACE INTO name VALUES (?,?,?,?,1)", (*application, name))
            is_new |= row is None
            execute(
                "INSERT OR REPLACE INTO unproven_name VALUES (?,?,?,?,?,?)",
                (*application, mark, whole.evidence, whole.to_bytes()),
            )
        if is_new:
            self._trim(application)
        return is_changed

    def _trim(self, application: Application) -> None:
        execute = self._connection.execute
        (count,) = execute(f"SELECT count(*) FROM unproven_name WHERE {APPLICATION}", application).fetchone()
        if count > MAX_UNPROVEN:
            self._dropped += count - MAX_UNPROVEN
            execute(
                f"DELETE FROM unproven_name WHERE {APPLICATION} AND mark IN (SELECT mark FROM unproven_name"
                f" WHERE {APPLICATION} ORDER BY evidence, mark LIMIT ?)",
                (*application, *application, count - MAX_UNPROVEN),
            )

    def remove_if_gone(self, application: Application) -> None:
        """Delete what is known of the names of an application that has no place any more.

        Names that a description gives are proven again by its first traffic.
        """
        execute = self._connection.execute
        if execute(f"SELECT 1 FROM place WHERE {APPLICATION} LIMIT 1", application).fetchone() is not None:
            return
        for table in _TABLES:
            execute(f"DELETE FROM {table} WHERE {APPLICATION}", application)
        self._callers.pop(application, None)
        if application in self._proven:
            self._proven[application].replace(self._read(application))

    def take_dropped(self) -> int:
        """Return how many unproven names there was no room for since this was last asked."""
        dropped, self._dropped = self._dropped, 0
        return dropped

    def describe(self) -> list[Application]:
        """Take the names of uploaded descriptions for proven; return the applications with new ones."""
        if not self._rule.is_needed:
            return []
        rows = self._connection.execute("SELECT DISTINCT organization, environment, application FROM place")
        return [each for each in map(Application._make, rows.fetchall()) if self._describe(each)]

    def _describe(self, application: Application) -> bool:
        rows = self._connection.execute(
            "SELECT document FROM description WHERE organization = ? AND environment IN (?, '')"
            " AND application = ?",
            application,
        ).fetchall()
        proven = self.of(application)
        found = {name for (text,) in rows for name in described_names(msgspec.json.decode(text))}
        new = sorted(found - proven.names - STANDARD_NAMES)[: max(0, MAX_NAMES - len(proven.names))]
        for name in new:
            self._prove(application, name)
        return bool(new)

    def _prove(self, application: Application, name: str) -> None:
        execute = self._connection.execute
        self.of(application).add(name)
        execute("INSERT OR REPLACE INTO name VALUES (?,?,?,?,0)", (*application, name))
        mark = mark_of(name, self._key)
        execute(f"DELETE FROM unproven_name WHERE {APPLICATION} AND mark = ?", (*application, mark))


def read_proven(
    connection: sqlite3.Connection, application: Application, key: bytes, *, is_open: bool = False
) -> Proven:
    """Return the proven names of an application; *is_open*: no name needs a proof."""
    rows = connection.execute(f"SELECT text, alone FROM name WHERE {APPLICATION}", application).fetchall()
    names, alone = ([name for name, is_alone in rows if bool(is_alone) == wanted] for wanted in (False, True))
    return Proven(key, names, alone, is_open=is_open)


def described_names(document: Any) -> Iterator[str]:
    """Yield the names that an OpenAPI document gives to properties, parameters, fields and media types."""
    if isinstance(document, list):
        for item in document:
            yield from described_names(item)
    elif isinstance(document, dict):
        for key, value in document.items():
            if key in ("properties", "headers", "content") and isinstance(value, dict):
                yield from (name for name in value if isinstance(name, str))
            if key == "name" and isinstance(value, str) and "in" in document:
                yield value.lower() if document["in"] == "header" else value
            yield from described_names(value)


__all__ = ["SCHEMA", "NameTable", "described_names", "read_proven"]
