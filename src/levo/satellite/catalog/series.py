"""Traffic over time: one range in steps, and over how much of it traffic was observed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from levo.satellite.learn.traffic import Traffic, latency_quantile, total_traffic
from levo.satellite.store import CatalogReader
from levo.satellite.store.traffic import WHOLE_CATALOG

EVERYTHING = "all"
RANGES = {"1h": (60, 60), "24h": (3600, 24), "7d": (3600, 168), "90d": (86_400, 90), EVERYTHING: (86_400, 90)}
"""By name: seconds of one step, and how many there are. Everything is at least as long as traffic is kept."""
QUANTILES = (0.5, 0.95, 0.99)
_LEAST_S = 10
"""A rate is never over less: the first exchange of a catalog does not make a rate of one a second."""

Points = Sequence[tuple[int, Traffic]]
"""(second at which a step begins, traffic in it)."""


@dataclass(frozen=True, slots=True)
class TrafficSeries:
    """The traffic of one range."""

    range: str
    """A key of :data:`RANGES`."""
    step_count: int
    """How many steps it has."""
    start_s: int
    """When the first step begins, in seconds since 1970."""
    points: Points
    """As stored; what is from after now is in no step."""
    steps: Mapping[int, Traffic]
    """By number of the step; those without traffic are left out."""
    total: Traffic
    observed_s: int
    """See :func:`observed_seconds`."""
    partly: bool
    """Whether the range began before the first observation."""

    @property
    def step_s(self) -> int:
        """Seconds of one step."""
        return RANGES[self.range][0]

    @property
    def quantiles(self) -> tuple[float | None, ...]:
        """Latencies of the whole range in milliseconds, by :data:`QUANTILES`."""
        return tuple(latency_quantile(self.total.latency, share) for share in QUANTILES)

    @property
    def rate(self) -> float:
        """Exchanges a second over the time observed."""
        return self.total.exchanges / self.observed_s

    def share(self, exchanges: float) -> float:
        """Return which share of all *exchanges* are."""
        return exchanges / self.total.exchanges if self.total.exchanges else 0.0


def read_series(
    reader: CatalogReader, name: str, now_s: int, first_s: int, endpoint: int = WHOLE_CATALOG
) -> TrafficSeries:
    """Return the range *name* that ends now, of one endpoint or of all; see :func:`traffic_series`."""
    since_s = 0 if name == EVERYTHING else range_start(name, now_s)
    points = reader.traffic(RANGES[name][0], since_s, endpoint)
    return traffic_series(points, name, now_s, first_s)


def traffic_series(points: Points, name: str, now_s: int, first_s: int = 0) -> TrafficSeries:
    """Put *points* into the steps of the range *name* (a key of :data:`RANGES`) that ends now.

    *first_s* is when it was observed first, as :func:`observed_seconds` takes it.
    """
    size, _ = RANGES[name]
    start = range_start(name, now_s, points)
    count = now_s // size + 1 - start // size
    by_step = {(at - start) // size: traffic for at, traffic in points}
    steps = {step: traffic for step, traffic in by_step.items() if 0 <= step < count}
    observed_s = observed_seconds(points, name, now_s, first_s)
    return TrafficSeries(
        name,
        count,
        start,
        points,
        steps,
        total_traffic(steps.values()),
        observed_s,
        observed_s < now_s - start,
    )


def observed_seconds(points: Points, name: str, now_s: int, first_s: int = 0) -> int:
    """Return over how many seconds of the range *name* the traffic in *points* was observed.

    That is from the later of two times until now: the start of the range, which is the start of its first
    step, and *first_s*, when the first exchange was seen (0: unknown). For an endpoint this is the first
    exchange of its application: from then on the endpoint was observed, called or not. Of the step that is
    running only what has passed counts. A quiet time counts, whether nothing was called or no sensor ran:
    rollups do not tell these apart.

    Traffic from before *first_s*, as of an endpoint that is no longer there, moves the start back to that
    of its step, the earliest that it can be from.
    """
    size, _ = RANGES[name]
    start = range_start(name, now_s, points)
    earliest = min((at for at, traffic in points if traffic.exchanges), default=now_s)
    if earliest + size <= first_s:
        first_s = earliest
    return max(_LEAST_S, now_s - max(start, first_s))


def range_start(name: str, now_s: int, points: Points = ()) -> int:
    """Return the first second of a range that ends now; that of everything begins with *points*."""
    size, steps = RANGES[name]
    start = (now_s // size + 1 - steps) * size
    if name == EVERYTHING:
        start = min(start, min((at for at, _ in points), default=start))
    return start
