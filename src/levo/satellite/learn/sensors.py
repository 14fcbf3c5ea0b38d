"""What sensors report about themselves: their identity and the last values of their ledger."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, NumberDataPoint
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from levo.satellite.learn.trace import Origin, clean_name, read_origin

MAX_SERIES = 512
"""Series kept of one sensor, without those of encrypted endpoints; the ledger has fewer than a hundred."""
MAX_ENCRYPTED_SERIES = 3 * 1024
"""Series kept of one sensor's encrypted endpoints, apart, so that they never crowd out the ledger."""
ENCRYPTED = "levo.encrypted."
_MAX_LABELS = 8
_DESCRIBES_SENSOR = frozenset(
    (
        "service.name",
        "service.version",
        "deployment.environment.name",
        "host.name",
        "telemetry.sdk.version",
        "cloud.provider",
        "cloud.platform",
        "cloud.region",
        "cloud.availability_zone",
        "cloud.account.id",
        "aws.ecs.cluster.arn",
        "aws.ecs.task.arn",
        "aws.ecs.task.family",
        "aws.ecs.task.revision",
        "aws.ecs.launchtype",
    )
)

Series = tuple[str, tuple[tuple[str, str], ...]]
"""A metric's name and its labels, sorted."""


@dataclass(frozen=True, slots=True)
class SensorReport:
    """What one sensor last said. Each value carries its time (nanoseconds since the Unix epoch)."""

    first_seen_ns: int
    last_seen_ns: int
    attributes: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    """Resource attributes that describe the sensor and where it runs; a fixed list of names. With the
    time of receipt."""
    values: Mapping[Series, tuple[int, float]] = field(default_factory=dict)
    """With the time of measurement."""


def merge_sensor(a: SensorReport, b: SensorReport) -> SensorReport:
    """Return the later of each value; between equal times the greater value."""
    values = dict(a.values)
    for series, (time_ns, value) in b.values.items():
        values[series] = max(values.get(series, (0, 0.0)), (time_ns, value))
    if len(values) > MAX_SERIES:
        values = _bounded(values)
    attributes = dict(a.attributes)
    for name, timed in b.attributes.items():
        attributes[name] = max(attributes.get(name, (0, "")), timed)
    return SensorReport(
        min(a.first_seen_ns, b.first_seen_ns), max(a.last_seen_ns, b.last_seen_ns), attributes, values
    )


def _bounded(values: Mapping[Series, tuple[int, float]]) -> dict[Series, tuple[int, float]]:
    """Return the first series by name, those of encrypted endpoints, which come and go, by time."""
    own = sorted(each for each in values.items() if not each[0][0].startswith(ENCRYPTED))
    encrypted = sorted(
        (each for each in values.items() if each[0][0].startswith(ENCRYPTED)),
        key=lambda each: (-each[1][0], each[0]),
    )
    return dict(own[:MAX_SERIES] + encrypted[:MAX_ENCRYPTED_SERIES])


def read_metrics(
    request: ExportMetricsServiceRequest, organization: str, received_ns: int
) -> Iterator[tuple[Origin, SensorReport]]:
    """Yield one report per resource that names its sensor, with its metrics in ``levo.`` and ``process.``."""
    for resource_metrics in request.resource_metrics:
        origin = read_origin(resource_metrics.resource, organization)
        if not origin.sensor:
            continue
        values: dict[Series, tuple[int, float]] = {}
        hidden: dict[Series, tuple[int, float]] = {}
        for scope_metrics in resource_metrics.scope_metrics:
            for metric in scope_metrics.metrics:
                if metric.name.startswith(("levo.", "process.")):
                    encrypted = metric.name.startswith(ENCRYPTED)
                    _read_metric(metric, received_ns, hidden if encrypted else values)
        yield (
            origin,
            SensorReport(
                received_ns,
                received_ns,
                describe_sensor(resource_metrics.resource, received_ns),
                values | hidden,
            ),
        )


def read_senders(
    resources: Iterable[Resource], organization: str, received_ns: int
) -> Iterator[tuple[Origin, SensorReport]]:
    """Yield one report, without values, for each of *resources* of a trace request that names its sensor."""
    for resource in resources:
        origin = read_origin(resource, organization)
        if origin.sensor:
            yield origin, SensorReport(received_ns, received_ns, describe_sensor(resource, received_ns))


def describe_sensor(resource: Resource, received_ns: int) -> dict[str, tuple[int, str]]:
    """Return the attributes of *resource* that say what and where the sensor is, each with *received_ns*."""
    return {
        attribute.key: (received_ns, clean_name(attribute.value.string_value))
        for attribute in resource.attributes
        if attribute.key in _DESCRIBES_SENSOR and attribute.value.string_value
    }


def _read_metric(metric: Metric, received_ns: int, values: dict[Series, tuple[int, float]]) -> None:
    most = MAX_ENCRYPTED_SERIES if metric.name.startswith(ENCRYPTED) else MAX_SERIES
    kind = metric.WhichOneof("data")
    if kind == "sum":
        points = metric.sum.data_points
    elif kind == "gauge":
        points = metric.gauge.data_points
    else:
        return
    for point in points:
        series = (clean_name(metric.name), _labels(point))
        if series not in values and len(values) >= most:
            return
        time_ns = point.time_unix_nano if 0 < point.time_unix_nano < 1 << 62 else received_ns
        value = float(point.as_int) if point.WhichOneof("value") == "as_int" else point.as_double
        values[series] = max(values.get(series, (0, 0.0)), (time_ns, value))


def _labels(point: NumberDataPoint) -> tuple[tuple[str, str], ...]:
    labels = [(clean_name(a.key), clean_name(a.value.string_value)) for a in point.attributes[:_MAX_LABELS]]
    return tuple(sorted(labels))
