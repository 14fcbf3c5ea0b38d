"""What is alerted, over a real catalog that grows."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from levo.satellite.alerts.detector import AlertDetector
from levo.satellite.alerts.kinds import page_of
from levo.satellite.catalog.place import place_of
from levo.satellite.learn import Run, Scope, SensorReport, State, learn_all, learn_sensor
from levo.satellite.queue import Position
from levo.satellite.store import CatalogReader, CatalogWriter, EndpointFilter
from levo.satellite.store.changes import SETTLED
from levo.satellite.store.userdata import EndpointPlace, NewAlert, NewDecision, UserData
from tests.satellite.openapi.learned import shop
from tests.satellite.store.catalogs import NOW, SECOND, catalog, trace
from tests.satellite.store.userdata.test_findings import kept


class Clock:
    """The time of day, and seconds that go on while that is set."""

    now_ns = NOW - SECOND
    set_ns = 0
    """By how much the time of day was set."""

    def __call__(self) -> int:
        return self.now_ns + self.set_ns

    def seconds(self) -> float:
        return self.now_ns / SECOND


SCOPE = Scope("acme", "staging", "shop", "shop.example")
PLACE = ("acme", "staging", "shop", "shop.example", "GET")


class World:
    """A catalog that grows, and who watches it."""

    def __init__(self, folder: Path, *, set_ns: int = 0) -> None:
        self.clock = Clock()
        self.clock.set_ns = set_ns
        self.userdata = UserData(folder / "userdata.sqlite3")
        self.writer = CatalogWriter(folder / "catalog")
        self.reader = CatalogReader(folder / "catalog", self.userdata.path)
        self.detector = self.restarted()
        self.commits = 0
        self.detector.look(True)

    def restarted(self) -> AlertDetector:
        userdata = self.userdata
        self.detector = AlertDetector(
            self.reader, userdata.alerts, userdata.settings, self.clock, self.clock.seconds
        )
        return self.detector

    def see(self, *seen: str) -> None:
        """Commit a trace of each path, and look."""
        self.commit(learn_all(State(), [trace(each) for each in seen]))

    def commit(self, delta: State) -> None:
        self.commits += 1
        self.writer.commit(delta, Position(1, self.commits))
        self.detector.look(True)

    def texts(self, kind: str) -> list[str]:
        return [alert.text for alert in reversed(self.userdata.alerts.latest()) if alert.kind == kind]

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
        world.userdata.decisions.decide("rename", place, f"/invoices/{{{name}}}", "anna", NOW)
        world.see("/invoices/7")
        assert world.shown() == {f"/invoices/{{{name}}}": before[1]}

    (text,) = world.texts("new-endpoint")
    assert before[0] in text
    assert [alert.endpoint for alert in world.userdata.alerts.latest()] == [before[1]]
    world.restarted().look(True)
    assert len(world.userdata.alerts.latest()) == 1


def test_neither_a_merge_nor_a_split_is_a_new_endpoint(world: World) -> None:
    world.see("/users/me", *(f"/users/{number}" for number in range(100, 140)))
    apart = world.shown()
    told = world.texts("new-endpoint")
    world.userdata.decisions.decide("merge", EndpointPlace(*PLACE, "/users/me"), "/users/{}", "anna", NOW)
    world.see("/users/9", "/users/me")
    assert len(world.shown()) == 1
    world.userdata.decisions.decide("split", EndpointPlace(*PLACE, "/users/{}"), "/users/me", "anna", NOW)
    world.see("/users/me", "/users/8")

    assert len(apart) == len(told) == len(world.shown()) == 2
    assert world.texts("new-endpoint") == told


def test_sensitive_data_of_a_merged_endpoint_is_not_new(world: World) -> None:
    world.see("/users/me", *(f"/users/{number}" for number in range(100, 140)))
    kind, both = "new-sensitive-field", set(world.shown().values())
    world.userdata.decisions.decide("merge", EndpointPlace(*PLACE, "/users/me"), "/users/{}", "anna", NOW)
    world.see("/users/9")
    (new,) = world.shown().values()
    (old,) = both - {new}
    world.userdata.alerts.add([NewAlert(kind, f"{old} response email", "t", old)], NOW, sent=True)

    assert world.reader.merged_into([new]) == {new: [old]}
    found = NewAlert(kind, f"{new} response email", "t", new)
    assert world.detector.follow_merges([found]) == []
    assert world.userdata.alerts.unknown([found]) == []


def test_alerts_of_the_release_before_are_not_sent_again(world: World) -> None:
    """It named a new endpoint by its path; what it had not seen yet is news all the same."""
    world.see(*(f"/invoices/{number}" for number in range(100, 140)))
    ((path, identity),) = world.shown().items()
    world.userdata.alerts.rename("new-endpoint", str(identity), f"acme/staging/shop/shop.example GET {path}")
    world.userdata.settings.set("alerts by endpoint", "")
    world.see("/health")
    world.restarted().look(True)

    assert len(world.texts("new-endpoint")) == 2
    assert {alert.subject for alert in world.userdata.alerts.latest()} == {
        str(each) for each in world.shown().values()
    }


def test_who_stops_cleanly_raises_no_alert_and_who_is_killed_does(world: World) -> None:
    for name in ("web-1", "web-2"):
        world.hear(name, 1)
    world.hear("web-1", 2, stop=True)
    for second in (30, 100, 130):
        world.clock.now_ns = NOW + second * SECOND
        world.detector.look(True)

    assert world.texts("sensor-silent") == [
        "Sensor on web-2 (orders, staging) has been silent for two minutes"
    ]
    world.hear("web-2", 200, instance="run-2")
    (alert,) = (alert for alert in world.userdata.alerts.latest() if alert.kind == "sensor-silent")
    assert alert.ended_ns == NOW + 200 * SECOND and not world.userdata.alerts.unsent()
    world.clock.now_ns = NOW + 400 * SECOND
    world.detector.look(True)
    (again,) = world.userdata.alerts.unsent()
    assert again.text == alert.text and again.id > alert.id


def test_a_satellite_that_was_away_itself_waits_before_it_calls_others_silent(world: World) -> None:
    world.hear("web-1", 1)
    world.clock.now_ns = NOW + 3600 * SECOND
    world.restarted().look(True)
    assert not world.texts("sensor-silent")
    world.clock.now_ns += 60 * SECOND
    world.detector.look(True)
    assert not world.texts("sensor-silent")
    world.clock.now_ns += 61 * SECOND
    world.detector.look(True)
    assert len(world.texts("sensor-silent")) == 1


def test_a_sensor_of_the_release_before_that_was_upgraded_is_not_silent(world: World) -> None:
    world.hear("web-1", 1, instance="")
    world.hear("web-2", 1, instance="")
    world.hear("web-1", 5, instance="run-9")
    world.hear("web-1", 130, instance="run-9")
    world.clock.now_ns = NOW + 140 * SECOND
    world.detector.look(True)

    assert world.texts("sensor-silent") == [
        "Sensor on web-2 (orders, staging) has been silent for two minutes"
    ]


def test_rejected_findings_raise_no_alert(tmp_path: Path) -> None:
    userdata = UserData(tmp_path / "userdata.sqlite3")
    catalog(tmp_path / "catalog", shop(), looked=False).close()
    reader = CatalogReader(tmp_path / "catalog", userdata.path)
    detector = AlertDetector(reader, userdata.alerts, userdata.settings, lambda: NOW)

    def sensitive() -> set[str]:
        return {alert.subject for alert in detector.sensitive_fields()}

    assert sensitive() == set(), "nothing is looked at yet"
    with CatalogWriter(reader.path) as writer:
        writer.look()
    before, rejected = sensitive(), reader.sure_sensitive(0.0)[0]
    row = reader.endpoint(rejected.endpoint)
    assert row is not None and len(before) == 3
    userdata.decisions.decide("reject", place_of(row), f"{rejected.location} {rejected.kind}", "anna", NOW)

    assert before - sensitive() == {f"{rejected.endpoint} {rejected.location} {rejected.kind}"}


def test_what_breaks_clients_is_alerted(world: World) -> None:
    world.see(*("/health" for _ in range(SETTLED)))
    world.commit(learn_all(State(), [trace("/health", status=503), trace("/health", status=404)]))

    (text,) = world.texts("breaking-change")
    assert text == "New status: 503 at GET /health of shop"


def test_the_time_at_which_a_new_endpoint_is_said_to_be_seen_does_not_matter(world: World) -> None:
    """Of a sensor a day behind; and of one that is ahead, as far as it is believed."""
    day_ns = 86_400 * SECOND
    for number, end_ns in enumerate((NOW - day_ns, NOW + day_ns, NOW)):
        world.commit(learn_all(State(), [trace("/a", host=f"h{number}.example", end_ns=end_ns)]))

    assert len(world.texts("new-endpoint")) == 3


@pytest.mark.parametrize("ahead_s", [365 * 86_400, -365 * 86_400])
def test_a_first_look_with_a_wrong_clock_keeps_no_alert_back(tmp_path: Path, ahead_s: int) -> None:
    world = World(tmp_path, set_ns=ahead_s * SECOND)
    world.clock.set_ns = 0
    world.see("/health")
    world.hear("web-1", 1)
    for second in (2, 130, 260):
        world.clock.now_ns = NOW + second * SECOND
        world.detector.look(True)

    assert len(world.texts("new-endpoint")) == len(world.texts("sensor-silent")) == 1


@pytest.mark.parametrize("step_s", [3600, -3600, 3650 * 86_400])
def test_a_clock_that_is_set_makes_no_sensor_silent_and_ends_no_silence(world: World, step_s: int) -> None:
    world.hear("web-1", 1)
    world.hear("web-2", 1)
    world.hear("web-1", 125)
    world.clock.now_ns = NOW + 126 * SECOND
    world.detector.look(True)
    assert len(world.texts("sensor-silent")) == 1
    world.clock.set_ns = step_s * SECOND
    for second in range(127, 240, 10):
        world.clock.now_ns = NOW + second * SECOND
        world.detector.look(True)

    (alert,) = (alert for alert in world.userdata.alerts.latest() if alert.kind == "sensor-silent")
    assert not alert.ended_ns


def found(numbers: range, application: str) -> State:
    """What new endpoints teach, each of a host of its own."""
    hosts = [f"h{number}.example" for number in numbers]
    return learn_all(State(), [trace("/a", host=host, application=application) for host in hosts])


def test_very_many_new_endpoints_are_one_alert(world: World) -> None:
    for part in range(6):
        world.commit(found(range(100 * part, 100 * part + 100), "shop" if part else "cart"))
        world.clock.now_ns += 5 * SECOND
    assert not world.texts("new-endpoint"), "while they come, nothing"
    world.detector.look(True)
    world.see("/one")
    world.restarted().look(True)

    assert world.texts("new-endpoint") == [
        "600 new endpoints: of shop (500), cart (100), such as GET /a, GET /a, GET /a",
        "New endpoint GET /one of shop (staging)",
    ]
    assert len(world.userdata.alerts.unsent()) == 2


def test_a_burst_without_an_end_is_told_after_a_while_and_a_trickle_one_by_one(world: World) -> None:
    world.commit(found(range(30), "shop"))
    for number in range(30, 160):
        world.clock.now_ns += 5 * SECOND
        world.commit(found(range(number, number + 1), "shop"))
    told = world.texts("new-endpoint")

    assert told[0].startswith("150 new endpoints") and len(told) == 11
    assert all(text.startswith("New endpoint ") for text in told[1:])


def test_many_silent_sensors_are_one_alert_and_each_is_over_by_itself(world: World) -> None:
    for number in range(30):
        world.hear(f"web-{number}", 1)
    for second in (2, 130):
        world.clock.now_ns = NOW + second * SECOND
        world.detector.look(True)
    (text,) = (alert.text for alert in world.userdata.alerts.unsent() if alert.kind == "sensor-silent")
    assert text.startswith("30 more alerts of this kind, such as: Sensor on web-")
    world.hear("web-3", 140)
    still = world.userdata.alerts.open_subjects("sensor-silent")

    assert len(still) == 30 and "acme/id of web-3 new/run-1" not in still


def test_an_endpoint_that_nobody_uses_any_more_is_told_once_and_again_after_it_was_used(world: World) -> None:
    day_ns = 86_400 * SECOND
    world.commit(found(range(2), "shop"))
    for days in (50, 100):
        world.clock.now_ns = NOW + days * day_ns
        late = trace("/a", host="h0.example", end_ns=world.clock.now_ns)
        world.commit(learn_all(State(), [late]))
        world.detector.look(True)
    (text,) = world.texts("endpoint-unseen")
    assert text == "GET /a of shop has not been used for 90 days"
    late = trace("/a", host="h1.example", end_ns=world.clock.now_ns)
    world.clock.now_ns += day_ns
    world.commit(learn_all(State(), [late]))

    (alert,) = (each for each in world.userdata.alerts.latest() if each.kind == "endpoint-unseen")
    assert alert.ended_ns


def test_alerts_go_after_their_time_little_by_little(world: World) -> None:
    for number in range(60):
        world.clock.now_ns += 60 * SECOND
        world.commit(found(range(number, number + 1), "shop"))
    before = len(world.userdata.alerts.latest(1000))
    world.clock.set_ns = 3650 * 86_400 * SECOND
    world.restarted().look(True)
    at_once = before - len(world.userdata.alerts.latest(1000))
    for _ in range(200):
        world.clock.now_ns += 3600 * SECOND
        world.detector.look(True)

    assert 0 < at_once <= before // 20 + 1
    assert world.texts("new-endpoint") == []


def test_after_an_upgrade_only_what_is_new_is_told(world: World) -> None:
    """The release before kept no number of the last endpoint that it had looked at."""
    for number in range(30):
        world.clock.now_ns += 60 * SECOND
        world.commit(found(range(number, number + 1), "shop"))
    before = world.texts("new-endpoint")
    for name in ("alerts after endpoint", "alerts after change"):
        world.userdata.settings.set(name, "")
    world.restarted()
    world.commit(found(range(30, 31), "shop"))

    assert world.texts("new-endpoint")[len(before) :] == ["New endpoint GET /a of shop (staging)"]


def test_findings_are_alerted_when_bad_when_back_and_when_no_longer_accepted(tmp_path: Path) -> None:
    world = World(tmp_path)
    findings = world.userdata.findings
    now = time.time_ns()
    detector = AlertDetector(
        world.reader, world.userdata.alerts, world.userdata.settings, lambda: now, findings=findings
    )
    bad, slight = kept("/bad", rank=4, title="Leak"), kept("/slight", rank=2)
    back = kept("/back", rank=1, state="reopened", title="Again")
    accepted, expired = kept("/accepted", rank=4), kept("/expired", rank=4, title="Late")
    hint = kept("/hint", rank=4, proof=0)
    findings.put([bad, slight, back, accepted, expired, hint], now)
    findings.decide(accepted, NewDecision("accepted", "finding", "by-design"), "anna", now)
    findings.decide(expired, NewDecision("accepted", "finding", "by-design", expires_ns=now - 1), "anna", now)

    assert {(each.kind, each.text) for each in detector.changed_findings(now)} == {
        ("new-finding", "New finding, critical: Leak at GET /bad of shop (production)"),
        ("finding-reopened", "Back, low: Again at GET /back of shop (production)"),
        ("acceptance-expired", "No longer accepted, critical: Late at GET /expired of shop (production)"),
    }
    assert detector.look(True) == 3
    assert detector.look(True) == 0
    assert {page_of(alert) for alert in world.userdata.alerts.latest()} == {
        f"/posture/{each.id}" for each in (bad, back, expired)
    }
