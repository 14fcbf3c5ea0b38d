from __future__ import annotations

from pathlib import Path

from levo.satellite.store.desk import Desk, EndpointPlace, read_path_decisions

PLACE = EndpointPlace("acme", "prod", "shop", "a.example", "GET", "/users/{}")


def test_decisions_stand_until_they_are_taken_back(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk")
    first = desk.decide("accept", PLACE, "", "anna", 1)
    second = desk.decide("rename", PLACE, "/users/{member}", "anna", 2)
    assert desk.standing(PLACE) == ("accepted", "/users/{member}")
    scope = ("acme", "prod", "shop", "a.example")
    assert read_path_decisions(desk.path, scope) == [("accept", "/users/{}"), ("rename", "/users/{member}")]
    assert desk.undo(second, 3) is not None and desk.undo(second, 4) is None
    assert desk.standing(PLACE) == ("accepted", "")
    desk.undo(first, 5)
    assert desk.standing(PLACE) == ("", "") and len(desk.decisions(PLACE)) == 2
    assert read_path_decisions(tmp_path / "absent", scope) == []


def test_the_same_alert_is_kept_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk")
    assert desk.add_alerts([("a", "x", "t"), ("a", "x", "t"), ("a", "y", "t")], 1, told=False) == 2
    assert desk.add_alerts([("a", "x", "t")], 2, told=False) == 0
    desk.tell_alerts([desk.untold_alerts()[0].id])
    assert [alert.subject for alert in desk.untold_alerts()] == ["y"]


def test_a_number_that_no_row_can_have_names_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk")
    kept = desk.decide("accept", PLACE, "", "anna", 1)
    for number in (0, kept + 1, 2**63 - 1, 2**63, 10**100):
        assert desk.undo(number, 2) is None and not desk.remove_view(number)
    assert desk.standing(PLACE) == ("accepted", "")
