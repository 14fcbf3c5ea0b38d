"""One sensor put together from the series that it reported."""

from __future__ import annotations

import msgspec

from levo.satellite.catalog.sensors import SKEWED_NS, is_replaced, sensor_view
from levo.satellite.learn import Run
from levo.satellite.learn.sensors import SILENT_NS
from levo.satellite.store import SensorRow
from levo.satellite.store.reader import MetricValue
from tests.satellite.store.catalogs import NOW, SECOND


def value(name: str, number: float, time_ns: int = NOW, **labels: str) -> MetricValue:
    return MetricValue(name, labels, time_ns, number)


def sensor(*metrics: MetricValue, name: str = "s", **attributes: str) -> SensorRow:
    named = {key.replace("__", "."): text for key, text in attributes.items()}
    return SensorRow("acme", name, NOW - SECOND, NOW, named, list(metrics))


def test_a_stage_shows_its_states_kept_first_and_whether_they_add_up() -> None:
    view = sensor_view(
        sensor(
            value("levo.sensor.ledger.received", 10, stage="frames"),
            value("levo.sensor.ledger.units", 2, stage="frames", state="too_big", fate="lost"),
            value("levo.sensor.ledger.units", 7, stage="frames", state="tcp", fate="kept"),
            value("levo.sensor.ledger.units", 0, stage="frames", state="never", fate="lost"),
            value("levo.sensor.ledger.waiting", 1, stage="frames", state="held"),
        ),
        NOW,
    )
    (stage,) = view.stages

    assert [(e.state, e.fate, e.units) for e in stage.entries] == [
        ("tcp", "kept", 7),
        ("too_big", "lost", 2),
        ("held", "waiting", 1),
    ]
    assert stage.balances and (view.lost, view.received) == (2, 10)


def test_a_missing_unit_is_seen() -> None:
    view = sensor_view(
        sensor(
            value("levo.sensor.ledger.received", 10, stage="frames"),
            value("levo.sensor.ledger.units", 9, stage="frames", state="tcp", fate="kept"),
        ),
        NOW,
    )

    assert not view.stages[0].balances


def test_stages_come_in_the_order_of_the_pipeline_and_unknown_ones_last() -> None:
    names = ("zeta", "output", "capture", "exchanges")
    rows = [value("levo.sensor.ledger.received", 1, stage=name) for name in names]
    rows.append(value("levo.sensor.ledger.received", 1, stage="output", output="otlp"))

    assert [stage.name for stage in sensor_view(sensor(*rows), NOW).stages] == [
        "capture",
        "exchanges",
        "output",
        "output otlp",
        "zeta",
    ]


def test_a_task_is_named_rather_than_its_host() -> None:
    arn = "arn:aws:ecs:eu-west-1:1:task/cluster/abc"
    view = sensor_view(sensor(aws__ecs__task__arn=arn, host__name="ip-10"), NOW)

    assert view.place == "ECS task abc"
    assert sensor_view(sensor(host__name="ip-10"), NOW).place == "ip-10"


def test_single_values_and_the_version_of_the_build() -> None:
    view = sensor_view(
        sensor(
            value("process.cpu.time", 1.5),
            value("levo.sensor.memory.held", 3, pool="a"),
            value("levo.sensor.memory.held", 4, pool="b"),
            value("levo.sensor.build", 1, version="2.0"),
            service__version="1.0",
        ),
        NOW,
    )

    assert (view.cpu_s, view.held_bytes, view.memory_bytes, view.version) == (1.5, 7, None, "2.0")


def test_a_sensor_is_silent_only_after_the_limit() -> None:
    assert not sensor_view(sensor(), NOW + SILENT_NS).silent
    assert sensor_view(sensor(), NOW + SILENT_NS + 1).silent


def test_a_sensor_that_stopped_cleanly_is_not_silent() -> None:
    stopped = msgspec.structs.replace(sensor(), run=Run("r", NOW - 9, (3, NOW - 1), (3, NOW - 1)))
    view = sensor_view(stopped, NOW + 10 * SILENT_NS)

    assert (view.state, view.stopped_ns, view.silent) == ("stopped", NOW - 1, False)
    assert sensor_view(sensor(), NOW).state == "reporting"
    assert sensor_view(sensor(), NOW + 10 * SILENT_NS).state == "silent"


def test_people_read_where_a_sensor_runs_and_what_it_watches() -> None:
    named = {"host__name": "web-1", "service__name": "orders", "deployment__environment__name": "prod"}

    assert sensor_view(sensor(**named), NOW).name == "Sensor on web-1 (orders, prod)"
    assert sensor_view(sensor(), NOW).name == "Sensor s"


def test_only_a_sensor_of_the_release_before_is_replaced_by_one_of_the_same_place() -> None:
    def seen(name: str, instance: str, seconds: int, host: str = "web-1") -> SensorRow:
        row = sensor(name=name, host__name=host)
        time_ns = NOW + seconds * SECOND
        return msgspec.structs.replace(
            row, first_seen_ns=time_ns, last_seen_ns=time_ns + SECOND, run=Run(instance)
        )

    old = seen("old", "", 0)
    assert is_replaced(old, [old, seen("new", "r", 9)])
    assert not is_replaced(old, [old, seen("new", "r", 9, host="web-2")])
    assert not is_replaced(old, [old, seen("older", "", 9)])
    assert not is_replaced(seen("new", "r", 0), [seen("newer", "s", 9)])


def test_a_clock_is_off_from_where_the_way_of_a_report_does_not_explain_it() -> None:
    def skew_s(skew_ns: int | None) -> float:
        return sensor_view(msgspec.structs.replace(sensor(), skew_ns=skew_ns), NOW).skew_s

    assert [skew_s(None), skew_s(-SECOND), skew_s(SKEWED_NS - 1)] == [0, 0, 0]
    assert [skew_s(-86_400 * SECOND), skew_s(SKEWED_NS)] == [-86_400, 5]
