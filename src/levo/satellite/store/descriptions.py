"""Uploaded OpenAPI descriptions: the one thing that the web side writes into the catalog."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from levo.errors import LevoError


def remove_description(path: Path, place: tuple[str, str, str]) -> bool:
    """Forget what was uploaded for an application; return whether there was something.

    Raises:
        LevoError: the catalog at *path* cannot be written.
    """
    try:
        with closing(sqlite3.connect(path, timeout=30)) as connection, connection:
            connection.execute("PRAGMA secure_delete = ON")
            done = connection.execute(
                "DELETE FROM description WHERE organization = ? AND environment = ? AND application = ?",
                place,
            )
            return done.rowcount > 0
    except sqlite3.Error as error:
        raise LevoError(f"{path}: cannot be written: {error}") from error


def store_description(path: Path, place: tuple[str, str, str], uploaded_ns: int, document: str) -> None:
    """Store *document* (JSON) for (organization, environment, application) in the place of an earlier one.

    Its paths win over learned templates from the learner's next decision on.

    Raises:
        LevoError: the catalog at *path* cannot be written.
    """
    try:
        with closing(sqlite3.connect(path, timeout=30)) as connection, connection:
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute(
                "INSERT OR REPLACE INTO description VALUES (?,?,?,?,?)", (*place, uploaded_ns, document)
            )
    except sqlite3.Error as error:
        raise LevoError(f"{path}: cannot be written: {error}") from error
