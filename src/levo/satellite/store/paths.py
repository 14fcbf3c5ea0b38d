"""What is stored of the paths of a host, and what users and descriptions say about them."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, cast

import msgspec

from levo.satellite.learn import Application, Override, PathState, Scope, decide_templates
from levo.satellite.learn.paths import Template
from levo.satellite.learn.paths.known import Kind as OverrideKind
from levo.satellite.learn.paths.operation_names import has_marks, settle_tree
from levo.satellite.store.userdata.database import row_number
from levo.satellite.store.userdata.decisions import read_path_decisions

_SCOPE = "organization = ? AND environment = ? AND application = ? AND host = ?"
LARGE_BYTES = 1 << 16
"""A host whose paths take more is not written anew with each commit: what is new is put into a log …"""
LONGEST_LOG = 32
"""… of at most so many entries."""
UNDECIDED, NOTHING_SAID = 0, 1
"""Values of ``decided`` that stand for no decision and for one without a word from people; the others are
checksums of what people said (``read_words``)."""


class PathTable:
    """The paths of each host, in memory, and stored in the transaction of what else was learned.

    *pending* are the hosts on whose templates nothing was decided since they last learned something, or since
    people said something else about them.
    """

    def __init__(self, connection: sqlite3.Connection, key: bytes) -> None:
        self._connection = connection
        self._key = key
        self.known: dict[Scope, PathState] = {}
        self.pending: set[Scope] = set()
        self._logged: dict[Scope, int] = {}
        """Entries in the log by host that has one."""
        self._bytes: dict[Scope, int] = {}
        self._marked: set[Scope] = set()
        """Hosts with operations whose names are not proven."""
        self._decided: dict[Scope, int] = {}
        """What people had said about each host when it was decided on."""
        for row in connection.execute("SELECT organization, environment, application, host FROM paths"):
            self.reload(Scope(*row))

    def reload(self, scope: Scope) -> None:
        """Take what is stored of a host; what cannot be read any more is learned anew."""
        self.known.pop(scope, None)
        self._logged.pop(scope, None)
        stored = read_paths(self._connection, scope, self._key)
        if stored is None:
            return
        self.known[scope], self._bytes[scope], self._decided[scope], logged = stored
        if has_marks(self.known[scope].root):
            self._marked.add(scope)
        if logged:
            self._logged[scope] = logged
        if self._decided[scope] == UNDECIDED:
            self.pending.add(scope)

    def listen(self, words: Mapping[Scope, int]) -> None:
        """Make pending the hosts that were decided on while people said other than *words*."""
        for scope in self.known.keys() - self.pending:
            if self._decided.get(scope, NOTHING_SAID) != words.get(scope, NOTHING_SAID):
                self.pending.add(scope)

    def learn(self, scope: Scope, delta: PathState, settled: Callable[[str], str] | None = None) -> None:
        """Take in what was learned of the paths of a host, in memory; names of operations as *settled*."""
        if scope not in self.known:
            self.known[scope] = delta.empty()
        if settled is not None:
            settle_tree(delta.root, settled)
            delta.moved()
            if has_marks(delta.root):
                self._marked.add(scope)
        self.known[scope].absorb(delta, fold=False)
        self.pending.add(scope)

    def settle(
        self, application: Application, settled: Callable[[str], str], *, all_of_them: bool
    ) -> set[Scope]:
        """Rename the operations of an application as they are *settled*; return the hosts that had such.

        Those of hosts with unproven ones, or *all_of_them*. They are pending then, and to be saved whole.
        """
        changed = set()
        for scope in list(self.known) if all_of_them else list(self._marked):
            if scope.application_key == application:
                paths = self.known[scope]
                if settle_tree(paths.root, settled):
                    paths.moved()
                    self.pending.add(scope)
                    changed.add(scope)
                if has_marks(paths.root):
                    self._marked.add(scope)
                else:
                    self._marked.discard(scope)
        return changed

    def of(self, scope: Scope) -> PathState:
        """Return what is known of the paths of a host, nothing at first."""
        return self.known.setdefault(scope, PathState(self._key))

    def save(self, scope: Scope, delta: PathState | None, *, decided: int) -> None:
        """Store the paths of a host, of which *delta* is new (None: nothing is).

        *decided*: what people had said when it was decided on, ``UNDECIDED`` if it was not.
        """
        known = self.known[scope]
        self._decided[scope] = decided
        execute = self._connection.execute
        if delta is not None and self._bytes.get(scope, 0) > LARGE_BYTES:
            logged = self._logged.get(scope, 0)
            if logged < LONGEST_LOG:
                delta.conform(known)
                execute(
                    "INSERT INTO path_log (organization, environment, application, host, state)"
                    " VALUES (?,?,?,?,?)",
                    (*scope, delta.to_bytes()),
                )
                execute(f"UPDATE paths SET decided = ? WHERE {_SCOPE}", (decided, *scope))
                self._logged[scope] = logged + 1
                return
        octets = known.to_bytes()
        execute(
            "INSERT OR REPLACE INTO paths (organization, environment, application, host, state, decided)"
            " VALUES (?,?,?,?,?,?)",
            (*scope, octets, decided),
        )
        if self._logged.pop(scope, 0):
            execute(f"DELETE FROM path_log WHERE {_SCOPE}", scope)
        self._bytes[scope] = len(octets)


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
    row = connection.execute(f"SELECT state, decided FROM paths WHERE {_SCOPE}", scope).fetchone()
    if row is None:
        return None
    log = connection.execute(f"SELECT state FROM path_log WHERE {_SCOPE} ORDER BY id", scope).fetchall()
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
        for path in msgspec.json.decode(document).get("paths", {})
        if isinstance(path, str) and path.startswith("/")
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
