"""One connection, one transaction for all subjects."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from levo.errors import LevoError
from levo.satellite.store.userdata import EndpointPlace, UserData
from levo.satellite.store.userdata.database import USERDATA_NAME, row_number
from tests.satellite.store.earlier import USERDATA, restore_earlier, rows_of

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


@pytest.mark.parametrize("killed", [False, True], ids=["closed", "killed"])
def test_the_file_of_the_version_before_is_renamed_with_all_its_rows(tmp_path: Path, killed: bool) -> None:
    folder = restore_earlier(tmp_path, killed=killed)
    before = rows_of(folder / USERDATA)
    license_renamed = {
        table: [
            tuple(str(value).replace("driving-licence", "driving-license") for value in row) for row in rows
        ]
        for table, rows in before.items()
    }
    for _ in range(2):
        UserData(folder / USERDATA_NAME).close()
        after = rows_of(folder / USERDATA_NAME)

        assert not list(folder.glob("desk*"))
        assert after.pop("triage") == before["standing"] != []
        for new in ("removal", "finding", "finding_decision", "finding_event"):
            assert after.pop(new) == []
        assert after.pop("session") == [], "they ended: another clock rules now"
        assert {table: [tuple(map(str, row)) for row in rows] for table, rows in after.items()} == {
            table: rows for table, rows in license_renamed.items() if table not in ("standing", "session")
        }


def test_decisions_of_the_version_before_are_in_force(tmp_path: Path) -> None:
    userdata = UserData(restore_earlier(tmp_path) / USERDATA_NAME)
    orders = EndpointPlace("acme", "staging", "shop", "shop.example", "GET", "/orders/{}")

    assert userdata.decisions.triage(orders) == ("accepted", "/orders/{number}")
    assert [one.detail for one in userdata.decisions.in_force("reject")] == [
        "response-body:200:pass driving-license"
    ]
    assert [(alert.kind, alert.sent, alert.ended_ns > 0) for alert in userdata.alerts.latest()] == [
        ("new-sensitive-field", 0, False),
        ("sensor-silent", 0, True),
        ("new-endpoint", 1, False),
    ]


def test_a_crash_before_the_file_has_its_name_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = restore_earlier(tmp_path, killed=True)
    before = rows_of(folder / USERDATA)

    def crash(*_: object) -> None:
        raise OSError("no power")

    monkeypatch.setattr(Path, "rename", crash)
    with pytest.raises(LevoError, match="no power"):
        UserData(folder / USERDATA_NAME)
    monkeypatch.undo()

    assert rows_of(folder / USERDATA) == before and not (folder / USERDATA_NAME).exists()
    UserData(folder / USERDATA_NAME).close()
    assert rows_of(folder / USERDATA_NAME)["triage"] == before["standing"]


def test_two_files_of_users_data_are_not_chosen_between(tmp_path: Path) -> None:
    UserData(tmp_path / USERDATA_NAME).close()
    restore_earlier(tmp_path)

    with pytest.raises(LevoError, match="are both there: an earlier version ran after this one"):
        UserData(tmp_path / USERDATA_NAME)


def test_a_file_that_another_satellite_uses_keeps_its_name(tmp_path: Path) -> None:
    folder = restore_earlier(tmp_path)
    with contextlib.closing(sqlite3.connect(folder / USERDATA)) as used:
        used.execute("SELECT count(*) FROM account").fetchall()
        with pytest.raises(LevoError, match="locked"):
            UserData(folder / USERDATA_NAME)

    assert (folder / USERDATA).exists()
