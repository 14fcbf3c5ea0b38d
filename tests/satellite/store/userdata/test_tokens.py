"""Bearer tokens."""

from __future__ import annotations

from pathlib import Path

from levo.satellite.store.userdata import UserData


def test_a_revoked_token_is_listed_and_in_force_no_more(tmp_path: Path) -> None:
    tokens = UserData(tmp_path / "userdata").tokens
    number = tokens.add(b"d", "sensors", "ingest", "acme", "anna", 1)
    found = tokens.get(b"d")
    assert found is not None and (found.id, found.organization) == (number, "acme")
    assert tokens.exist("ingest") and not tokens.exist("viewer")

    assert tokens.revoke(number, 2) and not tokens.revoke(number, 3)
    assert tokens.get(b"d") is None and not tokens.exist("ingest")
    assert [token.revoked_ns for token in tokens.all()] == [2]
