"""What users have deleted, as the learner reads it."""

from __future__ import annotations

from pathlib import Path

from levo.satellite.store.userdata import UserData
from levo.satellite.store.userdata.removals import read_removals

HOST = ("acme", "prod", "shop", "a.example")


def test_removals_are_read_in_order_and_from_a_number_on(tmp_path: Path) -> None:
    path = tmp_path / "userdata"
    removals = UserData(path).removals
    first = removals.remove(HOST, "GET", "/users/{}", 1)
    second = removals.remove(HOST, "", "", 2)

    assert read_removals(path, 0) == [(first, HOST, "GET", "/users/{}"), (second, HOST, "", "")]
    assert read_removals(path, first) == [(second, HOST, "", "")]
    assert read_removals(path, second) == []


def test_where_no_user_data_is_nothing_was_deleted(tmp_path: Path) -> None:
    assert read_removals(tmp_path / "absent", 0) == []
