"""Steps of the clocks at ten moments, with a restart at each: what is lost, and what is right once they are.

The learner's process is the real one but for its clock, which these tests give: it reads a journal, commits
and prunes. Sensors report every minute; one exchange is seen each minute.
"""

from __future__ import annotations

import itertools
import sqlite3
from pathlib import Path
from random import Random

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from levo.satellite.catalog.sensors import sensor_view
from levo.satellite.learn.sensors import MAX_SKEWS
from levo.satellite.learner import Learner
from levo.satellite.queue import Journal, JournalReader, Record, RecordKind
from levo.satellite.store import CatalogReader, CatalogWriter, EndpointFilter
from levo.satellite.store.retention import Retention
from tests.helpers.effort import long
from tests.satellite.requests import RESOURCE, Call, attribute, metrics, traces

SECOND = 10**9
MINUTE, DAY = 60 * SECOND, 86_400 * SECOND
NOW = 1_750_000_000 * SECOND // MINUTE * MINUTE
SENSOR = {**RESOURCE, "service.instance.id": "run-1"}
MINUTES = 3
"""Between two moments."""
STEPS = [sign * each for each in (3600 * SECOND, 3650 * DAY) for sign in (1, -1)]
MORE = [sign * each for each in (SECOND, MINUTE, DAY, 30 * DAY) for sign in (1, -1)]
ALL = [*STEPS, *(long(each) for each in MORE)]


class Machines:
    """A sensor and a Satellite, each with a clock, over the same minutes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.true_ns = NOW
        self.ours_ns = 0
        """By how much the Satellite's clock is off."""
        self.sensors_ns = 0
        self.reports = itertools.count(1)
        self.exchanges = 0

    def minute(self, journal: Journal) -> None:
        """One exchange, and then one report."""
        self.true_ns += MINUTE
        self.exchanges += 1
        call = Call(path="/a", end_ns=self.true_ns + self.sensors_ns)
        request = traces([call], SENSOR)
        received_ns = self.true_ns + self.ours_ns
        journal.append(Record(RecordKind.TRACES, received_ns, "", request.SerializeToString()))
        journal.append(Record(RecordKind.METRICS, received_ns + SECOND, "", self.report())).result(60)

    def report(self) -> bytes:
        number, time_ns = next(self.reports), self.true_ns + SECOND + self.sensors_ns
        request: ExportMetricsServiceRequest = metrics({"process.cpu.time": number}, SENSOR, time_ns)
        scope = request.resource_metrics[0].scope_metrics[0]
        for name, value in (("levo.sensor.reports", number), ("levo.sensor.ledger.received", 10 * number)):
            point = scope.metrics.add(name=name).sum.data_points.add(as_int=value, time_unix_nano=time_ns)
            if name.endswith("received"):
                point.attributes.append(attribute("stage", "frames"))
        return request.SerializeToString()

    def run(self, minutes: int) -> None:
        """Start the Satellite, let it work for a while, prune, and stop it."""
        path = self.folder / "catalog"
        with CatalogWriter(path) as writer, Journal(self.folder / "journal", max_bytes=1 << 24) as journal:
            reader = JournalReader(self.folder / "journal", writer.checkpoint().position)
            learner = Learner(reader, writer, retention=Retention())
            for _ in range(minutes):
                self.minute(journal)
                while learner.step(0.0):
                    learner.commit(0.0)
            learner.prune(0.0, self.true_ns + self.ours_ns + 2 * SECOND)

    def rollups(self, size_s: int) -> set[int]:
        """Starts of what is stored."""
        with sqlite3.connect(self.folder / "catalog") as connection:
            rows = connection.execute("SELECT start_s FROM rollup WHERE place = 0 AND size_s = ?", (size_s,))
            return {start for (start,) in rows}


def check(machines: Machines) -> None:
    """All is there, and right now that the clocks are, and have been for a few reports."""
    machines.run(MAX_SKEWS)
    reader = CatalogReader(machines.folder / "catalog")
    (row,) = reader.endpoints(EndpointFilter())[1]
    (sensor,) = reader.sensors()[1]
    reader.close()
    view = sensor_view(sensor, machines.true_ns + 2 * SECOND)

    assert row.exchanges == machines.exchanges
    assert row.last_seen_ns == machines.true_ns
    assert row.first_seen_ns == NOW + MINUTE
    assert sensor.last_seen_ns == machines.true_ns + SECOND and sensor.first_seen_ns == NOW + MINUTE
    assert view.state == "reporting" and view.skew_s == 0
    assert view.received == 10 * (next(machines.reports) - 1), "of the newest report"


@pytest.mark.parametrize("step_ns", ALL)
def test_steps_of_the_satellites_clock_cost_nothing(tmp_path: Path, step_ns: int) -> None:
    machines = Machines(tmp_path)
    machines.run(MINUTES)
    for _ in range(5):
        for ours_ns in (step_ns, 0):
            machines.ours_ns = ours_ns
            machines.run(MINUTES)
    check(machines)
    minutes = machines.rollups(60)

    true_s = {start for start in range(NOW // SECOND + 60, machines.true_ns // SECOND + 60, 60)}
    assert true_s <= minutes, "the times of traffic are those of the sensor"


@pytest.mark.parametrize("step_ns", ALL)
def test_steps_of_the_clock_of_both_on_one_machine_cost_the_times_of_the_moment_only(
    tmp_path: Path, step_ns: int
) -> None:
    machines = Machines(tmp_path)
    machines.run(MINUTES)
    for moment in range(5):
        for off_ns in (step_ns, 0):
            machines.ours_ns = machines.sensors_ns = off_ns
            machines.run(MINUTES // 2 if moment else MINUTES)
    machines.run(MINUTES)
    minutes = machines.rollups(60)
    kept = {start for start in range(NOW // SECOND + 60, NOW // SECOND + 60 * MINUTES, 60)}

    assert kept <= minutes, "what was seen before is all there"
    if step_ns > -MINUTE:
        check(machines)


@pytest.mark.parametrize("step_ns", ALL)
def test_steps_of_a_sensors_clock_cost_the_times_of_the_moment_only(tmp_path: Path, step_ns: int) -> None:
    machines = Machines(tmp_path)
    machines.run(MINUTES)
    for _ in range(5):
        for off_ns in (step_ns, 0):
            machines.sensors_ns = off_ns
            machines.run(MINUTES)

    if step_ns > -MINUTE:
        check(machines)
    reader = CatalogReader(tmp_path / "catalog")
    (row,) = reader.endpoints(EndpointFilter())[1]
    assert (row.exchanges, row.last_seen_ns) == (machines.exchanges, machines.true_ns)
    reader.close()


def test_any_steps_in_any_order_lose_no_exchange(tmp_path: Path) -> None:
    rng = Random(19)
    machines = Machines(tmp_path)
    for _ in range(10):
        machines.ours_ns, machines.sensors_ns = (rng.choice((0, *STEPS, *MORE)) for _ in range(2))
        machines.run(rng.randint(1, 5))
    machines.ours_ns = machines.sensors_ns = 0
    machines.run(MINUTES)
    reader = CatalogReader(tmp_path / "catalog")
    (row,) = reader.endpoints(EndpointFilter())[1]
    (sensor,) = reader.sensors()[1]
    reader.close()

    assert row.exchanges == machines.exchanges
    assert 0 <= row.last_seen_ns - machines.true_ns <= 2 * SECOND
    view = sensor_view(sensor, machines.true_ns + 2 * SECOND)
    assert view.received == 10 * (next(machines.reports) - 1) and view.state == "reporting"
