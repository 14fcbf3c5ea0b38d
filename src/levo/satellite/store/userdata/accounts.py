"""Who can log in."""

from __future__ import annotations

import msgspec

from levo.satellite.store.userdata.database import Subject


class Account(msgspec.Struct, frozen=True):
    """Somebody who can log in."""

    name: str
    role: str
    password: str
    """As ``access.passwords`` stores it."""
    created_ns: int
    organization: str
    """Whose part of the catalog it may see; empty for all of it."""


class Accounts(Subject):
    """Accounts by name."""

    def all(self) -> list[Account]:
        """Return all accounts by name."""
        return [Account(*row) for row in self._database.rows(f"SELECT {_ACCOUNT} FROM account ORDER BY 1")]

    def get(self, name: str) -> Account | None:
        """Return one account."""
        rows = self._database.rows(f"SELECT {_ACCOUNT} FROM account WHERE name = ?", name)
        return Account(*rows[0]) if rows else None

    def exist(self) -> bool:
        """Whether there is any account."""
        return bool(self._database.rows("SELECT 1 FROM account LIMIT 1"))

    def put(self, name: str, role: str, password: str, now_ns: int, organization: str = "") -> None:
        """Make an account, or change it and end its sessions."""
        with self._database.change():
            self._database.run("DELETE FROM session WHERE account = ?", name)
            self._database.run(
                "INSERT INTO account (name, role, password, created_ns, organization) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET role = excluded.role, password = excluded.password,"
                " organization = excluded.organization",
                name, role, password, now_ns, organization,
            )  # fmt: skip

    def remove(self, name: str) -> bool:
        """Remove an account with its sessions; return whether there was one."""
        return self._database.run("DELETE FROM account WHERE name = ?", name) > 0


_ACCOUNT = "name, role, password, created_ns, organization"
