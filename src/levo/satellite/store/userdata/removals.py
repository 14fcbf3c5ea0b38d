"""What users have deleted from the catalog. The learner, which alone writes the catalog, carries it out."""

from __future__ import annotations

from pathlib import Path

from levo.satellite.store.userdata.database import Subject, opened_once
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

    For the learner; *path* may be absent.
    """
    with opened_once(path, "removal") as connection:
        if connection is None:
            return []
        rows = connection.execute(
            "SELECT id, organization, environment, application, host, method, template FROM removal"
            " WHERE id > ? ORDER BY id",
            (after,),
        ).fetchall()
    return [(row[0], row[1:5], row[5], row[6]) for row in rows]
