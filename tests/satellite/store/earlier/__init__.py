"""A data directory as a Satellite of an earlier version left it (``make.py``)."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

HERE = Path(__file__).parent
CATALOG, USERDATA = "catalog.sqlite3", "desk.sqlite3"


def restore_earlier(folder: Path, *, killed: bool = False) -> Path:
    """Make the directory; *killed*: with all of it in the write-ahead logs."""
    folder.mkdir(exist_ok=True)
    for source, name in (("catalog.sql", CATALOG), ("desk.sql", USERDATA)):
        made = folder / f"making-{name}"
        with contextlib.closing(sqlite3.connect(made)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript((HERE / source).read_text(encoding="utf-8"))
            for suffix in ("", "-wal") if killed else ():
                shutil.copyfile(f"{made}{suffix}", folder / f"{name}{suffix}")
        if killed:
            made.unlink()
        else:
            made.rename(folder / name)
    return folder


def rows_of(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """The rows of each table, in order."""
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        return {name: sorted(connection.execute(f"SELECT * FROM {name}"), key=repr) for (name,) in tables}
