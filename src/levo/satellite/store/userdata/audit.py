"""What users did."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from levo.satellite.store.userdata.database import Subject


class AuditEntry(msgspec.Struct, frozen=True):
    """Something that somebody did."""

    id: int
    time_ns: int
    actor: str
    action: str
    subject: str
    detail: str


class AuditLog(Subject):
    """Grows only."""

    def record(self, actor: str, action: str, subject: str, detail: str, now_ns: int) -> None:
        """Add to the audit log."""
        self._database.run(
            "INSERT INTO audit (time_ns, actor, action, subject, detail) VALUES (?, ?, ?, ?, ?)",
            now_ns, actor[:200], action, subject[:1000], detail[:1000],
        )  # fmt: skip

    def page(self, limit: int = 100, offset: int = 0) -> tuple[int, list[AuditEntry]]:
        """Return how many entries there are, and some of them, newest first."""
        (total,) = self._database.rows("SELECT count(*) FROM audit")[0]
        rows = self._database.rows(
            "SELECT id, time_ns, actor, action, subject, detail FROM audit ORDER BY id DESC LIMIT ? OFFSET ?",
            limit, offset,
        )  # fmt: skip
        return int(str(total)), [AuditEntry(*row) for row in rows]

    def each(self) -> Iterator[AuditEntry]:
        """Yield all entries, newest first, a batch in memory at a time."""
        for row in self._database.each("SELECT id, time_ns, actor, action, subject, detail FROM audit"):
            yield AuditEntry(*row)
