"""Writes ``catalog.sql`` and ``desk.sql`` beside it: the data of a Satellite of commit 53b6734, as SQL.

Made once, with the code of that commit: ``git worktree add OLD 53b6734``, build it there, and run
``PYTHONPATH=OLD/src:OLD python make.py``. It does not run with the code of today, whose names are others.
"""

import sqlite3
import sys
import tempfile
from pathlib import Path

from levo.satellite.learn import Run, SensorReport, State, learn_all, learn_sensor
from levo.satellite.queue import Position
from levo.satellite.store import CatalogWriter
from levo.satellite.store.descriptions import store_description
from levo.satellite.store.userdata import EndpointPlace, NewAlert, UserData
from tests.satellite.store.catalogs import NOW, SECOND, trace

NAMES = "alice bob carol dave erin frank grace heidi ivan judy mallory niaj olivia peggy rupert sybil trent"
ORDERS = EndpointPlace("acme", "staging", "shop", "shop.example", "GET", "/orders/{}")


def write_catalog(path: Path) -> None:
    state = State()
    with CatalogWriter(path) as writer:
        for number, name in enumerate(NAMES.split() * 3):
            for tail in ("", "/orders"):
                delta = learn_all(State(paths=state.paths), [trace(f"/accounts/{name}{tail}")])
                writer.commit(delta, Position(1, number))
        delta = learn_all(State(paths=state.paths), [trace(f"/orders/{number}") for number in range(5)])
        report = SensorReport(NOW, NOW + SECOND, {"host.name": "web-1"}, {}, Run("run-1", NOW))
        learn_sensor(delta, "acme", "sensor-1", report)
        writer.commit(delta, Position(2, 7), deliveries=[b"digest-1"])
    store_description(path, ("acme", "staging", "shop"), NOW, '{"openapi": "3.1.0", "paths": {"/old": {}}}')


def write_userdata(path: Path) -> None:
    users = UserData(path)
    users.accounts.put("anna", "admin", "no hash", NOW)
    users.sessions.add(b"session", "anna", "form", NOW, NOW + SECOND)
    users.tokens.add(b"token", "ci", "ingest", "acme", "anna", NOW)
    users.decisions.decide("accept", ORDERS, "", "anna", NOW)
    users.decisions.decide("rename", ORDERS, "/orders/{number}", "anna", NOW)
    users.decisions.decide("reject", ORDERS, "response-body:200:pass driving-licence", "anna", NOW)
    users.decisions.undo(users.decisions.decide("ignore", ORDERS, "", "anna", NOW), NOW + 1)
    users.views.save("Errors", "status=5xx", "anna", NOW)
    users.webhooks.add("https://hooks.example/1", "new-endpoint", "anna", NOW)
    users.audit.record("anna", "accept", "GET /orders/{}", "", NOW)
    users.alerts.add([NewAlert("new-endpoint", "1", "New endpoint", 1)], NOW, sent=True)
    users.alerts.add([NewAlert("sensor-silent", "s", "Silent")], NOW, sent=False)
    users.alerts.end("sensor-silent", "s", NOW + 5)
    users.alerts.add(
        [NewAlert("new-sensitive-field", "1 x driving-licence", "Sensitive", 1)], NOW, sent=False
    )
    users.settings.set("alerts since", "1")
    users.close()


def dump(path: Path, target: Path) -> None:
    with sqlite3.connect(path) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        lines = [*connection.iterdump(), f"PRAGMA user_version = {version};"]
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    here = Path(sys.argv[0]).resolve().parent
    with tempfile.TemporaryDirectory() as folder:
        write_catalog(Path(folder) / "catalog.sqlite3")
        write_userdata(Path(folder) / "desk.sqlite3")
        dump(Path(folder) / "catalog.sqlite3", here / "catalog.sql")
        dump(Path(folder) / "desk.sqlite3", here / "desk.sql")
