"""What goes when, and what one wrong clock cannot make go."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from levo.satellite.learn import Run, SensorReport, State, learn_all, learn_sensor
from levo.satellite.queue import Position
from levo.satellite.store import CatalogReader, CatalogWriter, EndpointFilter
from levo.satellite.store import writer as writing
from levo.satellite.store.retention import DAY_NS, Retention
from tests.helpers.effort import long
from tests.satellite.store.catalogs import NOW, SECOND, trace

YEAR_NS = 365 * DAY_NS
LEDGER = {
    ("levo.sensor.ledger.units", (("state", f"s{number}"),)): (NOW, float(number)) for number in range(100)
}
STEPS = [
    *(sign * each * SECOND for each in (1, 60, 3600) for sign in (1, -1)),
    *(sign * each * DAY_NS for each in (2, 420) for sign in (1, -1)),
    10 * YEAR_NS,
    -10 * YEAR_NS,
]


class World:
    """A catalog that is opened, learned to and pruned at times that a test gives."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "catalog"
        self.commits = 0

    def run(self, now_ns: int, *paths: str, sensor: str = "", is_right: bool = False) -> None:
        """One start of the Satellite: something is seen at *now_ns*, and pruned."""
        state = learn_all(State(), [trace(path, end_ns=now_ns) for path in paths])
        if sensor:
            report = SensorReport(now_ns, now_ns, run=Run("r", now_ns, (1, now_ns)), reported=(1, now_ns))
            learn_sensor(state, "acme", sensor, report)
        self.commits += 1
        with CatalogWriter(self.path) as writer:
            writer.commit(state, Position(1, self.commits))
            writer.prune(now_ns, Retention(), is_right=is_right)

    def fill(self, days: int) -> None:
        """Traffic on each of *days* until now, in each hour of the last, in each minute of the last hour."""
        ends = [NOW - day * DAY_NS for day in range(days)]
        ends += [NOW - hour * 3600 * SECOND for hour in range(24)]
        ends += [NOW - minute * 60 * SECOND for minute in range(60)]
        state = learn_all(State(), [trace("/a", end_ns=end_ns) for end_ns in ends])
        report = SensorReport(NOW, NOW, run=Run("r", NOW, (1, NOW)), reported=(1, NOW))
        learn_sensor(state, "acme", "quiet", report)
        with CatalogWriter(self.path) as writer:
            writer.commit(state, Position(1, 1))

    def rollups(self) -> list[int]:
        """By size: how many there are that are kept now."""
        connection = sqlite3.connect(self.path)
        found = [
            connection.execute(
                "SELECT count(*) FROM rollup WHERE place = 0 AND size_s = ? AND start_s BETWEEN ? AND ?",
                (size, NOW // SECOND - kept_s, NOW // SECOND),
            ).fetchone()[0]
            for size, kept_s in Retention().rollups_s().items()
        ]
        connection.close()
        return found

    def sensors(self) -> dict[str, tuple[int, int]]:
        reader = CatalogReader(self.path)
        found = {row.sensor: (row.first_seen_ns, row.last_seen_ns) for row in reader.each_sensor()}
        reader.close()
        return found

    def endpoints(self) -> dict[str, tuple[int, int]]:
        reader = CatalogReader(self.path)
        rows = reader.endpoints(EndpointFilter())[1]
        reader.close()
        return {row.path: (row.first_seen_ns, row.last_seen_ns) for row in rows}


@pytest.mark.parametrize("step_ns", STEPS)
def test_a_start_with_a_wrong_clock_erases_nothing(tmp_path: Path, step_ns: int) -> None:
    """Both halves on one machine, so that the times of traffic are as wrong as ours; then back."""
    world = World(tmp_path)
    world.fill(120)
    world.run(NOW, "/a")
    before = world.rollups()
    for moment in range(3):
        world.run(NOW + step_ns + moment * SECOND, "/b", sensor="other")

    assert all(left >= number > 20 for number, left in zip(before, world.rollups(), strict=True))
    assert {"/a", "/b"} <= world.endpoints().keys() and "quiet" in world.sensors()
    world.run(NOW + 2 * 3600 * SECOND, "/b", sensor="other", is_right=True)
    assert {"/a", "/b"} <= world.endpoints().keys() and "quiet" in world.sensors()
    latest = NOW + 2 * 3600 * SECOND
    assert all(last <= latest for _, last in (*world.endpoints().values(), *world.sensors().values()))
    assert world.endpoints()["/b"][1] == latest


def test_a_first_start_with_a_clock_that_was_never_set_leaves_no_first_time(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.run(writing.NOT_SET_NS, "/a")
    world.run(NOW, "/a", is_right=True)

    assert world.endpoints() == {"/a": (NOW, NOW)}


def test_what_is_older_than_it_is_kept_goes_also_without_traffic(tmp_path: Path) -> None:
    """Endpoints count from the latest exchange of their application; time that is learned of counts."""
    world = World(tmp_path)
    world.run(NOW, "/old")
    state = learn_all(State(), [trace("/new", end_ns=NOW + day * DAY_NS) for day in range(1, 403)])
    with CatalogWriter(world.path) as writer:
        writer.commit(state, Position(1, 9))
    with CatalogWriter(world.path) as writer:
        assert writer.prune(NOW + 403 * DAY_NS, Retention()) > 0

    assert world.endpoints().keys() == {"/new"}
    assert world.rollups()[-1] == 0, "the day of the first exchange"


def test_sensors_that_stopped_go_soon_and_silent_ones_later(tmp_path: Path) -> None:
    world = World(tmp_path)
    with CatalogWriter(world.path) as writer:
        for number, (name, stop) in enumerate((("stopped", (2, NOW)), ("silent", (0, 0)))):
            run = Run("r", NOW - SECOND, (2, NOW), stop)
            state = learn_sensor(State(), "acme", name, SensorReport(NOW, NOW, run=run, reported=(2, NOW)))
            writer.commit(state, Position(1, number))
    seen = []
    for day in (1, 2, 20, 40, 60):
        for each in range(1, 32 if day == 40 else 3):
            world.run(NOW + (day + each) * DAY_NS, sensor="live")
        seen.append(set(world.sensors()) - {"live"})

    assert seen[0] == {"silent"} and seen[2] == {"silent"} and seen[-1] == set()
    reader = CatalogReader(world.path)
    assert reader.summary().counters["expired_sensors"] == 2
    reader.close()


def test_the_longest_silent_makes_room_for_a_new_sensor_and_none_that_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MAX_SENSORS", 10)
    with CatalogWriter(tmp_path / "catalog") as writer:
        for number in range(25):  # each speaks once; the third stops with a word
            at = NOW + number * 3600 * SECOND
            run = Run("r", at, (1, at), (1, at) if number == 3 else (0, 0))
            report = SensorReport(at, at, run=run, reported=(1, at))
            writer.commit(learn_sensor(State(), "acme", f"task-{number}", report), Position(1, number))
            reader = CatalogReader(tmp_path / "catalog")
            assert f"task-{number}" in {row.sensor for row in reader.each_sensor()}
            reader.close()
        for number in range(30, 45):  # at one time: the first find room, then all report
            report = SensorReport(at, at, run=Run("r", at, (1, at)), reported=(1, at))
            writer.commit(learn_sensor(State(), "acme", f"task-{number}", report), Position(1, number))
    reader = CatalogReader(tmp_path / "catalog")
    counters = reader.summary().counters

    assert {row.sensor for row in reader.each_sensor()} == {"task-24", *(f"task-{n}" for n in range(30, 39))}
    assert (counters["displaced_sensors"], counters["sensor_limit_reports"]) == (15 + 9, 6)
    reader.close()


@pytest.mark.parametrize("days", [3, long(365)])
def test_a_year_of_tasks_that_come_and_go(tmp_path: Path, days: int) -> None:
    """Of 55 a day, each fifth ends without a word; five hosts report all the time."""
    path = tmp_path / "catalog"
    reader = None
    with CatalogWriter(path) as writer:
        for day in range(days):
            at = NOW + day * DAY_NS
            state = State()
            for number in range(55):
                stop = (0, 0) if number % 5 == 0 else (2, at)
                run = Run("r", at, (2, at), stop)
                report = SensorReport(at, at, run=run, values=LEDGER, reported=(2, at))
                learn_sensor(state, "acme", f"task-{day}-{number}", report)
            for number in range(5):
                run = Run("r", NOW, (day + 1, at))
                report = SensorReport(at, at, run=run, values=LEDGER, reported=(day + 1, at))
                learn_sensor(state, "acme", f"host-{number}", report)
            writer.commit(state, Position(1, day))
            writer.prune(at, Retention())
            reader = reader or CatalogReader(path)
            seen = {row.sensor: row for row in reader.sensors(limit=100)[1]}
            assert {f"host-{number}" for number in range(5)} | {f"task-{day}-54"} <= seen.keys()
            assert len(seen[f"task-{day}-54"].metrics) == len(LEDGER), "the ledger is complete"
            total = reader.sensors(limit=1)[0]
            assert total <= 5 + 2 * 55 + 31 * 11, "stopped ones of a day, silent ones of thirty"
        assert reader is not None
        counters = reader.summary().counters
        assert counters.get("expired_sensors", 0) + reader.sensors(limit=1)[0] == 5 + 55 * days
        assert not counters.get("sensor_limit_reports")
        reader.close()
    assert path.stat().st_size < 8 << 20
