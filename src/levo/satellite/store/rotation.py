"""A new key for the hashes of an installation: everything that was made with the old one starts anew."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from levo.errors import LevoError
from levo.satellite.learn import Application, Knowledge, Proven, Scope
from levo.satellite.learn.schema import Node, pack_knowledge, unpack_knowledge
from levo.satellite.store.hosts import UNNAMED
from levo.satellite.store.names import read_proven
from levo.satellite.store.paths import UNDECIDED, PathTable
from levo.satellite.store.schema import DATABASE_NAME, open_for_writing

KEY_NAME = "learner.key"
KEY_BYTES = 32


def read_key(path: Path) -> bytes:
    """Return the key of an installation."""
    return path.read_bytes()[:64]


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a new key has made unusable."""

    callers: int
    """Places whose callers are counted anew."""
    objects: int
    """Places whose different objects are counted anew."""
    hosts: int
    """Hosts that no longer know which values responses gave out, and which names were forgotten."""
    unproven: int
    """Places that nothing had proven to exist, or of hosts or operations without a proven name, which were
    deleted."""
    names: int
    """Names that were not proven, which were deleted with what was known of them."""


def rotate_key(data_dir: Path) -> Rotation:
    """Replace the key of the hashes in *data_dir*, which no Satellite may be using.

    Raises:
        LevoError: there is no Satellite's data there, or it cannot be written.
    """
    path, key = data_dir / DATABASE_NAME, data_dir / KEY_NAME
    if not path.is_file() or not key.is_file():
        raise LevoError(f"{data_dir}: has no data of a Satellite")
    new = key.with_suffix(".new")
    try:
        old = read_key(key)
        with contextlib.closing(open_for_writing(path)) as connection:
            new.unlink(missing_ok=True)
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(os.urandom(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            rotation = _restart(connection, old)
            # What was hashed with the old key is gone by now; if this is not reached, it is used once more.
            new.rename(key)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except (sqlite3.Error, OSError) as error:
        raise LevoError(f"{data_dir}: the key cannot be replaced: {error}") from error
    return rotation


def _restart(connection: sqlite3.Connection, key: bytes) -> Rotation:
    execute = connection.execute
    execute("BEGIN IMMEDIATE")
    callers = execute("UPDATE place SET callers = x'' WHERE callers != x''").rowcount
    execute("UPDATE endpoint SET callers = x''")
    unnamed = f"substr(host, 1, 1) = '{UNNAMED}'"
    marked = "(instr(path_key, '/#/?') OR instr(path_key, '/#grpc/') AND instr(path_key, '/?'))"
    gone = f"{unnamed} OR id IN (SELECT endpoint FROM place WHERE {marked})"
    execute(
        "INSERT OR REPLACE INTO endpoint_redirect (old_endpoint, new_endpoint, exchanges)"
        f" SELECT id, 0, exchanges FROM endpoint WHERE {gone}"
    )
    execute(f"DELETE FROM endpoint WHERE {gone}")
    unproven = execute(f"DELETE FROM place WHERE unproven OR {unnamed} OR {marked}").rowcount
    for table_name in ("paths", "path_log"):
        execute(f"DELETE FROM {table_name} WHERE {unnamed}")
    objects = 0
    proven: dict[Application, Proven] = {}
    places = execute("SELECT id, organization, environment, application FROM place").fetchall()
    for identity, *place in places:
        (octets,) = execute("SELECT knowledge FROM place WHERE id = ?", (identity,)).fetchone()
        known = unpack_knowledge(octets)
        sketched = [node for node in _nodes(known) if node.distinct]
        objects += bool(sketched)
        for node in sketched:
            node.distinct = b""
        if sketched or known.unsettled:
            application = Application(*place)
            if application not in proven:
                proven[application] = read_proven(connection, application, key)
            known.reveal(proven[application])  # leaves out what is not proven
            execute("UPDATE place SET knowledge = ? WHERE id = ?", (pack_knowledge(known), identity))
    table = PathTable(connection, key)
    hosts = [scope for scope, paths in table.known.items() if paths.restart_hashes()]
    for scope in hosts:
        table.save(Scope(*scope), None, decided=UNDECIDED)
    names = execute("DELETE FROM unproven_name").rowcount
    execute("DELETE FROM name_caller")
    execute("COMMIT")
    return Rotation(callers, objects, len(hosts), unproven, names)


def _nodes(known: Knowledge) -> Iterator[Node]:
    bodies = [*known.bodies.values()]
    for response in known.responses.values():
        bodies += response.bodies.values()
        yield from response.headers.walk()
    for body in bodies:
        yield from body.schema.walk()
    for node in (known.query, known.headers, known.cookies, *known.segments.values()):
        yield from node.walk()
