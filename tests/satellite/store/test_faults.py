"""What exceptions say about disk and database; a real full disk is in ``web/test_storage_faults.py``."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

import pytest

from levo.satellite.store.faults import Fault, fault_of


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
