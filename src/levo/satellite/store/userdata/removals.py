"""What users have deleted from the catalog. The learner, which alone writes the catalog, carries it out."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from levo.satellite.store.userdata.database import Subject
from levo.satellite.store.userdata.decisions import Host


class Removals(Subject):
    """Endpoints and hosts that users have deleted, in order. What is deleted comes back with new traffic."""

    def remove(self, host: Host, method: str, template: str, now_ns: int) -> int:
        """Ask for an endpoint to be deleted, *template* with its parameters unnamed; return the number.

        Without *method* and *template*, for the whole host.
        """
        rows = self._database.rows(
            "INSERT INTO removal (time_ns, organization, environment, application, host, method, template)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
            now_ns, *host, method, template,
        )  # fmt: skip
        return int(rows[0][0])


def read_removals(path: Path, after: int) -> list[tuple[int, Host, str, str]]:
    """Return number, host, method and template of what was deleted after the number *after*, in order.

    For the learner, which has its own process: *path* is opened for this call and may be absent.
    """
    if not path.exists():
        return []
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'removal'").fetchone():
            return []  # written by an earlier version, and not opened by this one yet
        rows = connection.execute(
            "SELECT id, organization, environment, application, host, method, template FROM removal"
            " WHERE id > ? ORDER BY id",
            (after,),
        ).fetchall()
    return [(row[0], row[1:5], row[5], row[6]) for row in rows]
