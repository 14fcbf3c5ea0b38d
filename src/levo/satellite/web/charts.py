"""Geometry of the charts; templates draw it as SVG, without any script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from levo.satellite.learn.traffic import Traffic, latency_quantile, total_traffic
from levo.satellite.web.render import milliseconds

WIDTH, HEIGHT = 1000.0, 160.0
RANGES = {"1h": (60, 60), "24h": (3600, 24), "7d": (3600, 168), "90d": (86_400, 90)}
"""By name: seconds of one step, and how many there are."""
QUANTILES = (0.5, 0.95, 0.99)


ZONE = "UTC"
"""Time zone of axes and tooltips. Steps of a day are days of UTC, so no other zone can show them truly."""
_LEAST_S = 10
"""A rate is never over less: the first exchange of a catalog does not make a rate of one a second."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One step, in units of the drawing. Parts are stacked from the bottom, errors on top."""

    x: float
    width: float
    parts: tuple[tuple[str, float, float], ...]
    """(style, y, height)"""
    text: str


@dataclass(frozen=True, slots=True)
class Spot:
    """Where one step of a chart of lines is, and what it says."""

    x: float
    width: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Traffic and latency over one range."""

    bars: tuple[Bar, ...]
    lines: tuple[tuple[str, str], ...]
    """(style, points of a polyline) of the quantiles, the greatest first: drawn widest, below the others."""
    spots: tuple[Spot, ...]
    """The steps whose latency is known."""
    most: float
    """Exchanges at the top of the drawing."""
    slowest_ms: float
    """Latency at the top of the drawing."""
    labels: tuple[str, ...]
    """Along the time axis, first to last."""
    total: Traffic
    observed_s: int
    """See :func:`observed_seconds`."""
    partly: bool
    """Whether the range began before the first observation."""

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

    @property
    def summary(self) -> str:
        """The drawing in words."""
        total = self.total
        return (
            f"{total.exchanges:,.0f} exchanges, {total.client_errors:,.0f} client errors,"
            f" {total.server_errors:,.0f} server errors"
        )


def chart(points: Sequence[tuple[int, Traffic]], name: str, now_s: int, first_s: int = 0) -> Chart:
    """Draw *points* of the range *name* (a key of :data:`RANGES`) that ends now.

    *first_s* is when what is drawn was observed first, as :func:`observed_seconds` takes it.
    """
    size, steps = RANGES[name]
    first = range_start(name, now_s)
    by_step = {(start - first) // size: traffic for start, traffic in points}
    by_step = {step: traffic for step, traffic in by_step.items() if 0 <= step < steps}
    observed_s = observed_seconds(points, name, now_s, first_s)
    most = nice(max((t.exchanges for t in by_step.values()), default=0))
    width = WIDTH / steps
    bars, spots = [], []
    curves: dict[float, list[tuple[float, float]]] = {share: [] for share in QUANTILES}
    for step in range(steps):
        traffic = by_step.get(step)
        if traffic is None:
            continue
        moment = _span(first + step * size, size)
        bars.append(_bar(traffic, step, width, most, moment))
        found = [(share, latency_quantile(traffic.latency, share)) for share in QUANTILES]
        known = [(share, value) for share, value in found if value is not None]
        for share, value in known:
            curves[share].append(((step + 0.5) * width, value))
        if known:
            text = ", ".join(f"{_name(share)} {milliseconds(value)}" for share, value in known)
            spots.append(Spot(round(step * width, 2), round(width, 2), f"{moment}: {text}"))
    slowest = nice(max((value for curve in curves.values() for _, value in curve), default=0))
    lines = tuple(
        (_name(share), _polyline(curve, slowest)) for share, curve in reversed(curves.items()) if curve
    )
    labels = (*(_moment(first + steps * size * n // 4, name) for n in range(4)), "now")
    return Chart(
        tuple(bars),
        lines,
        tuple(spots),
        most,
        slowest,
        labels,
        total_traffic(by_step.values()),
        observed_s,
        observed_s < now_s - first,
    )


def observed_seconds(points: Sequence[tuple[int, Traffic]], name: str, now_s: int, first_s: int = 0) -> int:
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
    start = range_start(name, now_s)
    earliest = min((at for at, traffic in points if traffic.exchanges), default=now_s)
    if earliest + size <= first_s:
        first_s = earliest
    return max(_LEAST_S, now_s - max(start, first_s))


def range_start(name: str, now_s: int) -> int:
    """Return the first second of a range that ends now."""
    size, steps = RANGES[name]
    return (now_s // size + 1 - steps) * size


def nice(value: float) -> float:
    """Return the least round number (1, 2 or 5 with zeros) that is not smaller."""
    if value <= 0:
        return 1.0
    power = 1.0
    while power * 10 <= value:
        power *= 10
    while power > value:
        power /= 10
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= value)


def _bar(traffic: Traffic, step: int, width: float, most: float, moment: str) -> Bar:
    errors = traffic.client_errors + traffic.server_errors
    parts, top = [], HEIGHT
    for style, value in (
        ("good", traffic.exchanges - errors),
        ("client", traffic.client_errors),
        ("server", traffic.server_errors),
    ):
        height = value / most * HEIGHT
        if value > 0:
            height = max(height, 1.0)
            top -= height
            parts.append((style, round(top, 2), round(height, 2)))
    text = f"{moment}: {traffic.exchanges:,.0f} exchanges"
    if errors:
        text += f", {traffic.client_errors:,.0f} with 4xx, {traffic.server_errors:,.0f} with 5xx"
    return Bar(round(step * width + width * 0.1, 2), round(width * 0.8, 2), tuple(parts), text)


def _polyline(curve: Sequence[tuple[float, float]], slowest: float) -> str:
    if len(curve) == 1:
        curve = [(curve[0][0] - 4, curve[0][1]), (curve[0][0] + 4, curve[0][1])]
    return " ".join(f"{x:.1f},{HEIGHT - value / slowest * (HEIGHT - 4):.1f}" for x, value in curve)


def _name(share: float) -> str:
    return f"p{round(share * 100)}"


def _moment(time_s: int, name: str) -> str:
    """Return a time on the axis of the range *name*, in :data:`ZONE`."""
    moment = datetime.fromtimestamp(time_s, UTC)
    return moment.strftime("%b %d" if name in ("90d", "7d") else "%H:%M")


def _span(start_s: int, size_s: int) -> str:
    """Return which step a tooltip is about, in full, in :data:`ZONE`."""
    start = datetime.fromtimestamp(start_s, UTC)
    if size_s == 86_400:
        return f"{start:%b %d} {ZONE}"
    end = datetime.fromtimestamp(start_s + size_s, UTC)
    return f"{start:%b %d, %H:%M} to {end:%H:%M} {ZONE}"
