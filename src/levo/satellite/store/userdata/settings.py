"""Settings that are made at the pages or by the Satellite itself."""

from __future__ import annotations

from levo.satellite.store.userdata.database import Subject


class Settings(Subject):
    """Texts by name."""

    def get(self, name: str) -> str:
        """Return a setting, empty if it was never made."""
        rows = self._database.rows("SELECT value FROM setting WHERE name = ?", name)
        return str(rows[0][0]) if rows else ""

    def set(self, name: str, value: str) -> None:
        """Keep a setting."""
        self._database.run("INSERT OR REPLACE INTO setting VALUES (?, ?)", name, value)
