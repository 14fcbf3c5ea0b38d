"""The sensor's own metrics: complete, readable by the published OTLP definitions and as Prometheus text."""

from __future__ import annotations

import re
from pathlib import Path

from levo.engine.engine import Engine
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from levo.engine.encode.otlp import encode_resource
from levo.sensor.assembly import ledger_of
from levo.sensor.capture.statistics import InterfaceStatistics, LiveStatistics
from levo.sensor.export.statistics import OutputStatistics
from levo.sensor.metrics import Metric, ProcessUse, measure, otlp, prometheus, reference
from levo.sensor.pipeline import PipelineStatistics, Snapshot


def snapshot() -> Snapshot:
    engine = {**Engine().statistics(), "frames_received": 9, "frames_tcp": 9, "gaps": 3}
    capture = LiveStatistics((InterfaceStatistics("eth0", 12, 9, 2, 0, True),), 0)
    outputs = (OutputStatistics('otlp "a"', held_bytes=7), OutputStatistics("null"))
    return Snapshot(engine, 0, capture, PipelineStatistics(held_bytes=5), outputs, None, True)


def metrics() -> list[Metric]:
    return measure(ledger_of(snapshot()), snapshot(), ProcessUse(1.5, 4096))


def test_the_whole_ledger_is_in_the_metrics() -> None:
    found = {metric.name: dict(metric.points) for metric in metrics()}
    ledger = ledger_of(snapshot())
    units = sum(len(balance.counts) for balance in ledger.stages)

    assert len(found["levo.sensor.ledger.received"]) == len(ledger.stages)
    assert len(found["levo.sensor.ledger.units"]) + len(found["levo.sensor.ledger.waiting"]) == units
    assert found["levo.sensor.gaps"] == {(): 3}
    assert found["levo.sensor.capture.dropped"] == {(("interface", "eth0"),): 2}
    assert found["levo.sensor.memory.held"][(("place", 'output otlp "a"'),)] == 7


def test_the_reference_in_docs_is_current() -> None:
    """Renew with: levo config reference --metrics > docs/reference/metrics.md"""
    page = Path(__file__).resolve().parents[2] / "docs" / "reference" / "metrics.md"

    assert page.read_text() == reference()
    assert all(f"| `{metric.name}` |" in reference() for metric in metrics())


def test_prometheus_text_is_well_formed() -> None:
    text = prometheus(metrics())
    sample = re.compile(r'[a-z_0-9]+(\{([a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*\})? \d+(\.\d+)?')

    families = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(set(families)) == len(families) == len(metrics())
    for line in text.splitlines():
        assert line.startswith("#") or sample.fullmatch(line), line
    assert 'levo_sensor_ledger_units_total{stage="capture",state="kernel_dropped",fate="lost"} 2' in text
    assert "process_cpu_time_seconds_total 1.5" in text
    assert "process_memory_usage_bytes 4096" in text


def test_the_published_definitions_read_the_same_numbers() -> None:
    resource = encode_resource({"service.name": "shop"})

    request = ExportMetricsServiceRequest.FromString(otlp(metrics(), resource, 1_000, 2_000))

    (group,) = request.resource_metrics
    assert group.resource.attributes[0].value.string_value == "shop"
    (scope,) = group.scope_metrics
    read = {}
    for metric in scope.metrics:
        data = metric.sum if metric.HasField("sum") else metric.gauge
        if metric.HasField("sum"):
            assert metric.sum.is_monotonic and metric.sum.aggregation_temporality == 2
        points = {}
        for point in data.data_points:
            assert (point.start_time_unix_nano, point.time_unix_nano) == (1_000, 2_000)
            labels = tuple((attribute.key, attribute.value.string_value) for attribute in point.attributes)
            points[labels] = point.as_double if point.HasField("as_double") else point.as_int
        read[metric.name] = points
    assert read == {metric.name: dict(metric.points) for metric in metrics() if metric.points}


def test_this_process_uses_something() -> None:
    used = ProcessUse.now()

    assert used.cpu_seconds > 0 and used.resident_bytes > 1 << 20
