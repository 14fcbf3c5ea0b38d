"""What an exception of a disk or a database means: the fault is of this machine, not of who asks."""

from __future__ import annotations

import errno
import sqlite3
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from levo.errors import LevoError


class Fault(StrEnum):
    """The value says it to people."""

    FULL = "the disk of this Satellite is full; nothing was changed"
    REFUSED = "the disk of this Satellite refuses to read or write"
    DAMAGED = "a database of this Satellite is damaged; stop it and restore a backup"
    BUSY = "the database of this Satellite is busy; try again"


_BY_ERRNO = {
    errno.ENOSPC: Fault.FULL,
    errno.EDQUOT: Fault.FULL,
    errno.EROFS: Fault.REFUSED,
    errno.EIO: Fault.REFUSED,
}
_BY_CODE = {
    sqlite3.SQLITE_FULL: Fault.FULL,
    sqlite3.SQLITE_READONLY: Fault.REFUSED,
    sqlite3.SQLITE_IOERR: Fault.REFUSED,
    sqlite3.SQLITE_CANTOPEN: Fault.REFUSED,
    sqlite3.SQLITE_CORRUPT: Fault.DAMAGED,
    sqlite3.SQLITE_NOTADB: Fault.DAMAGED,
    sqlite3.SQLITE_FORMAT: Fault.DAMAGED,
    sqlite3.SQLITE_BUSY: Fault.BUSY,
    sqlite3.SQLITE_LOCKED: Fault.BUSY,
}


def fault_of(error: BaseException) -> Fault | None:
    """Return what *error* says about disk or database; None if it is about something else."""
    if isinstance(error, OSError):
        return _BY_ERRNO.get(error.errno or 0)
    if not isinstance(error, sqlite3.Error):
        return None
    if "decode to UTF-8" in str(error) or "malformed" in str(error):
        return Fault.DAMAGED
    return _BY_CODE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)


def described(error: BaseException) -> str:
    """Return *error* in one line: its kind and where it was raised, not its text, which may be captured."""
    places = [
        f"{Path(each.filename).stem}:{each.lineno}" for each in traceback.extract_tb(error.__traceback__)
    ]
    return f"{type(error).__name__} at {' > '.join(places[-4:])}"


@contextmanager
def opening(folder: Path) -> Iterator[None]:
    """Turn whatever damaged databases in *folder* lead to, while they are opened, into one line.

    Raises:
        LevoError: they cannot be used.
    """
    try:
        yield
    except LevoError:
        raise
    except Exception as error:
        # Damage shows as it likes: as an error of SQLite, as text that is not UTF-8, as a missing row.
        what = fault_of(error) or f"a database is damaged ({described(error)}); restore a backup"
        raise LevoError(f"{folder}: cannot be used: {what}") from error
