"""Alerts over a real catalog and a real receiver of webhooks."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from levo.satellite.alerts.watcher import AlertWatcher, WebhookRefused, checked_url, page_of
from levo.satellite.catalog.derived import DerivedCatalog
from levo.satellite.learn import Run, Scope, SensorReport, State, decide_templates, learn_all, learn_sensor
from levo.satellite.learn.paths.state import PathState
from levo.satellite.queue import Position
from levo.satellite.store import CatalogReader, CatalogWriter, EndpointFilter
from levo.satellite.store.desk import Desk, EndpointPlace, NewAlert
from tests.satellite.store.catalogs import NOW, SECOND, catalog, trace


class Clock:
    now_ns = NOW - SECOND

    def __call__(self) -> int:
        return self.now_ns


def watcher(folder: Path, clock: Clock) -> tuple[AlertWatcher, Desk]:
    desk = Desk(folder / "desk.sqlite3")
    catalog(
        folder / "catalog", [trace("/old", end_ns=NOW - 60 * SECOND), trace("/new", host="b.example")]
    ).close()
    reader = CatalogReader(folder / "catalog", desk.path)
    return AlertWatcher(reader, desk, DerivedCatalog(reader, desk), "http://satellite/", clock), desk


def test_only_what_is_new_is_told_and_only_once(tmp_path: Path) -> None:
    received: list[dict[str, Any]] = []
    answers = [503, 200, 200, 200]

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(answers.pop(0))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    clock = Clock()
    watching, desk = watcher(tmp_path, clock)
    desk.add_webhook(f"http://127.0.0.1:{server.server_port}/", "new-endpoint", "anna", NOW)
    watching.step()  # refused by the receiver: kept
    clock.now_ns = NOW + 60 * SECOND
    for _ in range(3):
        watching.step()
    server.shutdown()
    server.server_close()

    assert len(received) == 2 and received[0] == received[1]
    assert [alert["kind"] for alert in received[1]["alerts"]] == ["new-endpoint"]
    assert "/new" in received[1]["text"] and "/old" not in received[1]["text"]
    assert desk.webhooks()[0].last_status.endswith("delivered") and not desk.untold_alerts()


@pytest.mark.parametrize(
    "url", ["", "ftp://x", "http://", "https://u:p@x", "http://x y", "file:///etc/passwd"]
)
def test_bad_addresses_are_refused(url: str) -> None:
    with pytest.raises(WebhookRefused):
        checked_url(url)


SCOPE = Scope("acme", "staging", "shop", "shop.example")
PLACE = ("acme", "staging", "shop", "shop.example", "GET")


class World:
    """A catalog that grows, and who watches it."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.desk = Desk(folder / "desk.sqlite3")
        self.writer = CatalogWriter(folder / "catalog")
        self.reader = CatalogReader(folder / "catalog", self.desk.path)
        self.paths: dict[Scope, PathState] = {}
        self.watching = self.restarted()
        self.commits = 0
        self.watching.look(True)

    def restarted(self) -> AlertWatcher:
        derived = DerivedCatalog(self.reader, self.desk)
        self.watching = AlertWatcher(self.reader, self.desk, derived, "http://satellite/", self.clock)
        return self.watching

    def see(self, *seen: str) -> None:
        """Commit a trace of each path, and look."""
        self.commit(learn_all(State(paths=self.paths), [trace(each) for each in seen]))

    def commit(self, delta: State) -> None:
        self.commits += 1
        decisions = {
            scope: decide_templates(paths, self.writer.overrides(scope))
            for scope, paths in self.paths.items()
        }
        self.writer.commit(delta, Position(1, self.commits), decisions)
        self.watching.look(True)

    def texts(self, kind: str) -> list[str]:
        return [alert.text for alert in reversed(self.desk.alerts()) if alert.kind == kind]

    def shown(self) -> dict[str, int]:
        return {row.path: row.id for row in self.reader.endpoints(EndpointFilter())[1]}

    def hear(self, name: str, at_s: float, *, instance: str = "run-1", stop: bool = False) -> None:
        """Commit what a sensor on host *name* says *at_s* seconds from now on."""
        time_ns = NOW + int(at_s * SECOND)
        last = (int(at_s) + 1, time_ns)
        run = Run(instance, NOW if instance == "run-1" else time_ns, last, last if stop else (0, 0))
        described = {
            "host.name": (time_ns, name),
            "service.name": (time_ns, "orders"),
            "deployment.environment.name": (time_ns, "staging"),
        }
        self.clock.now_ns = max(self.clock.now_ns, time_ns)
        report = SensorReport(time_ns, time_ns, described, run=run if instance else Run())
        self.commit(learn_sensor(State(), "acme", f"id of {name} {instance and 'new'}", report))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_an_endpoint_that_is_called_otherwise_is_not_new(world: World) -> None:
    """By an uploaded description or by people: the template is renamed with the next traffic."""
    world.see(*(f"/invoices/{number}" for number in range(100, 140)))
    (before,) = world.shown().items()
    for name in ("id", "number"):
        place = EndpointPlace(*PLACE, "/invoices/{}")
        world.desk.decide("rename", place, f"/invoices/{{{name}}}", "anna", NOW)
        world.see("/invoices/7")
        assert world.shown() == {f"/invoices/{{{name}}}": before[1]}

    (text,) = world.texts("new-endpoint")
    assert before[0] in text
    assert [alert.endpoint for alert in world.desk.alerts()] == [before[1]]
    world.restarted().look(True)
    assert len(world.desk.alerts()) == 1


def test_neither_a_merge_nor_a_split_is_a_new_endpoint(world: World) -> None:
    world.see("/users/me", *(f"/users/{number}" for number in range(100, 140)))
    apart = world.shown()
    told = world.texts("new-endpoint")
    world.desk.decide("merge", EndpointPlace(*PLACE, "/users/me"), "/users/{}", "anna", NOW)
    world.see("/users/9", "/users/me")
    assert len(world.shown()) == 1
    world.desk.decide("split", EndpointPlace(*PLACE, "/users/{}"), "/users/me", "anna", NOW)
    world.see("/users/me", "/users/8")

    assert len(apart) == len(told) == len(world.shown()) == 2
    assert world.texts("new-endpoint") == told


def test_sensitive_data_of_a_merged_endpoint_is_not_new(world: World) -> None:
    world.see("/users/me", *(f"/users/{number}" for number in range(100, 140)))
    kind, both = "new-sensitive-field", set(world.shown().values())
    world.desk.decide("merge", EndpointPlace(*PLACE, "/users/me"), "/users/{}", "anna", NOW)
    world.see("/users/9")
    (new,) = world.shown().values()
    (old,) = both - {new}
    world.desk.add_alerts([NewAlert(kind, f"{old} response email", "t", old)], NOW, told=True)

    assert world.reader.merged_into([new]) == {new: [old]}
    found = NewAlert(kind, f"{new} response email", "t", new)
    assert world.watching._follow_merges([found]) == []
    assert world.desk.unknown_alerts([found]) == []


def test_alerts_of_the_release_before_are_not_sent_again(world: World) -> None:
    """It named a new endpoint by its path; what it had not seen yet is news all the same."""
    world.see(*(f"/invoices/{number}" for number in range(100, 140)))
    ((path, identity),) = world.shown().items()
    world.desk.rename_alert("new-endpoint", str(identity), f"acme/staging/shop/shop.example GET {path}")
    world.desk.set("alerts by endpoint", "")
    world.see("/health")
    world.restarted().look(True)

    assert len(world.texts("new-endpoint")) == 2
    assert {alert.subject for alert in world.desk.alerts()} == {str(each) for each in world.shown().values()}


def test_who_stops_cleanly_raises_no_alert_and_who_is_killed_does(world: World) -> None:
    for name in ("web-1", "web-2"):
        world.hear(name, 1)
    world.hear("web-1", 2, stop=True)
    for second in (30, 100, 130):
        world.clock.now_ns = NOW + second * SECOND
        world.watching.look(True)

    assert world.texts("sensor-silent") == [
        "Sensor on web-2 (orders, staging) has been silent for two minutes"
    ]
    world.hear("web-2", 200, instance="run-2")
    (alert,) = (alert for alert in world.desk.alerts() if alert.kind == "sensor-silent")
    assert alert.over_ns == NOW + 200 * SECOND and not world.desk.untold_alerts()
    world.clock.now_ns = NOW + 400 * SECOND
    world.watching.look(True)
    (again,) = world.desk.untold_alerts()
    assert again.text == alert.text and again.id > alert.id


def test_a_satellite_that_was_away_itself_waits_before_it_calls_others_silent(world: World) -> None:
    world.hear("web-1", 1)
    world.clock.now_ns = NOW + 3600 * SECOND
    world.restarted().look(True)
    assert not world.texts("sensor-silent")
    world.clock.now_ns += 60 * SECOND
    world.watching.look(True)
    assert not world.texts("sensor-silent")
    world.clock.now_ns += 61 * SECOND
    world.watching.look(True)
    assert len(world.texts("sensor-silent")) == 1


def test_a_sensor_of_the_release_before_that_was_upgraded_is_not_silent(world: World) -> None:
    world.hear("web-1", 1, instance="")
    world.hear("web-2", 1, instance="")
    world.hear("web-1", 5, instance="run-9")
    world.hear("web-1", 130, instance="run-9")
    world.clock.now_ns = NOW + 140 * SECOND
    world.watching.look(True)

    assert world.texts("sensor-silent") == [
        "Sensor on web-2 (orders, staging) has been silent for two minutes"
    ]


def test_an_alert_leads_to_what_it_is_about(world: World) -> None:
    world.see("/health")
    ((_, identity),) = world.shown().items()
    (alert,) = world.desk.alerts()

    assert page_of(alert) == f"/endpoints/{identity}"
