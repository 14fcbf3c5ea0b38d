"""What sensors say about themselves."""

from __future__ import annotations

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from levo.satellite.learn import merge_sensor, read_metrics, read_senders
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


def test_series_are_bounded() -> None:
    many = {f"levo.m{number}": number for number in range(MAX_SERIES + 50)}
    ((_, report),) = read_metrics(metrics(many), "", NOW)
    ((_, other),) = read_metrics(metrics({f"levo.z{number}": 1 for number in range(50)}), "", NOW)

    assert len(report.values) == MAX_SERIES == len(merge_sensor(report, other).values)


def test_encrypted_endpoints_never_crowd_out_the_ledger() -> None:
    many = {f"levo.encrypted.m{number}": 1 for number in range(MAX_ENCRYPTED_SERIES + 5)}
    ((_, first),) = read_metrics(metrics({**many, "process.cpu.time": 1}, time_ns=5), "", NOW)
    ((_, later),) = read_metrics(metrics({"levo.encrypted.later": 1, "levo.z": 2}, time_ns=6), "", NOW)
    merged = merge_sensor(first, later).values

    assert len(first.values) == MAX_ENCRYPTED_SERIES + 1
    assert len(merged) == MAX_ENCRYPTED_SERIES + 2
    assert {name for name, _ in merged} >= {"process.cpu.time", "levo.z", "levo.encrypted.later"}
