"""What exceptions say about disk and database; a real full disk is in ``web/test_storage_faults.py``."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

import pytest

from levo.errors import LevoError
from levo.satellite.store.faults import Fault, described, fault_of, opening


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), Fault.FULL),
        (OSError(errno.EIO, "Input/output error"), Fault.REFUSED),
        (OSError(errno.ECONNRESET, "reset"), None),
        (ConnectionResetError(), None),
        (sqlite3.ProgrammingError("a bug"), None),
        (ValueError("database is locked"), None),
    ],
)
def test_only_faults_of_the_storage_are_recognized(error: Exception, fault: Fault | None) -> None:
    assert fault_of(error) is fault


def test_what_sqlite_raises_is_recognized(tmp_path: Path) -> None:
    path = tmp_path / "database"
    path.write_bytes(b"SQLite is not this" * 100)
    for target, fault in ((path, Fault.DAMAGED), (tmp_path / "none" / "x", Fault.REFUSED)):
        with pytest.raises(sqlite3.Error) as raised:
            sqlite3.connect(target).execute("SELECT * FROM sqlite_schema")
        assert fault_of(raised.value) is fault


def test_whatever_fails_while_databases_are_opened_is_one_line(tmp_path: Path) -> None:
    for error in (
        sqlite3.DatabaseError("database disk image is malformed"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        TypeError("cannot unpack non-iterable NoneType object"),
    ):
        with pytest.raises(LevoError, match=r"damaged.*restore a backup") as raised, opening(tmp_path):
            raise error
        assert "\n" not in str(raised.value)


def test_a_fault_is_described_without_its_text() -> None:
    try:
        int("secret")
    except ValueError as error:
        assert described(error).startswith("ValueError at test_faults:")
        assert "secret" not in described(error)
