"""Who is logged in."""

from __future__ import annotations

import msgspec

from levo.satellite.store.userdata.database import Subject


class Session(msgspec.Struct, frozen=True):
    """Somebody who is logged in."""

    account: str
    role: str
    organization: str
    form_token: str


class Sessions(Subject):
    """Sessions by the digest of their secret.

    They go by a clock that nobody sets: by the nanoseconds of one boot of the machine, and end with it.
    """

    def add(self, digest: bytes, account: str, form_token: str, boot: str, now_ns: int, ends_ns: int) -> None:
        """Remember a session; forget those that are over."""
        with self._database.change():
            self._database.run("DELETE FROM session WHERE boot <> ? OR ends_ns <= ?", boot, now_ns)
            self._database.run(
                "INSERT INTO session VALUES (?, ?, ?, ?, ?, ?)",
                digest, account, form_token, boot, now_ns, ends_ns,
            )  # fmt: skip

    def get(self, digest: bytes, boot: str, now_ns: int) -> Session | None:
        """Return a session that is not over; nor one that has not begun, as after a clock was put back."""
        rows = self._database.rows(
            "SELECT name, role, organization, form_token FROM session JOIN account ON account = name"
            " WHERE digest = ? AND boot = ? AND begun_ns <= ? AND ends_ns > ?",
            digest, boot, now_ns, now_ns,
        )  # fmt: skip
        return Session(*rows[0]) if rows else None

    def end(self, digest: bytes) -> None:
        """Forget a session."""
        self._database.run("DELETE FROM session WHERE digest = ?", digest)
