"""Where alerts are sent."""

from __future__ import annotations

import msgspec

from levo.satellite.store.userdata.database import Subject


class Webhook(msgspec.Struct, frozen=True):
    """Where alerts are sent."""

    id: int
    url: str
    kinds: str
    created_by: str
    created_ns: int
    last_status: str


class Webhooks(Subject):
    """Webhooks by address."""

    def add(self, url: str, kinds: str, actor: str, now_ns: int) -> None:
        """Send alerts of *kinds* (comma list) to *url* from now on."""
        self._database.run(
            "INSERT INTO webhook (url, kinds, created_by, created_ns) VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET kinds = excluded.kinds",
            url, kinds, actor, now_ns,
        )  # fmt: skip

    def all(self) -> list[Webhook]:
        """Return where alerts are sent."""
        rows = self._database.rows(
            "SELECT id, url, kinds, created_by, created_ns, last_status FROM webhook ORDER BY id LIMIT 100"
        )
        return [Webhook(*row) for row in rows]

    def remove(self, identity: int) -> bool:
        """Send no more; return whether there was one."""
        return self._database.run("DELETE FROM webhook WHERE id = ?", identity) > 0

    def set_status(self, identity: int, status: str) -> None:
        """Remember how the last delivery went."""
        self._database.run("UPDATE webhook SET last_status = ? WHERE id = ?", status[:200], identity)
