"""What sensors report about themselves: their identity and the last values of their ledger."""

from __future__ import annotations

import re
from calendar import timegm
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, NumberDataPoint
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from levo.satellite.learn.trace import CLOCK_TOLERANCE_NS, Origin, clean_name, read_origin

MAX_SERIES = 512
"""Series kept of one sensor, without those of encrypted endpoints; the ledger has fewer than a hundred."""
MAX_ENCRYPTED_SERIES = 3 * 1024
"""Series kept of one sensor's encrypted endpoints, apart, so that they never crowd out the ledger."""
ENCRYPTED = "levo.encrypted."
_BY_INTERFACE = "levo.sensor.capture."
STOPPED = "levo.sensor.stopped"
REPORTS = "levo.sensor.reports"
_WORTH = (STOPPED, REPORTS, "levo.sensor.ledger.", "levo.sensor.", "process.")
"""Where there are too many series, those whose names begin so are kept first, in this order; then others,
and last those of single interfaces, which come and go."""
_MAX_LABELS = 8
SILENT_NS = 120 * 1_000_000_000
"""A sensor reports every export interval; after this long without a word it is silent."""
MAX_SKEWS = 5
"""Reports of which the skew is remembered."""
_LATEST_NS = 1 << 63
NO_REPORT = (0, 0)
"""Stands for number and receipt where only traces came, and no metrics."""
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
class Run:
    """One run of a sensor, from a start to its end, and how far its reports got.

    All times are on the sensor's clock, or on ours if it is known to be far from it, but never later than the
    receipt: what a wrong clock or a forger says of the future must not outlive the mistake.
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
    """With the time of measurement: all that the newest report of metrics had, within bounds."""
    run: Run = Run()
    reported: tuple[int, int] = NO_REPORT
    """Number and receipt of the report that ``values`` are of."""
    cut: int = 0
    """Series of that report that found no room."""
    skews: tuple[tuple[int, int, int], ...] = ()
    """Of the latest reports: number, receipt, and by how much the sensor's clock was ahead of ours (ns)."""

    @property
    def skew_ns(self) -> int | None:
        """As :func:`greatest_skew`."""
        return greatest_skew(self.skews)


def greatest_skew(skews: Iterable[tuple[int, int, int]]) -> int | None:
    """Return by how much a sensor's clock is ahead of the Satellite's (ns); None if that is not known.

    A report that took long to arrive makes it seem smaller, so the greatest of the latest ones counts.
    """
    return max((skew_ns for _, _, skew_ns in skews), default=None)


def merge_sensor(a: SensorReport, b: SensorReport) -> SensorReport:
    """Return what two reports of one run say together. The series are those of the newer report.

    A report is complete: a series that a newer one lacks is gone. Their numbers order reports, whatever the
    clocks do; reports without a number are ordered by their receipt.
    """
    older, newer = sorted((a, b), key=lambda each: each.reported)
    values, cut = newer.values, newer.cut
    if older.reported == newer.reported:
        joined = dict(older.values)
        for series, timed in newer.values.items():
            joined[series] = max(joined.get(series, timed), timed)
        values, more = _bounded(joined)
        cut = max(older.cut, newer.cut) + more
    attributes = dict(a.attributes)
    for name, text in b.attributes.items():
        attributes[name] = max(attributes.get(name, (0, "")), text)
    return SensorReport(
        min(a.first_seen_ns, b.first_seen_ns),
        max(a.last_seen_ns, b.last_seen_ns),
        attributes,
        values,
        merge_run(a.run, b.run),
        newer.reported,
        cut,
        tuple(sorted({*a.skews, *b.skews})[-MAX_SKEWS:]),
    )


def is_skewed(report: SensorReport) -> bool:
    """Whether the sensor's clock is known to be far from ours."""
    return abs(report.skew_ns or 0) > CLOCK_TOLERANCE_NS


def follow_sensor(known: SensorReport, report: SensorReport) -> SensorReport:
    """Return what is *known* of a run together with a *report* that was received after all of it.

    Times of receipt in *known* that lie after that of *report* come from a clock of ours that was ahead, and
    do not outlive it. An earlier first time counts only where both clocks agree: else ours may be behind now.
    """
    now_ns = report.last_seen_ns
    agree = report.skew_ns is not None and abs(report.skew_ns) <= CLOCK_TOLERANCE_NS
    first_ns, started_ns = known.first_seen_ns, known.run.started_ns
    if agree:
        first_ns = min(first_ns, report.first_seen_ns)
        started_ns = min(filter(None, (started_ns, report.run.started_ns)), default=0)
    number, received_ns = known.reported
    earlier = replace(
        known,
        last_seen_ns=min(known.last_seen_ns, now_ns),
        attributes={name: (min(at, now_ns), text) for name, (at, text) in known.attributes.items()},
        reported=(number, min(received_ns, now_ns)),
        skews=tuple((nth, min(at, now_ns), skew) for nth, at, skew in known.skews),
    )
    merged = merge_sensor(earlier, report)
    return replace(
        merged,
        first_seen_ns=first_ns,
        run=replace(merged.run, started_ns=started_ns or report.run.started_ns),
    )


def _bounded(values: Mapping[Series, tuple[int, float]]) -> tuple[dict[Series, tuple[int, float]], int]:
    """Return the series that there is room for, those of most worth, and how many are left out."""
    own = [each for each in values.items() if not each[0][0].startswith(ENCRYPTED)]
    encrypted = [each for each in values.items() if each[0][0].startswith(ENCRYPTED)]
    if len(own) <= MAX_SERIES and len(encrypted) <= MAX_ENCRYPTED_SERIES:
        return dict(values), 0
    own.sort(key=lambda each: (_worth(each[0][0]), -each[1][1], each[0]))
    encrypted.sort(key=lambda each: (-each[1][1], each[0]))
    kept = dict(own[:MAX_SERIES] + encrypted[:MAX_ENCRYPTED_SERIES])
    return kept, len(values) - len(kept)


def _worth(name: str) -> int:
    if name.startswith(_BY_INTERFACE):
        return len(_WORTH) + 1
    return next((rank for rank, prefix in enumerate(_WORTH) if name.startswith(prefix)), len(_WORTH))


def sent_ns(request: ExportMetricsServiceRequest) -> int:
    """Return the latest time that *request* has, which is the sender's when it was made; 0 for none."""
    points = _Points(0)
    for resource_metrics in request.resource_metrics:
        for scope_metrics in resource_metrics.scope_metrics:
            for metric in scope_metrics.metrics[:1]:
                points.read(metric)
    return points.latest_ns


def read_metrics(
    request: ExportMetricsServiceRequest, organization: str, received_ns: int
) -> Iterator[tuple[Origin, SensorReport]]:
    """Yield one report per resource that names its sensor, with its metrics in ``levo.`` and ``process.``."""
    for resource_metrics in request.resource_metrics:
        origin = read_origin(resource_metrics.resource, organization)
        if not origin.sensor:
            continue
        points = _Points(received_ns)
        for scope_metrics in resource_metrics.scope_metrics:
            for metric in scope_metrics.metrics:
                if metric.name.startswith(("levo.", "process.")):
                    points.read(metric)
        described = describe_sensor(resource_metrics.resource, received_ns)
        skew_ns = points.latest_ns - received_ns if points.latest_ns else 0
        run = _reported_run(read_run(resource_metrics.resource, received_ns, skew_ns), points.values, skew_ns)
        values, more = _bounded(points.values)
        reported = (run.last[0], received_ns)
        skews = ((*reported, skew_ns),) if points.latest_ns else ()
        yield (
            origin,
            SensorReport(
                received_ns, received_ns, described, values, run, reported, points.cut + more, skews
            ),
        )


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


def read_run(resource: Resource, received_ns: int, skew_ns: int = 0) -> Run:
    """Return which run of a sensor sent *resource*, whose clock is ahead of ours by *skew_ns*."""
    texts = {attribute.key: attribute.value.string_value for attribute in resource.attributes}
    started = _time_ns(texts.get("process.creation.time", ""))
    started = _by_our_clock(started, skew_ns) if started else 0
    return Run(clean_name(texts.get("service.instance.id", "")), min(started, received_ns))


def _by_our_clock(time_ns: int, skew_ns: int) -> int:
    """Return when that was by our clock; a small skew may be the time that a report was under way."""
    return max(0, time_ns - skew_ns) if abs(skew_ns) > CLOCK_TOLERANCE_NS else time_ns


def _reported_run(run: Run, values: dict[Series, tuple[int, float]], skew_ns: int) -> Run:
    """Return *run* as the marks among *values* say, and take the mark of its end out of them."""
    stop_ns, _ = values.pop((STOPPED, ()), (0, 0.0))
    _, number = values.get((REPORTS, ()), (0, 0.0))
    reported_ns = max((time_ns for time_ns, _ in values.values()), default=0)
    if skew_ns < -CLOCK_TOLERANCE_NS:  # the times of a clock that is ahead are those of the receipt already
        reported_ns = _by_our_clock(reported_ns, skew_ns) if reported_ns else 0
        stop_ns = _by_our_clock(stop_ns, skew_ns) if stop_ns else 0
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


class _Points:
    """The series of one report while it is read."""

    def __init__(self, received_ns: int) -> None:
        self.values: dict[Series, tuple[int, float]] = {}
        self.cut = 0
        self.latest_ns = 0
        """The latest time that the report has, which is the sensor's when it was made."""
        self._received_ns = received_ns

    def read(self, metric: Metric) -> None:
        """Take the values of a sum or a gauge; however many there are, memory is bounded."""
        kind = metric.WhichOneof("data")
        if kind == "sum":
            points = metric.sum.data_points
        elif kind == "gauge":
            points = metric.gauge.data_points
        else:
            return
        name = clean_name(metric.name)
        for point in points:
            series = (name, _labels(point))
            # A clock that is ahead must not make a value that no later one replaces.
            time_ns = min(point.time_unix_nano or self._received_ns, self._received_ns)
            value = float(point.as_int) if point.WhichOneof("value") == "as_int" else point.as_double
            self.values[series] = max(self.values.get(series, (0, 0.0)), (time_ns, value))
            self.latest_ns = max(self.latest_ns, min(point.time_unix_nano, _LATEST_NS))
            if len(self.values) > 2 * (MAX_SERIES + MAX_ENCRYPTED_SERIES):
                self.values, more = _bounded(self.values)
                self.cut += more


def _labels(point: NumberDataPoint) -> tuple[tuple[str, str], ...]:
    labels = [(clean_name(a.key), clean_name(a.value.string_value)) for a in point.attributes[:_MAX_LABELS]]
    return tuple(sorted(labels))
