from __future__ import annotations

import sqlite3
from pathlib import Path

from levo.satellite.store.desk import Desk, EndpointPlace, NewAlert, read_path_decisions

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
    x, y = NewAlert("a", "x", "t", 7), NewAlert("a", "y", "t")
    assert desk.add_alerts([x, x, y], 1, told=False) == 2
    assert desk.add_alerts([x], 2, told=False) == 0 and desk.unknown_alerts([x, y]) == []
    desk.tell_alerts([desk.untold_alerts()[0].id])
    assert [alert.subject for alert in desk.untold_alerts()] == ["y"]


def test_a_number_that_no_row_can_have_names_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk")
    kept = desk.decide("accept", PLACE, "", "anna", 1)
    for number in (0, kept + 1, 2**63 - 1, 2**63, 10**100):
        assert desk.undo(number, 2) is None and not desk.remove_view(number)
    assert desk.standing(PLACE) == ("accepted", "")


def test_the_number_of_an_alert_is_never_given_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk")
    silent = NewAlert("sensor-silent", "acme/s", "t")
    numbers = []
    for time_ns in (1, 2, 3):
        assert desk.add_alerts([silent], time_ns, told=False) == 1
        numbers += [alert.id for alert in desk.untold_alerts()]
        desk.end_alert("sensor-silent", "acme/s", time_ns)
        assert not desk.untold_alerts() and not desk.open_subjects("sensor-silent")

    assert numbers == sorted(set(numbers))
    assert [(alert.id, alert.over_ns) for alert in desk.alerts()] == [
        (numbers[2], 3),
        (numbers[1], 2),
        (numbers[0], 1),
    ]


def test_alerts_are_called_what_their_endpoint_is_called_now(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk")
    desk.add_alerts([NewAlert("a", "1 x", "t"), NewAlert("a", "2 x", "t")], 1, told=True)

    assert desk.rename_alert("a", "1 x", "3 x") and not desk.rename_alert("a", "1 x", "4 x")
    assert not desk.rename_alert("a", "2 x", "3 x"), "that one is known already"
    assert sorted(alert.subject for alert in desk.alerts()) == ["2 x", "3 x"]


SCHEMA_2 = """
    CREATE TABLE alert (
        id INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL,
        text TEXT NOT NULL, told INTEGER NOT NULL DEFAULT 0, UNIQUE (kind, subject)
    ) STRICT;
    CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    PRAGMA user_version = 2;
"""


def test_alerts_of_the_schema_before_are_kept_and_their_numbers_not_given_again(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / "desk")
    old.executescript(SCHEMA_2)
    old.execute("INSERT INTO setting VALUES ('alerts since', '1')")
    for number in (43, 44):
        old.execute("INSERT INTO alert VALUES (?, 1, 'a', ?, 't', 1)", (number, f"s{number}"))
    old.execute("DELETE FROM alert WHERE id = 44")  # as a sensor that spoke again did
    old.commit()
    old.close()
    desk = Desk(tmp_path / "desk")

    assert desk.add_alerts([NewAlert("a", "s43", "t")], 2, told=False) == 0
    assert desk.add_alerts([NewAlert("a", "s44", "t")], 2, told=False) == 1
    found = {alert.subject: alert for alert in desk.alerts()}
    assert (found["s43"].id, found["s43"].told, found["s43"].over_ns) == (43, 1, 0)
    assert found["s44"].id > 44
    desk.close()
    assert len(Desk(tmp_path / "desk").alerts()) == 2
