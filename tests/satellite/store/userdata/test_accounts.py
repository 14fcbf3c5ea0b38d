"""Accounts."""

from __future__ import annotations

from pathlib import Path

from levo.satellite.store.userdata import UserData


def test_a_change_of_an_account_ends_its_sessions_and_keeps_when_it_was_made(tmp_path: Path) -> None:
    userdata = UserData(tmp_path / "userdata")
    assert not userdata.accounts.exist()
    userdata.accounts.put("anna", "admin", "hash", 1)
    userdata.sessions.add(b"d", "anna", "form", "boot", 1, 100)
    userdata.accounts.put("anna", "viewer", "other", 2, "acme")

    (account,) = userdata.accounts.all()
    assert (account.role, account.created_ns, account.organization) == ("viewer", 1, "acme")
    assert userdata.accounts.get("anna") == account and userdata.accounts.get("vera") is None
    assert userdata.sessions.get(b"d", "boot", 2) is None


def test_an_account_is_removed_once(tmp_path: Path) -> None:
    userdata = UserData(tmp_path / "userdata")
    userdata.accounts.put("anna", "admin", "hash", 1)

    assert userdata.accounts.remove("anna") and not userdata.accounts.remove("anna")
