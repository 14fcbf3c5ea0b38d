"""One connection, one transaction for all subjects."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from levo.errors import LevoError
from levo.satellite.store.userdata import EndpointPlace, UserData
from levo.satellite.store.userdata.database import row_number

PLACE = EndpointPlace("acme", "prod", "shop", "a.example", "GET", "/users/{}")


def test_what_is_done_to_several_subjects_happens_together_or_not_at_all(tmp_path: Path) -> None:
    userdata = UserData(tmp_path / "userdata")
    with pytest.raises(RuntimeError), userdata.decisions.change():
        userdata.decisions.decide("accept", PLACE, "", "anna", 1)
        userdata.audit.record("anna", "accept", "GET /users/{}", "", 1)
        raise RuntimeError

    assert (userdata.decisions.of(PLACE), userdata.audit.page()[0]) == ([], 0)


def test_a_backup_is_of_one_moment(tmp_path: Path) -> None:
    userdata = UserData(tmp_path / "userdata")
    userdata.settings.set("color", "green")
    userdata.database.backup(tmp_path / "copy")
    userdata.settings.set("color", "red")

    assert UserData(tmp_path / "copy").settings.get("color") == "green"


def test_a_file_of_a_later_release_or_of_something_else_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "later") as later:
        later.execute("PRAGMA user_version = 99")
    (tmp_path / "else").write_bytes(b"x" * 5000)

    for name, text in (("later", "later version"), ("else", "cannot be used")):
        with pytest.raises(LevoError, match=text):
            UserData(tmp_path / name)


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    assert UserData(tmp_path / "userdata").path.stat().st_mode & 0o777 == 0o600


def test_a_number_is_a_row_or_none() -> None:
    assert [row_number(asked) for asked in (1, 2**63 - 1, 2**63, 10**100)] == [1, 2**63 - 1, 0, 0]
