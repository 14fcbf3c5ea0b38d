"""Decisions about endpoints."""

from __future__ import annotations

from pathlib import Path

import msgspec

from levo.satellite.store.userdata import EndpointPlace, UserData
from levo.satellite.store.userdata.decisions import Host, read_path_decisions, rename_hosts

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


def test_only_decisions_on_hosts_that_have_a_name_by_now_move(tmp_path: Path) -> None:
    userdata = UserData(tmp_path / "userdata")
    hidden, other, later = (
        msgspec.structs.replace(PLACE, host=host) for host in ("~0123456789", "~abcdef0123", "b.example")
    )
    for place in (hidden, other, PLACE):
        userdata.decisions.decide("accept", place, "", "anna", 1)
    userdata.decisions.decide("ignore", hidden, "", "anna", 2)

    def called(host: Host) -> Host:
        return (*host[:3], "b.example") if host[3] == hidden.host else host

    rename_hosts(tmp_path / "absent", called)
    for _ in range(2):
        rename_hosts(userdata.path, called)

    assert [each.kind for each in userdata.decisions.of(later)] == ["ignore", "accept"]
    assert userdata.decisions.triage(later) == ("ignored", "")
    assert userdata.decisions.of(hidden) == [] and userdata.decisions.triage(hidden) == ("", "")
    assert len(userdata.decisions.of(other)) == len(userdata.decisions.of(PLACE)) == 1
