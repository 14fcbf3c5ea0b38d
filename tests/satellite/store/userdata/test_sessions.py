"""Sessions."""

from __future__ import annotations

from pathlib import Path

from levo.satellite.store.userdata import Session, UserData


def test_a_session_lasts_until_it_is_over_or_ended(tmp_path: Path) -> None:
    userdata = UserData(tmp_path / "userdata")
    userdata.accounts.put("anna", "editor", "hash", 1, "acme")
    for digest in (b"a", b"b"):
        userdata.sessions.add(digest, "anna", "form", "boot", 1, 100)
    userdata.sessions.end(b"b")

    assert userdata.sessions.get(b"a", "boot", 99) == Session("anna", "editor", "acme", "form")
    assert userdata.sessions.get(b"a", "boot", 100) is None
    assert userdata.sessions.get(b"b", "boot", 2) is None


def test_sessions_that_are_over_are_forgotten(tmp_path: Path) -> None:
    userdata = UserData(tmp_path / "userdata")
    userdata.accounts.put("anna", "editor", "hash", 1)
    userdata.sessions.add(b"a", "anna", "form", "boot", 1, 100)
    userdata.sessions.add(b"b", "anna", "form", "boot", 100, 200)

    assert userdata.sessions.get(b"a", "boot", 50) is None


def test_a_session_is_of_one_boot_and_of_no_time_before_it_began(tmp_path: Path) -> None:
    userdata = UserData(tmp_path / "userdata")
    userdata.accounts.put("anna", "editor", "hash", 1)
    userdata.sessions.add(b"a", "anna", "form", "first", 10, 100)

    assert userdata.sessions.get(b"a", "first", 50)
    assert userdata.sessions.get(b"a", "second", 50) is None
    assert userdata.sessions.get(b"a", "first", 9) is None
    userdata.sessions.add(b"b", "anna", "form", "second", 1, 100)
    assert userdata.sessions.get(b"a", "first", 50) is None, "forgotten"
