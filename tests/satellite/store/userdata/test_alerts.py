"""Alerts, each once."""

from __future__ import annotations

from pathlib import Path

from levo.satellite.store.userdata import NewAlert, UserData


def test_the_same_alert_is_kept_once(tmp_path: Path) -> None:
    userdata = UserData(tmp_path / "userdata")
    x, y = NewAlert("a", "x", "t", 7), NewAlert("a", "y", "t")
    assert userdata.alerts.add([x, x, y], 1, sent=False) == 2
    assert userdata.alerts.add([x], 2, sent=False) == 0 and userdata.alerts.unknown([x, y]) == []
    userdata.alerts.mark_sent([userdata.alerts.unsent()[0].id])
    assert [alert.subject for alert in userdata.alerts.unsent()] == ["y"]


def test_those_that_wait_are_counted_with_the_time_of_the_first(tmp_path: Path) -> None:
    alerts = UserData(tmp_path / "userdata").alerts
    assert alerts.waiting() == (0, 0)
    for time_ns, subject in enumerate("xyz", start=7):
        alerts.add([NewAlert("a", subject, "t")], time_ns, sent=False)
    alerts.mark_sent([alerts.unsent()[0].id])
    alerts.end("a", "z", 99)

    assert alerts.waiting() == (1, 8)


def test_the_number_of_an_alert_is_never_given_again(tmp_path: Path) -> None:
    userdata = UserData(tmp_path / "userdata")
    silent = NewAlert("sensor-silent", "acme/s", "t")
    numbers = []
    for time_ns in (1, 2, 3):
        assert userdata.alerts.add([silent], time_ns, sent=False) == 1
        numbers += [alert.id for alert in userdata.alerts.unsent()]
        userdata.alerts.end("sensor-silent", "acme/s", time_ns)
        assert not userdata.alerts.unsent() and not userdata.alerts.open_subjects("sensor-silent")

    assert numbers == sorted(set(numbers))
    assert [(alert.id, alert.ended_ns) for alert in userdata.alerts.latest()] == [
        (numbers[2], 3),
        (numbers[1], 2),
        (numbers[0], 1),
    ]


def test_alerts_are_called_what_their_endpoint_is_called_now(tmp_path: Path) -> None:
    userdata = UserData(tmp_path / "userdata")
    userdata.alerts.add([NewAlert("a", "1 x", "t"), NewAlert("a", "2 x", "t")], 1, sent=True)

    assert userdata.alerts.rename("a", "1 x", "3 x") and not userdata.alerts.rename("a", "1 x", "4 x")
    assert not userdata.alerts.rename("a", "2 x", "3 x"), "that one is known already"
    assert sorted(alert.subject for alert in userdata.alerts.latest()) == ["2 x", "3 x"]
