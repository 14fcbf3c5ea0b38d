"""Decisions about endpoints."""

from __future__ import annotations

from pathlib import Path

from levo.satellite.store.userdata import EndpointPlace, UserData
from levo.satellite.store.userdata.decisions import read_path_decisions

PLACE = EndpointPlace("acme", "prod", "shop", "a.example", "GET", "/users/{}")


def test_decisions_stand_until_they_are_taken_back(tmp_path: Path) -> None:
    userdata = UserData(tmp_path / "userdata")
    first = userdata.decisions.decide("accept", PLACE, "", "anna", 1)
    second = userdata.decisions.decide("rename", PLACE, "/users/{member}", "anna", 2)
    assert userdata.decisions.triage(PLACE) == ("accepted", "/users/{member}")
    scope = ("acme", "prod", "shop", "a.example")
    expected = [(scope, "accept", "/users/{}"), (scope, "rename", "/users/{member}")]
    assert read_path_decisions(userdata.path, scope) == read_path_decisions(userdata.path) == expected
    assert read_path_decisions(userdata.path, (*scope[:3], "b.example")) == []
    assert userdata.decisions.undo(second, 3) is not None and userdata.decisions.undo(second, 4) is None
    assert userdata.decisions.triage(PLACE) == ("accepted", "")
    userdata.decisions.undo(first, 5)
    assert userdata.decisions.triage(PLACE) == ("", "") and len(userdata.decisions.of(PLACE)) == 2
    assert read_path_decisions(tmp_path / "absent", scope) == []


def test_a_number_that_no_row_can_have_names_nothing(tmp_path: Path) -> None:
    userdata = UserData(tmp_path / "userdata")
    kept = userdata.decisions.decide("accept", PLACE, "", "anna", 1)
    for number in (0, kept + 1, 2**63 - 1, 2**63, 10**100):
        assert userdata.decisions.undo(number, 2) is None and not userdata.views.remove(number)
    assert userdata.decisions.triage(PLACE) == ("accepted", "")
