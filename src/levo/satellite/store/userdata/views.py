"""Queries of the catalog with a name."""

from __future__ import annotations

import msgspec

from levo.satellite.store.userdata.database import Subject, row_number


class SavedView(msgspec.Struct, frozen=True):
    """A query of the catalog with a name."""

    id: int
    name: str
    query: str
    created_by: str
    created_ns: int


class Views(Subject):
    """Views by organization and name."""

    def save(self, name: str, query: str, actor: str, now_ns: int, organization: str = "") -> None:
        """Keep a query under *name*, in place of the one of *organization* that had it."""
        self._database.run(
            "INSERT INTO view (name, query, created_by, created_ns, organization) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET query = excluded.query, created_by = excluded.created_by",
            name, query, actor, now_ns, organization,
        )  # fmt: skip

    def all(self, organization: str = "") -> list[SavedView]:
        """Return the saved views by name: those of *organization*, or all if it is empty."""
        rows = self._database.rows(
            "SELECT id, name, query, created_by, created_ns FROM view WHERE ? IN ('', organization)"
            " ORDER BY name, id LIMIT 200",
            organization,
        )
        return [SavedView(*row) for row in rows]

    def remove(self, identity: int, organization: str = "") -> bool:
        """Forget a view, of *organization* if one is named; return whether there was one."""
        gone = self._database.run(
            "DELETE FROM view WHERE id = ? AND ? IN ('', organization)", row_number(identity), organization
        )
        return gone > 0
