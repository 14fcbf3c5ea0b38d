"""One connection to the database of users' data, for all subjects.

A database of its own beside the catalog, so that neither waits for the other. One process uses it, from any
of its threads; the learner reads it, and takes decisions along when a host gets its name. Secrets are kept as
digests; of what is learned from traffic, only what alerts and findings say is kept here.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from levo.errors import LevoError
from levo.satellite.store.userdata.schema import STEPS

USERDATA_NAME = "userdata.sqlite3"
EARLIER_NAME = "desk.sqlite3"
"""What the file was called by versions before 0.1.0."""

TIMEOUT_S = 30
"""How long one process waits for another that writes."""

Row = tuple[Any, ...]


@contextlib.contextmanager
def opened_once(path: Path, table: str, *, write: bool = False) -> Iterator[sqlite3.Connection | None]:
    """Open the database at *path* for one thing that the learner, a process of its own, has to do.

    None if it is absent, or was written by an earlier version without *table* and not opened by this one yet.
    """
    if not path.exists():
        yield None
        return
    uri = f"{path.absolute().as_uri()}?mode={'rw' if write else 'ro'}"
    with contextlib.closing(
        sqlite3.connect(uri, uri=True, isolation_level=None, timeout=TIMEOUT_S)
    ) as connection:
        known = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
        yield connection if known else None


class UserDatabase:
    """Everything is durable when a method returns. Use :meth:`change` to do several things at once."""

    def __init__(self, path: Path) -> None:
        """Open or make the database.

        Raises:
            LevoError: the file cannot be used.
        """
        self.path = path
        self.lock = threading.RLock()
        try:
            if path.name == USERDATA_NAME:
                _rename_earlier(path.with_name(EARLIER_NAME), path)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=TIMEOUT_S
            )
            try:
                self._prepare()
            except BaseException:
                self._connection.close()  # with the transaction of a step that failed
                raise
        except (sqlite3.DatabaseError, OSError) as error:
            raise LevoError(f"{path}: cannot be used: {error}") from error

    def _prepare(self) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.execute("PRAGMA secure_delete = ON")
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version > len(STEPS):
            raise LevoError(f"{self.path}: was written by a later version of levo; upgrade to read it")
        for number, step in enumerate(STEPS[version:], start=version + 1):
            self._connection.executescript(
                f"BEGIN IMMEDIATE; {step}; PRAGMA user_version = {number}; COMMIT;"
            )

    def close(self) -> None:
        """Close the database. Legal twice."""
        with self.lock:
            self._connection.close()

    @contextlib.contextmanager
    def change(self) -> Iterator[None]:
        """All that is done inside happens, or nothing of it. May be nested."""
        with self.lock:
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def backup(self, target: Path) -> None:
        """Copy the database as it is at one moment to *target*, while it is in use."""
        with self.lock, contextlib.closing(sqlite3.connect(target)) as copy:
            self._connection.backup(copy)

    def rows(self, sql: str, *values: object) -> list[Row]:
        """Run *sql* and return its rows."""
        with self.lock:
            return self._connection.execute(sql, values).fetchall()

    def each(self, select: str) -> Iterator[Row]:
        """Yield the rows of *select*, whose first column is the table's ``id``, the latest first.

        Goes on from the last number that it has seen, so what is added meanwhile moves nothing.
        """
        last = _AFTER_ALL
        while rows := self.rows(f"{select} WHERE id < ? ORDER BY id DESC LIMIT {_BATCH}", last):
            yield from rows
            last = int(str(rows[-1][0]))

    def run(self, sql: str, *values: object) -> int:
        """Run *sql* and return how many rows it changed."""
        with self.lock:
            return self._connection.execute(sql, values).rowcount


def _rename_earlier(earlier: Path, path: Path) -> None:
    """Give the file of an earlier version the name that it has now.

    Its log is written into it first, which leaves one file to rename: after a crash it is there whole, under
    one name or the other.
    """
    if not earlier.exists():
        return
    if path.exists():
        raise LevoError(
            f"{earlier} and {path.name} are both there: an earlier version ran after this one;"
            " move aside the one whose accounts and decisions are not wanted"
        )
    with contextlib.closing(sqlite3.connect(earlier, isolation_level=None, timeout=2)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    earlier.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class Subject:
    """One subject of the users' data, over the connection that all share."""

    def __init__(self, database: UserDatabase) -> None:
        self._database = database

    def change(self) -> contextlib.AbstractContextManager[None]:
        """See :meth:`UserDatabase.change`; what is done to other subjects inside is part of it."""
        return self._database.change()


_BATCH = 500
_AFTER_ALL = (1 << 63) - 1


def row_number(asked: int) -> int:
    """Return *asked*, or 0, which no row has, where it is more than a row's number can be.

    SQLite counts rows from 1 in 64 bits with a sign; a number from a URL may have any length.
    """
    return asked if asked < 1 << 63 else 0
