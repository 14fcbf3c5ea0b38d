"""Databases of releases before."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from levo.satellite.store.userdata import NewAlert, UserData

SCHEMA_2 = """
    CREATE TABLE alert (
        id INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL,
        text TEXT NOT NULL, told INTEGER NOT NULL DEFAULT 0, UNIQUE (kind, subject)
    ) STRICT;
    CREATE TABLE decision (
        id INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, actor TEXT NOT NULL, kind TEXT NOT NULL,
        organization TEXT NOT NULL, environment TEXT NOT NULL, application TEXT NOT NULL,
        host TEXT NOT NULL, method TEXT NOT NULL, place TEXT NOT NULL, detail TEXT NOT NULL,
        undone_ns INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX decision_place ON decision (organization, environment, application, host, method);
    CREATE TABLE standing (
        organization TEXT NOT NULL, environment TEXT NOT NULL, application TEXT NOT NULL,
        host TEXT NOT NULL, method TEXT NOT NULL, place TEXT NOT NULL,
        state TEXT NOT NULL, path TEXT NOT NULL,
        PRIMARY KEY (organization, environment, application, host, method, place)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    PRAGMA user_version = 2;
"""


def test_alerts_of_the_schema_before_are_kept_and_their_numbers_not_given_again(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / "userdata")
    old.executescript(SCHEMA_2)
    old.execute("INSERT INTO setting VALUES ('alerts since', '1')")
    for number in (43, 44):
        old.execute("INSERT INTO alert VALUES (?, 1, 'a', ?, 't', 1)", (number, f"s{number}"))
    old.execute("DELETE FROM alert WHERE id = 44")  # as a sensor that spoke again did
    old.commit()
    old.close()
    userdata = UserData(tmp_path / "userdata")

    assert userdata.alerts.add([NewAlert("a", "s43", "t")], 2, sent=False) == 0
    assert userdata.alerts.add([NewAlert("a", "s44", "t")], 2, sent=False) == 1
    found = {alert.subject: alert for alert in userdata.alerts.latest()}
    assert (found["s43"].id, found["s43"].sent, found["s43"].ended_ns) == (43, 1, 0)
    assert found["s44"].id > 44
    userdata.close()
    assert len(UserData(tmp_path / "userdata").alerts.latest()) == 2
