"""The key of an installation: a catalog knows which one its hashes were made with, and can get a new one.

With another key every hash would be of somebody else: callers would count twice, objects and names start
anew, and nothing would say so. So a catalog is used with its own key only.
"""

from __future__ import annotations

import contextlib
import hashlib
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


def make_key(path: Path) -> bytes:
    """Return the key at *path*, made if absent, for its owner only.

    Raises:
        OSError: it can be neither read nor made.
    """
    if not path.exists():
        # Under its name it is whole or not there: half a key would be one that can be guessed.
        making = path.with_suffix(f".{os.getpid()}")
        making.unlink(missing_ok=True)
        _write_key(making)
        with contextlib.suppress(FileExistsError):
            os.link(making, path)
        making.unlink()
    return read_key(path)


def read_fingerprint(path: Path) -> str:
    """Return what tells the key of the catalog at *path*; empty if none was settled.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    with contextlib.closing(
        sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)
    ) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'fact'").fetchone():
            return ""  # of an earlier version
        row = connection.execute("SELECT value FROM fact WHERE name = ?", (_FACT,)).fetchone()
        return str(row[0]) if row else ""


def fits(fingerprint: str, key: bytes) -> bool:
    """Whether hashes of a catalog with this *fingerprint* are made with *key*; so they are if it has none."""
    return fingerprint in ("", _fingerprint(key))


def settle_key(data_dir: Path) -> None:
    """See that the catalog of *data_dir*, which no learner uses, has its key beside it, made if it needs one.

    Raises:
        LevoError: the key is missing or another one, or cannot be read or made.
    """
    path, key, new = data_dir / DATABASE_NAME, data_dir / KEY_NAME, (data_dir / KEY_NAME).with_suffix(".new")
    try:
        settled = read_fingerprint(path)
        if settled:
            if not key.exists() or not fits(settled, read_key(key)):
                if new.exists() and fits(settled, read_key(new)):
                    new.rename(key)  # a rotation was interrupted in its last step
                    return
                state = "is not the key of this catalog" if key.exists() else "is missing"
                raise LevoError(
                    f"{key}: {state}; put back the key of its backup,"
                    " or let rotate-key make a new one and count callers and objects anew"
                )
            return
        octets = make_key(key)
        with contextlib.closing(open_for_writing(path)) as connection:
            connection.execute("INSERT INTO fact VALUES (?, ?)", (_FACT, _fingerprint(octets)))
    except OSError as error:
        raise LevoError(f"{key}: {error.strerror}") from error


_FACT = "key"
"""The name of the fingerprint among the facts of a catalog."""


def _fingerprint(key: bytes) -> str:
    """Return what tells *key* from others and nothing else of it."""
    return hashlib.blake2b(key=key, person=b"fingerprint", digest_size=16).hexdigest()


def _write_key(path: Path) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(os.urandom(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())


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
    if not path.is_file():
        raise LevoError(f"{data_dir}: has no data of a Satellite")
    new = key.with_suffix(".new")
    try:
        # Without the old one, names that are proven only by their hashes are lost as well.
        old = read_key(key) if key.is_file() else os.urandom(KEY_BYTES)
        with contextlib.closing(open_for_writing(path)) as connection:
            new.unlink(missing_ok=True)
            _write_key(new)
            rotation = _restart(connection, old, read_key(new))
            new.rename(key)  # if this is not reached, the next start does it
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except (sqlite3.Error, OSError) as error:
        raise LevoError(f"{data_dir}: the key cannot be replaced: {error}") from error
    return rotation


def _restart(connection: sqlite3.Connection, key: bytes, new: bytes) -> Rotation:
    execute = connection.execute
    execute("BEGIN IMMEDIATE")
    execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (_FACT, _fingerprint(new)))
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
