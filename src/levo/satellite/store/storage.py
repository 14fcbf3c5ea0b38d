"""How much room the catalog takes on disk, how it shrinks, and what is given up for a limit."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec

from levo.files import free_bytes
from levo.satellite.store.retention import DAY_S
from levo.satellite.store.traffic import drop_before

SCHEMA = """
    CREATE TABLE size_of_day (start_s INTEGER PRIMARY KEY, octets INTEGER NOT NULL) STRICT;
"""
_SLACK_PARTS, _SLACK_PAGES = 16, 64
"""A 16th of the pages, and so many, may be free: the next hour's rollups take them."""
_VACUUM_PAGES = 5_000
"""Pages that are given back in one transaction."""
_GROWTH_DAYS = 7
_SIZES_KEPT = 400
_PART = 4
"""A limit takes this part of what there is of a kind, and looks again."""


class Storage(msgspec.Struct, frozen=True):
    """The catalog's file and the disk that it is on, in octets."""

    stored_bytes: int
    """What is kept."""
    free_bytes: int
    """Pages of the file that hold nothing (any more)."""
    log_bytes: int
    """Of the write-ahead log."""
    disk_free_bytes: int
    """What the disk has left for us."""
    growth_bytes: float
    """By how much what is kept grew a day, over the last week or as long as is known; it may have shrunk."""

    @property
    def file_bytes(self) -> int:
        """Of the catalog's file."""
        return self.stored_bytes + self.free_bytes

    @property
    def days_left(self) -> float | None:
        """After how many days of this growth the disk is full; None if it does not grow."""
        return self.disk_free_bytes / self.growth_bytes if self.growth_bytes > 0 else None


def read_storage(connection: sqlite3.Connection, path: Path) -> Storage:
    """Return how much room the catalog at *path* takes."""
    stored, free = _pages(connection)
    sizes = connection.execute(
        "SELECT start_s, octets FROM size_of_day ORDER BY start_s DESC LIMIT ?", (_GROWTH_DAYS + 1,)
    ).fetchall()
    growth = 0.0
    if len(sizes) > 1:
        (last_s, last), (first_s, first) = sizes[0], sizes[-1]
        growth = (last - first) / ((last_s - first_s) / DAY_S)
    log = path.with_name(f"{path.name}-wal")
    return Storage(stored, free, log.stat().st_size if log.exists() else 0, free_bytes(path.parent), growth)


def _pages(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return the octets of pages that hold something, and of those that hold nothing."""
    (count,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    return (count - free) * size, free * size


def note_size(connection: sqlite3.Connection, now_s: int) -> None:
    """Remember the size of the day that *now_s* is in."""
    stored, _ = _pages(connection)
    connection.execute("INSERT OR REPLACE INTO size_of_day VALUES (?, ?)", (now_s // DAY_S * DAY_S, stored))
    connection.execute(
        "DELETE FROM size_of_day WHERE start_s <= (SELECT start_s FROM size_of_day"
        " ORDER BY start_s DESC LIMIT 1 OFFSET ?)",
        (_SIZES_KEPT,),
    )


def give_back(connection: sqlite3.Connection, path: Path) -> None:
    """Give free pages back to the disk, so that the file shrinks after much was deleted.

    A catalog of an earlier version is written anew once for this, if the disk has the room for it. Not inside
    of a transaction.
    """
    stored, free = _pages(connection)
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    spare = max(_SLACK_PAGES, (stored // size) // _SLACK_PARTS)
    if free // size <= spare:
        return
    if connection.execute("PRAGMA auto_vacuum").fetchone()[0] != _INCREMENTAL:
        if free_bytes(path.parent) > 3 * stored:
            connection.execute(f"PRAGMA auto_vacuum = {_INCREMENTAL}")
            connection.execute("VACUUM")
        return
    pages = min(free // size - spare, _VACUUM_PAGES)
    # As a script: a statement without columns is stepped once only, which gives back one page.
    connection.executescript(f"PRAGMA incremental_vacuum({pages})")


_INCREMENTAL = 2


def prepare(connection: sqlite3.Connection) -> None:
    """Let a new database give its free pages back; an earlier one is left as it is."""
    if connection.execute("PRAGMA page_count").fetchone()[0] == 0:
        connection.execute(f"PRAGMA auto_vacuum = {_INCREMENTAL}")


def stored_bytes(connection: sqlite3.Connection) -> int:
    """Return the octets of pages that hold something."""
    return _pages(connection)[0]


def drop_oldest_steps(connection: sqlite3.Connection, size_s: int, keep: int) -> int:
    """Delete a quarter of the rollups of *size_s* seconds, oldest first; return how many.

    The newest *keep* steps stay.
    """
    starts = [
        start
        for (start,) in connection.execute(
            "SELECT start_s FROM learned_step WHERE size_s = ? ORDER BY start_s", (size_s,)
        )
    ]
    first = connection.execute("SELECT min(start_s) FROM rollup WHERE place = 0 AND size_s = ?", (size_s,))
    begun_s = first.fetchone()[0]
    starts = [start for start in starts if begun_s is not None and start >= begun_s]
    most = len(starts) - keep
    if most <= 0:
        return 0
    before_s = starts[min(most, max(1, len(starts) // _PART))]
    return drop_before(connection, size_s, before_s)


def drop_oldest_changes(connection: sqlite3.Connection) -> int:
    """Delete a quarter of the changes, oldest first; return how many. Those of new endpoints stay."""
    return connection.execute(
        "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE kind != 'endpoint' ORDER BY id"
        f" LIMIT (SELECT count(*) / {_PART} FROM event WHERE kind != 'endpoint'))"
    ).rowcount
