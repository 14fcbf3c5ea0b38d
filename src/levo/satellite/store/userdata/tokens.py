"""Bearer tokens."""

from __future__ import annotations

import msgspec

from levo.satellite.store.userdata.database import Subject


class Token(msgspec.Struct, frozen=True):
    """A bearer token; itself not kept."""

    id: int
    name: str
    scope: str
    """``ingest``, or a role."""
    organization: str
    """Whose traces it may bring; for a role, whose part of the catalog it may see, empty for all of it."""
    created_ns: int
    created_by: str
    revoked_ns: int


class Tokens(Subject):
    """Tokens by the digest of their secret."""

    def add(self, digest: bytes, name: str, scope: str, organization: str, actor: str, now_ns: int) -> int:
        """Remember a token; return its number."""
        rows = self._database.rows(
            "INSERT INTO token (digest, name, scope, organization, created_ns, created_by)"
            " VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
            digest, name, scope, organization, now_ns, actor,
        )  # fmt: skip
        return int(rows[0][0])

    def all(self) -> list[Token]:
        """Return all tokens, newest first, those revoked included."""
        return [
            Token(*row)
            for row in self._database.rows(f"SELECT {_TOKEN} FROM token ORDER BY id DESC LIMIT 1000")
        ]

    def get(self, digest: bytes) -> Token | None:
        """Return the token, unless it was revoked."""
        rows = self._database.rows(f"SELECT {_TOKEN} FROM token WHERE digest = ? AND revoked_ns = 0", digest)
        return Token(*rows[0]) if rows else None

    def exist(self, scope: str) -> bool:
        """Whether some token of *scope* is in force."""
        return bool(
            self._database.rows("SELECT 1 FROM token WHERE scope = ? AND revoked_ns = 0 LIMIT 1", scope)
        )

    def revoke(self, identity: int, now_ns: int) -> bool:
        """Revoke; return whether it was in force."""
        return (
            self._database.run(
                "UPDATE token SET revoked_ns = ? WHERE id = ? AND revoked_ns = 0", now_ns, identity
            )
            > 0
        )


_TOKEN = "id, name, scope, organization, created_ns, created_by, revoked_ns"
