"""Sessions."""

from __future__ import annotations

from pathlib import Path

from levo.satellite.store.userdata import Session, UserData


def test_a_session_lasts_until_it_is_over_or_ended(tmp_path: Path) -> None:
    userdata = UserData(tmp_path / "userdata")
    userdata.accounts.put("anna", "editor", "hash", 1, "acme")
    for digest in (b"a", b"b"):
        userdata.sessions.add(digest, "anna", "form", 1, 100)
    userdata.sessions.end(b"b")

    assert userdata.sessions.get(b"a", 99) == Session("anna", "editor", "acme", "form")
    assert userdata.sessions.get(b"a", 100) is None and userdata.sessions.get(b"b", 2) is None


def test_sessions_that_are_over_are_forgotten(tmp_path: Path) -> None:
    userdata = UserData(tmp_path / "userdata")
    userdata.accounts.put("anna", "editor", "hash", 1)
    userdata.sessions.add(b"a", "anna", "form", 1, 100)
    userdata.sessions.add(b"b", "anna", "form", 100, 200)

    assert userdata.sessions.get(b"a", 50) is None
