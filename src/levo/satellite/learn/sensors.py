"""What sensors report about themselves: their identity and the last values of their ledger."""

from __future__ import annotations

import re
from calendar import timegm
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

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


STOPPED = "levo.sensor.stopped"
REPORTS = "levo.sensor.reports"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a sensor, from a start to its end, and how far its reports got.

    All times are on the sensor's clock, but never later than the receipt: what a wrong clock or a forger says
    of the future must not outlive the mistake.
    """

    instance: str = ""
    """``service.instance.id``; empty for a sensor that does not send it."""
    started_ns: int = 0
    """0: unknown."""
    last: tuple[int, int] = (0, 0)
    """Number and time of the newest report of metrics."""
    stop: tuple[int, int] = (0, 0)
    """The same of the report that said that the sensor stops; (0, 0): none did."""

    @property
    def last_word_ns(self) -> int:
        """When the run is known to have been at work last."""
        return max(self.started_ns, self.last[1])

    @property
    def stopped_ns(self) -> int:
        """When the sensor stopped cleanly; 0 if it did not, or has reported after that."""
        return self.stop[1] if self.stop >= self.last else 0


def merge_run(a: Run, b: Run) -> Run:
    """Return what two reports of one run say together."""
    started = min(a.started_ns, b.started_ns) or max(a.started_ns, b.started_ns)
    return Run(a.instance, started, max(a.last, b.last), max(a.stop, b.stop))


def runs_before(known: Sequence[Run], run: Run) -> tuple[bool, Run | None]:
    """Say what becomes of *run*, which is new among the *known* ones of the same sensor id.

    Return (False, None) for the late word of a run whose successor is known, else True with the run whose
    place it takes: one that ended before this one began, the one that stopped cleanly or has been silent
    longest. Runs that overlap are different sensors, whatever their id, and each keeps its place.
    """
    if any(each.started_ns > run.last_word_ns for each in known):
        return False, None
    ended = [each for each in known if each.last_word_ns < run.started_ns]
    return True, min(ended, key=lambda each: (not each.stopped_ns, each.last_word_ns), default=None)


@dataclass(frozen=True, slots=True)
class SensorReport:
    """What one run of a sensor last said. Each value carries its time (nanoseconds since the Unix epoch)."""

    first_seen_ns: int
    last_seen_ns: int
    attributes: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    """Resource attributes that describe the sensor and where it runs; a fixed list of names. With the
    time of receipt."""
    values: Mapping[Series, tuple[int, float]] = field(default_factory=dict)
    """With the time of measurement."""
    run: Run = Run()


def merge_sensor(a: SensorReport, b: SensorReport) -> SensorReport:
    """Return the later of each value of one run; between equal times the greater value."""
    values = dict(a.values)
    for series, (time_ns, value) in b.values.items():
        values[series] = max(values.get(series, (0, 0.0)), (time_ns, value))
    if len(values) > MAX_SERIES:
        values = _bounded(values)
    attributes = dict(a.attributes)
    for name, timed in b.attributes.items():
        attributes[name] = max(attributes.get(name, (0, "")), timed)
    return SensorReport(
        min(a.first_seen_ns, b.first_seen_ns),
        max(a.last_seen_ns, b.last_seen_ns),
        attributes,
        values,
        merge_run(a.run, b.run),
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
        described = describe_sensor(resource_metrics.resource, received_ns)
        run = _reported_run(read_run(resource_metrics.resource, received_ns), values)
        yield origin, SensorReport(received_ns, received_ns, described, values | hidden, run)


def read_senders(
    resources: Iterable[Resource], organization: str, received_ns: int
) -> Iterator[tuple[Origin, SensorReport]]:
    """Yield one report, without values, for each of *resources* of a trace request that names its sensor."""
    for resource in resources:
        origin = read_origin(resource, organization)
        if origin.sensor:
            described = describe_sensor(resource, received_ns)
            run = read_run(resource, received_ns)
            yield origin, SensorReport(received_ns, received_ns, described, run=run)


def describe_sensor(resource: Resource, received_ns: int) -> dict[str, tuple[int, str]]:
    """Return the attributes of *resource* that say what and where the sensor is, each with *received_ns*."""
    return {
        attribute.key: (received_ns, clean_name(attribute.value.string_value))
        for attribute in resource.attributes
        if attribute.key in _DESCRIBES_SENSOR and attribute.value.string_value
    }


def read_run(resource: Resource, received_ns: int) -> Run:
    """Return which run of a sensor sent *resource*."""
    texts = {attribute.key: attribute.value.string_value for attribute in resource.attributes}
    started = _time_ns(texts.get("process.creation.time", ""))
    return Run(clean_name(texts.get("service.instance.id", "")), min(started, received_ns))


def _reported_run(run: Run, values: dict[Series, tuple[int, float]]) -> Run:
    """Return *run* as the marks among *values* say, and take the mark of its end out of them."""
    stop_ns, _ = values.pop((STOPPED, ()), (0, 0.0))
    _, number = values.get((REPORTS, ()), (0, 0.0))
    reported_ns = max((time_ns for time_ns, _ in values.values()), default=0)
    last = (int(number) if 0 <= number <= 1e15 else 0, max(reported_ns, stop_ns))
    return replace(run, last=last, stop=last if stop_ns else (0, 0))


_RFC3339 = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?Z", re.ASCII)


def _time_ns(text: str) -> int:
    """Return the time that *text* is in UTC (RFC 3339), 0 if it is none."""
    found = _RFC3339.fullmatch(text)
    if found is None:
        return 0
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    try:
        seconds = timegm((year, month, day, hour, minute, second, 0, 0, 0))
    except ValueError:
        return 0
    return max(0, seconds * 1_000_000_000 + int((found[7] or "").ljust(9, "0")))


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
        # A clock that is ahead must not make a value that no later one replaces.
        time_ns = min(point.time_unix_nano or received_ns, received_ns)
        value = float(point.as_int) if point.WhichOneof("value") == "as_int" else point.as_double
        values[series] = max(values.get(series, (0, 0.0)), (time_ns, value))


def _labels(point: NumberDataPoint) -> tuple[tuple[str, str], ...]:
    labels = [(clean_name(a.key), clean_name(a.value.string_value)) for a in point.attributes[:_MAX_LABELS]]
    return tuple(sorted(labels))
