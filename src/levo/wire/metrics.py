"""Numbers that a half shows of itself, and their ``ExportMetricsServiceRequest`` (OTLP ``metrics/v1``)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from levo.wire import schema
from levo.wire.protobuf import double, field, fixed64, number_field
from levo.wire.resource import encode_attribute

Point = tuple[tuple[tuple[str, str], ...], int | float]
"""((label, value), ...) and the number."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One family with its points. Labels come from bounded sets only."""

    name: str
    """Dotted, without a unit: ``levo.sensor.frames``."""
    help: str
    unit: str
    """UCUM, as OpenTelemetry wants it: ``By``, ``s``, ``1``, ``{trace}``."""
    monotonic: bool
    """A counter since start; else a value of now."""
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often something was how large, since start. Of the Prometheus text only."""

    name: str
    """As of :class:`Metric`, like the three that follow."""
    help: str
    unit: str
    buckets: tuple[tuple[float, int], ...]
    """(upper bound, how many were at most that), in order; without the one of all."""
    count: int
    total: float


def encode_metrics(
    metrics: Iterable[Metric], resource: bytes, scope: tuple[str, str], start_ns: int, now_ns: int
) -> bytes:
    """Encode *metrics*, without the families that have no points.

    Args:
        resource: an encoded ``Resource``.
        scope: name and version of who measures.
        start_ns: since when counters count; they are cumulative sums.
        now_ns: the time of the numbers.
    """
    name, version = scope
    instrumentation = field(schema.INSTRUMENTATION_SCOPE_NAME, name.encode())
    instrumentation += field(schema.INSTRUMENTATION_SCOPE_VERSION, version.encode())
    scope_metrics = field(schema.SCOPE_METRICS_SCOPE, instrumentation) + b"".join(
        field(schema.SCOPE_METRICS_METRICS, _metric(metric, start_ns, now_ns))
        for metric in metrics
        if metric.points
    )
    return field(
        schema.EXPORT_METRICS_SERVICE_REQUEST_RESOURCE_METRICS,
        field(schema.RESOURCE_METRICS_RESOURCE, resource)
        + field(schema.RESOURCE_METRICS_SCOPE_METRICS, scope_metrics),
    )


def _metric(metric: Metric, start_ns: int, now_ns: int) -> bytes:
    head = (
        field(schema.METRIC_NAME, metric.name.encode())
        + field(schema.METRIC_DESCRIPTION, metric.help.encode())
        + field(schema.METRIC_UNIT, metric.unit.encode())
    )
    points = (_point(point, start_ns, now_ns) for point in metric.points)
    if not metric.monotonic:
        return head + field(
            schema.METRIC_GAUGE, b"".join(field(schema.GAUGE_DATA_POINTS, each) for each in points)
        )
    return head + field(
        schema.METRIC_SUM,
        b"".join(field(schema.SUM_DATA_POINTS, each) for each in points)
        + number_field(schema.SUM_AGGREGATION_TEMPORALITY, schema.AGGREGATION_TEMPORALITY_CUMULATIVE)
        + number_field(schema.SUM_IS_MONOTONIC, True),
    )


def _point(point: Point, start_ns: int, now_ns: int) -> bytes:
    """A ``NumberDataPoint``."""
    labels, value = point
    attributes = b"".join(
        field(schema.NUMBER_DATA_POINT_ATTRIBUTES, encode_attribute(key, text)) for key, text in labels
    )
    return (
        attributes
        + fixed64(schema.NUMBER_DATA_POINT_START_TIME_UNIX_NANO, start_ns)
        + fixed64(schema.NUMBER_DATA_POINT_TIME_UNIX_NANO, now_ns)
        + (
            double(schema.NUMBER_DATA_POINT_AS_DOUBLE, value)
            if isinstance(value, float)
            else fixed64(schema.NUMBER_DATA_POINT_AS_INT, value)
        )
    )
