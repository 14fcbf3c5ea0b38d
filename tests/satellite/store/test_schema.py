from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from levo.errors import LevoError
from levo.satellite.store.schema import open_for_reading, open_for_writing


def test_a_commit_is_durable_before_it_returns(tmp_path: Path) -> None:
    connection = open_for_writing(tmp_path / "catalog")

    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        connection = open_for_writing(tmp_path / "catalog")
        schema = connection.execute("SELECT sql FROM sqlite_schema ORDER BY name").fetchall()
        connection.close()

    assert len(schema) > 4
    assert (tmp_path / "catalog").stat().st_mode & 0o077 == 0


def test_a_later_schema_and_a_foreign_file_are_refused(tmp_path: Path) -> None:
    connection = open_for_writing(tmp_path / "later")
    connection.execute("PRAGMA user_version = 9999")
    connection.close()
    (tmp_path / "foreign").write_bytes(b"this is no database" * 100)

    with pytest.raises(LevoError, match="later version"):
        open_for_writing(tmp_path / "later")
    with pytest.raises(LevoError, match="cannot be used as the catalog"):
        open_for_writing(tmp_path / "foreign")
    with pytest.raises(LevoError, match="cannot be used as the catalog"):
        open_for_writing(tmp_path / "no such folder" / "catalog")


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    open_for_writing(tmp_path / "catalog?#").close()
    connection = open_for_reading(tmp_path / "catalog?#")

    with pytest.raises(sqlite3.OperationalError):
        connection.execute("DELETE FROM endpoint")
    connection.close()
