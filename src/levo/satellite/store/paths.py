"""What is stored of the paths of a host, and what users and descriptions say about them."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

import msgspec

from levo.satellite.learn import Application, Override, PathState, Scope, decide_templates
from levo.satellite.learn.paths import Template
from levo.satellite.learn.paths.known import Kind as OverrideKind
from levo.satellite.learn.paths.operation_names import has_marks, settle_tree
from levo.satellite.learn.paths.trie import Strength
from levo.satellite.openapi import served_paths
from levo.satellite.store.places import SCOPE
from levo.satellite.store.userdata.database import row_number
from levo.satellite.store.userdata.decisions import read_path_decisions

LARGE_BYTES = 1 << 16
"""A host whose paths take more is not written anew with each commit: what is new is put into a log …"""
LONGEST_LOG = 32
"""… of at most so many entries."""
UNDECIDED, NOTHING_SAID = 0, 1
"""Values of ``decided`` that stand for no decision and for one without a word from people; the others are
checksums of what people said (``read_words``)."""


@dataclass(slots=True)
class HostRow:
    """A host whose paths are stored."""

    strength: Strength
    decided: int
    """What people had said when it was decided on."""
    octets: int = 0
    """Of its stored paths, without the log."""
    logged: int = 0
    """Entries in the log."""
    marked: bool = False
    """Whether it has operations whose names are not proven."""


class KnownPaths(Mapping[Scope, PathState]):
    """The paths of each host, read when asked for; those not used for long leave memory when there are many.

    What changes in memory has to be *held* until it is stored.
    """

    def __init__(self, read: Callable[[Scope], PathState], hosts: Mapping[Scope, HostRow], most: int) -> None:
        self._read = read
        self._hosts = hosts
        self._most = most
        self._loaded: dict[Scope, PathState] = {}
        """In order of use."""
        self.held: set[Scope] = set()

    def __getitem__(self, scope: Scope) -> PathState:
        found = self._loaded.pop(scope, None)
        if found is None:
            if scope not in self._hosts:
                raise KeyError(scope)
            found = self._read(scope)
        self._loaded[scope] = found
        return found

    def __iter__(self) -> Iterator[Scope]:
        return iter(self._hosts)

    def __len__(self) -> int:
        return len(self._hosts)

    def keep(self, scope: Scope, paths: PathState) -> None:
        """Have *paths* in memory."""
        self._loaded[scope] = paths

    def drop(self, scope: Scope) -> None:
        """Forget what is in memory of a host."""
        self._loaded.pop(scope, None)
        self.held.discard(scope)

    def trim(self) -> None:
        """Let hosts leave memory, those not used for longest, until the stored octets of the others fit."""
        total = sum(self._hosts[scope].octets + 1024 for scope in self._loaded if scope in self._hosts)
        for scope in list(self._loaded):
            if total <= self._most:
                return
            if scope not in self.held:
                del self._loaded[scope]
                total -= self._hosts[scope].octets + 1024


class PathTable:
    """The paths of each host, stored in the transaction of what else was learned.

    *pending* are the hosts on whose templates nothing was decided since they last learned something, or since
    people said something else about them.
    """

    def __init__(self, connection: sqlite3.Connection, key: bytes, most_octets: int = 1 << 62) -> None:
        """*most_octets*: stored octets of the hosts that are in memory, as far as that is possible."""
        self._connection = connection
        self._key = key
        self.hosts: dict[Scope, HostRow] = {}
        self.pending: set[Scope] = set()
        self.known = KnownPaths(self._read, self.hosts, most_octets)
        for scope, row in _read_hosts(connection):
            self.hosts[scope] = row
            if row.strength.successes < 0:  # stored by an earlier version
                row.strength = self.known[scope].root.strength()
            if row.decided == UNDECIDED:
                self.pending.add(scope)
        self.known.trim()

    def _read(self, scope: Scope) -> PathState:
        """Return what is stored of a host; what cannot be read any more is learned anew."""
        stored = read_paths(self._connection, scope, self._key)
        return PathState(self._key) if stored is None else stored.paths

    def reload(self, scope: Scope) -> None:
        """Take what is stored of a host."""
        self.known.drop(scope)
        self.hosts.pop(scope, None)
        for _, row in _read_hosts(self._connection, scope):
            self.hosts[scope] = row
            if row.decided == UNDECIDED:
                self.pending.add(scope)

    def listen(self, words: Mapping[Scope, int]) -> None:
        """Make pending the hosts that were decided on while people said other than *words*."""
        for scope, row in self.hosts.items():
            if scope not in self.pending and row.decided != words.get(scope, NOTHING_SAID):
                self.pending.add(scope)

    def learn(self, scope: Scope, delta: PathState, settled: Callable[[str], str] | None = None) -> None:
        """Take in what was learned of the paths of a host, in memory; names of operations as *settled*."""
        known = self.of(scope)
        if settled is not None:
            settle_tree(delta.root, settled)
            delta.moved()
            self.hosts[scope].marked |= has_marks(delta.root)
        known.absorb(delta, fold=False)
        self.known.held.add(scope)
        self.pending.add(scope)

    def settle(
        self, application: Application, settled: Callable[[str], str], *, all_of_them: bool
    ) -> set[Scope]:
        """Rename the operations of an application as they are *settled*; return the hosts that had such.

        Those of hosts with unproven ones, or *all_of_them*. They are pending then, and to be saved whole.
        """
        changed = set()
        for scope, row in self.hosts.items():
            if scope.application_key == application and (all_of_them or row.marked):
                paths = self.known[scope]
                if settle_tree(paths.root, settled):
                    paths.moved()
                    self.known.held.add(scope)
                    self.pending.add(scope)
                    changed.add(scope)
                row.marked = has_marks(paths.root)
        return changed

    def of(self, scope: Scope) -> PathState:
        """Return what is known of the paths of a host, nothing at first."""
        if scope not in self.hosts:
            self.hosts[scope] = HostRow(Strength(0, 0, 0), UNDECIDED)
            self.known.keep(scope, PathState(self._key))
        return self.known[scope]

    def save(self, scope: Scope, delta: PathState | None, *, decided: int) -> None:
        """Store the paths of a host, of which *delta* is new (None: nothing is).

        *decided*: what people had said when it was decided on, ``UNDECIDED`` if it was not.
        """
        known, row = self.known[scope], self.hosts[scope]
        row.decided, row.strength = decided, known.root.strength()
        execute = self._connection.execute
        if delta is not None and row.octets > LARGE_BYTES and row.logged < LONGEST_LOG:
            delta.conform(known)
            execute(
                "INSERT INTO path_log (organization, environment, application, host, state)"
                " VALUES (?,?,?,?,?)",
                (*scope, delta.to_bytes()),
            )
            execute(
                "UPDATE paths SET decided = ?, successes = ?, callers = ?, first_minute = ?, marked = ?"
                f" WHERE {SCOPE}",
                (decided, *row.strength, row.marked, *scope),
            )
            row.logged += 1
            return
        octets = known.to_bytes()
        execute(
            "INSERT OR REPLACE INTO paths (organization, environment, application, host, state, decided,"
            " successes, callers, first_minute, marked) VALUES (?,?,?,?,?,?,?,?,?,?)",
            (*scope, octets, decided, *row.strength, row.marked),
        )
        if row.logged:
            execute(f"DELETE FROM path_log WHERE {SCOPE}", scope)
            row.logged = 0
        row.octets = len(octets)

    def rename(self, scope: Scope, name: Scope) -> None:
        """Give a host another name, in memory and in what is stored."""
        paths = self.known[scope]
        self.hosts[name] = self.hosts.pop(scope)
        self.known.drop(scope)
        self.known.keep(name, paths)
        self.known.held.add(name)
        self.pending.discard(scope)
        self.pending.add(name)
        for table in ("paths", "path_log"):
            self._connection.execute(f"UPDATE {table} SET host = ? WHERE {SCOPE}", (name.host, *scope))

    def remove(self, scope: Scope) -> None:
        """Forget the paths of a host."""
        self.known.drop(scope)
        self.hosts.pop(scope, None)
        self.pending.discard(scope)
        for table in ("paths", "path_log"):
            self._connection.execute(f"DELETE FROM {table} WHERE {SCOPE}", scope)

    def stored(self) -> None:
        """Say that all that is in memory is stored."""
        self.known.held.clear()
        self.known.trim()


def _read_hosts(
    connection: sqlite3.Connection, scope: Scope | None = None
) -> Iterator[tuple[Scope, HostRow]]:
    for row in connection.execute(
        "SELECT organization, environment, application, host, successes, callers, first_minute, decided,"
        " length(state), (SELECT count(*) FROM path_log WHERE organization = paths.organization AND"
        " environment = paths.environment AND application = paths.application AND host = paths.host), marked"
        f" FROM paths {'' if scope is None else f'WHERE {SCOPE}'}",
        scope or (),
    ).fetchall():
        yield Scope(*row[:4]), HostRow(Strength(*row[4:7]), *row[7:])


class StoredPaths(NamedTuple):
    """The paths of a host as they are stored."""

    paths: PathState
    octets: int
    """Without the log."""
    decided: int
    logged: int
    """Entries of the log, which are in *paths*."""


def read_paths(connection: sqlite3.Connection, scope: Scope, key: bytes) -> StoredPaths | None:
    """Return what is stored of the paths of a host; None if that is nothing, or cannot be read any more."""
    row = connection.execute(f"SELECT state, decided FROM paths WHERE {SCOPE}", scope).fetchone()
    if row is None:
        return None
    log = connection.execute(f"SELECT state FROM path_log WHERE {SCOPE} ORDER BY id", scope).fetchall()
    try:
        paths = PathState.from_bytes(row[0], key)
        for (octets,) in log:
            paths.absorb(PathState.from_bytes(octets, key))
    except ValueError:
        return None
    return StoredPaths(paths, len(row[0]), row[1], len(log))


def read_overrides(connection: sqlite3.Connection, userdata: Path, scope: Scope) -> tuple[Override, ...]:
    """Return what descriptions and users (in *userdata*) say about the paths of *scope*; users come last."""
    rows = connection.execute(
        "SELECT document FROM description WHERE organization = ? AND environment IN (?, '')"
        " AND application = ?",
        scope[:3],
    ).fetchall()
    imported = [
        Override("import", path)
        for (document,) in rows
        for path in served_paths(msgspec.json.decode(document))
    ]
    decided = [
        Override(cast(OverrideKind, kind), template)
        for _, kind, template in read_path_decisions(userdata, scope)
    ]
    return (*imported, *decided)


def read_words(connection: sqlite3.Connection, userdata: Path, scopes: Iterable[Scope]) -> dict[Scope, int]:
    """Return a checksum of what ``read_overrides`` says of each of *scopes* that it says anything of."""
    uploads: dict[tuple[str, str, str], int] = {
        (organization, environment, application): uploaded_ns
        for organization, environment, application, uploaded_ns in connection.execute(
            "SELECT organization, environment, application, uploaded_ns FROM description"
        )
    }
    decided: dict[tuple[str, str, str, str], list[tuple[str, str]]] = {}
    for scope, kind, template in read_path_decisions(userdata):
        decided.setdefault(scope, []).append((kind, template))
    words = {}
    for scope in scopes:
        described = [
            uploads.get((scope.organization, environment, scope.application), 0)
            for environment in ("", scope.environment)
        ]
        said = (*described, decided.get(scope, []))
        if any(said):
            words[scope] = zlib.crc32(msgspec.msgpack.encode(said)) + NOTHING_SAID + 1
    return words


def read_template(
    connection: sqlite3.Connection, userdata: Path, endpoint: int, key: bytes
) -> Template | None:
    """Return the template of *endpoint* with its evidence, decided from what is stored; None if not yet."""
    row = connection.execute(
        "SELECT organization, environment, application, host, template FROM endpoint"
        " WHERE id = ifnull((SELECT new_endpoint FROM endpoint_redirect WHERE old_endpoint = ?), ?)",
        (row_number(endpoint),) * 2,
    ).fetchone()
    if row is None:
        return None
    scope = Scope(*row[:4])
    stored = read_paths(connection, scope, key)
    if stored is None:
        return None
    overrides = read_overrides(connection, userdata, scope)
    return decide_templates(stored.paths, overrides).by_template.get(row[4])
