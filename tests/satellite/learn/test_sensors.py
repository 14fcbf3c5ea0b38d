"""What sensors say about themselves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from levo.satellite.learn import (
    Run,
    SensorReport,
    follow_sensor,
    merge_sensor,
    read_metrics,
    read_senders,
    runs_before,
)
from levo.satellite.learn.sensors import MAX_ENCRYPTED_SERIES, MAX_SERIES
from tests.satellite.requests import RESOURCE, Call, attribute, metrics, traces

NOW = 1_700_000_000_000_000_000
STATE = (("state", "exported"),)


def resources(request: ExportTraceServiceRequest) -> list[Resource]:
    return [each.resource for each in request.resource_spans]


def test_the_last_values_of_own_metrics() -> None:
    request = metrics({"levo.packets": 7, "levo.ratio": 0.25, "http.other": 9}, time_ns=5)
    ((origin, report),) = read_metrics(request, "acme", NOW)

    assert (origin.organization, origin.sensor) == ("acme", "sensor-1")
    assert report.values == {("levo.packets", STATE): (5, 7.0), ("levo.ratio", STATE): (5, 0.25)}
    assert report.attributes == {
        "service.name": (NOW, "shop"),
        "deployment.environment.name": (NOW, "staging"),
    }


def test_gauges_count_and_histograms_do_not() -> None:
    request = ExportMetricsServiceRequest()
    resource_metrics = request.resource_metrics.add()
    resource_metrics.resource.attributes.append(attribute("levo.sensor.id", "s"))
    scope = resource_metrics.scope_metrics.add()
    scope.metrics.add(name="levo.memory").gauge.data_points.add(as_int=3)
    scope.metrics.add(name="levo.sizes").histogram.data_points.add(count=3)
    ((_, report),) = read_metrics(request, "", NOW)

    assert report.values == {("levo.memory", ()): (NOW, 3.0)}


def test_a_resource_without_a_sensor_is_left_out() -> None:
    assert not list(read_metrics(metrics({"levo.a": 1}, {"service.name": "x"}), "", NOW))
    assert not list(read_senders(resources(traces([Call()], {"service.name": "x"})), "", NOW))


def test_traces_name_their_sensor_too() -> None:
    request = traces([Call()], {**RESOURCE, "host.name": "box"})
    ((origin, report),) = read_senders(resources(request), "", NOW)

    assert (origin.sensor, report.attributes["host.name"], report.last_seen_ns) == (
        "sensor-1",
        (NOW, "box"),
        NOW,
    )


def series(*names: str, number: int = 0, received_ns: int = NOW, time_ns: int = 0) -> SensorReport:
    """What is read of one report with these series; *number* 0 is of a sensor that does not number them."""
    values = {name: 1.0 + at for at, name in enumerate(names)}
    request = metrics(values, time_ns=time_ns)
    if number:
        marks = request.resource_metrics[0].scope_metrics[0].metrics.add(name="levo.sensor.reports").sum
        marks.data_points.add(as_int=number, time_unix_nano=time_ns)
    ((_, report),) = read_metrics(request, "", received_ns)
    return report


def kept(report: SensorReport) -> set[str]:
    return {name for name, _ in report.values}


def test_a_sensor_with_2000_series_keeps_its_ledger_and_what_is_cut_is_counted() -> None:
    """Whatever the names, and whatever came first."""
    ledger = [f"levo.sensor.ledger.m{number}" for number in range(90)]
    interfaces = [f"levo.sensor.capture.m{number}" for number in range(1_900)]
    other = ["process.cpu.time", "levo.a"]
    for order in ((*interfaces, *other, *ledger), (*ledger, *other, *interfaces)):
        report = series(*order, number=1)
        assert kept(report) >= {*ledger, *other, "levo.sensor.reports"}
        assert len(report.values) == MAX_SERIES
        assert report.cut == len(order) + 1 - MAX_SERIES


def test_reading_a_report_of_any_size_takes_bounded_memory_and_keeps_the_ledger() -> None:
    many = [f"levo.m{number}" for number in range(3 * (MAX_SERIES + MAX_ENCRYPTED_SERIES))]
    report = series("levo.sensor.ledger.received", *many)

    assert "levo.sensor.ledger.received" in kept(report) and len(report.values) == MAX_SERIES
    assert report.cut == 1 + len(many) - MAX_SERIES


def test_the_newest_report_takes_the_place_of_the_one_before() -> None:
    """A series that it lacks is of an interface that is gone. The number decides, whatever the clocks say."""
    first = series("levo.a", "levo.sensor.capture.veth1", number=1, time_ns=NOW + 99 * SECOND)
    second = series("levo.a", number=2, received_ns=NOW + 1, time_ns=NOW - 99 * SECOND)

    for merged in (merge_sensor(first, second), merge_sensor(second, first)):
        assert kept(merged) == {"levo.a", "levo.sensor.reports"}
    unnumbered = series("levo.b", received_ns=NOW + 2), series("levo.c", received_ns=NOW + 3)
    assert kept(merge_sensor(*unnumbered)) == {"levo.c"}
    ((_, sender),) = read_senders(resources(traces([Call()])), "", NOW + 9)
    assert kept(merge_sensor(sender, first)) == kept(merge_sensor(first, sender)) == kept(first)


def test_encrypted_endpoints_never_crowd_out_the_ledger() -> None:
    many = [f"levo.encrypted.m{number}" for number in range(MAX_ENCRYPTED_SERIES + 5)]
    report = series("process.cpu.time", *many)

    assert len(report.values) == MAX_ENCRYPTED_SERIES + 1 and report.cut == 5
    assert "process.cpu.time" in kept(report)
    assert kept(report).isdisjoint(many[:5]), "those with the fewest connections"


def test_a_skew_is_the_greatest_of_the_latest_reports_and_unknown_without_one() -> None:
    merged = series("levo.a", number=1, time_ns=NOW + 80 * SECOND)
    for number, late_s in ((2, 30), (3, 0), (4, 3), (5, 9), (6, 1)):
        now_ns = NOW + number * SECOND
        report = series("levo.a", number=number, received_ns=now_ns, time_ns=now_ns - late_s * SECOND)
        merged = merge_sensor(merged, report)

    assert merged.skew_ns == 0, "five reports after the clock was set, that is forgotten"
    ((_, sender),) = read_senders(resources(traces([Call()])), "", NOW)
    assert sender.skew_ns is None
    assert series("levo.a", time_ns=NOW - 86_400 * SECOND).skew_ns == -86_400 * SECOND


def test_what_a_clock_of_ours_said_that_was_ahead_does_not_outlive_it() -> None:
    """Nor does one that is behind make anything older: times of receipt come in the journal's order."""
    year_ns = 365 * 86_400 * SECOND
    first = series("levo.a", number=7, received_ns=NOW, time_ns=NOW)
    ahead = series("levo.a", number=8, received_ns=NOW + year_ns, time_ns=NOW + SECOND)
    known = follow_sensor(first, ahead)
    behind = series("levo.a", number=9, received_ns=NOW - 10 * year_ns, time_ns=NOW + 2 * SECOND)
    right = series("levo.a", number=10, received_ns=NOW + 3 * SECOND, time_ns=NOW + 3 * SECOND)

    assert follow_sensor(known, behind).first_seen_ns == NOW
    for at in (known, follow_sensor(known, behind)):
        found = follow_sensor(at, right)
        assert (found.first_seen_ns, found.last_seen_ns) == (NOW, NOW + 3 * SECOND)
        assert found.values == right.values
    assert follow_sensor(ahead, right).first_seen_ns == NOW + 3 * SECOND


SECOND = 1_000_000_000
MARKED = {**RESOURCE, "service.instance.id": "run-1", "process.creation.time": "2023-11-14T22:13:10.5Z"}
STARTED = NOW - 9_500_000_000


def reported(number: int, time_ns: int, *, received_ns: int = NOW, stopped: bool = False) -> SensorReport:
    """What is read of one report of a run: its number, and whether it is the last one of a clean stop."""
    request = ExportMetricsServiceRequest()
    group = request.resource_metrics.add()
    group.resource.attributes.extend(attribute(key, value) for key, value in MARKED.items())
    scope = group.scope_metrics.add()
    sums = scope.metrics.add(name="levo.sensor.reports").sum
    sums.data_points.add(as_int=number, time_unix_nano=time_ns)
    if stopped:
        gauge = scope.metrics.add(name="levo.sensor.stopped", unit="s").gauge
        gauge.data_points.add(as_double=time_ns / 1e9, time_unix_nano=time_ns)
    ((_, report),) = read_metrics(request, "", received_ns)
    return report


def together(*reports: SensorReport) -> Run:
    merged = reports[0]
    for report in reports[1:]:
        merged = merge_sensor(merged, report)
    return merged.run


def test_a_report_names_its_run_and_when_that_began() -> None:
    assert reported(1, NOW).run == Run("run-1", STARTED, (1, NOW))
    ((_, sender),) = read_senders(resources(traces([Call()], MARKED)), "", NOW)
    assert sender.run == Run("run-1", STARTED)


def test_the_last_report_of_a_clean_stop_is_remembered_however_the_others_arrive() -> None:
    first, second, last = reported(1, NOW - 3), reported(2, NOW - 2), reported(3, NOW - 1, stopped=True)
    ((_, late),) = read_senders(resources(traces([Call()], MARKED)), "", NOW + SECOND)

    for order in ((first, second, last), (last, first, second), (second, last, late, first)):
        assert together(*order).stopped_ns == NOW - 1
    assert "levo.sensor.stopped" not in {name for name, _ in last.values}
    assert together(first, second).stopped_ns == 0


def test_the_clocks_do_not_decide_which_report_was_the_last() -> None:
    """A step back before the stop, and a clock that is hours ahead while an old report comes late."""
    assert together(reported(8, NOW - 1), reported(9, NOW - 60 * SECOND, stopped=True)).stopped_ns
    ahead = NOW + 3600 * SECOND
    last, late = reported(9, ahead, stopped=True), reported(8, ahead - 1, received_ns=NOW + 5)
    assert together(last, late).stopped_ns == NOW


def test_a_goodbye_that_a_later_report_belies_is_none() -> None:
    forged = reported(2, 4_000_000_000 * SECOND, stopped=True)

    assert forged.run.stopped_ns == NOW
    assert together(forged, reported(3, NOW + 1, received_ns=NOW + 1)).stopped_ns == 0


def test_a_time_in_the_future_does_not_outlive_its_mistake() -> None:
    wrong = metrics({"levo.a": 111}, {**RESOURCE, "process.creation.time": "2100-01-01T00:00:00Z"}, 1 << 62)
    ((_, first),) = read_metrics(wrong, "", NOW)
    ((_, later),) = read_metrics(metrics({"levo.a": 222}, time_ns=NOW + 1), "", NOW + 1)

    assert merge_sensor(first, later).values == {("levo.a", STATE): (NOW + 1, 222.0)}
    assert first.run.started_ns <= NOW


@given(text=st.text() | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]*)?Z"))
def test_any_time_of_a_start_is_read_leniently(text: str) -> None:
    request = traces([Call()], {**RESOURCE, "process.creation.time": text})
    ((_, report),) = read_senders(resources(request), "", NOW)

    assert 0 <= report.run.started_ns <= NOW


def test_a_number_that_is_none_orders_nothing() -> None:
    for number in (float("nan"), float("inf"), -1.0):
        ((_, report),) = read_metrics(metrics({"levo.sensor.reports": number}), "", NOW)
        assert report.run.last[0] == 0


def test_a_run_takes_the_place_of_one_that_ended_before_it_began() -> None:
    killed = Run("a", 100, (1, 150))
    stopped = Run("b", 90, (1, 160), (1, 160))
    lives = Run("c", 100, (1, 300))
    new = Run("d", 200)

    assert runs_before([], new) == (True, None)
    assert runs_before([killed], new) == (True, killed)
    assert runs_before([killed, stopped, lives], new) == (True, stopped)
    assert runs_before([lives], new) == (True, None), "they overlap: two sensors"
    assert runs_before([new], killed) == (False, None), "a late word of a run that is over"
    assert runs_before([Run("", 0, (0, 150))], new)[1] is not None
