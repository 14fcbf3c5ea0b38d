"""Geometry of the charts; templates draw it as SVG, without any script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from levo.satellite.catalog.series import EVERYTHING, QUANTILES, TrafficSeries
from levo.satellite.learn.traffic import Traffic, latency_quantile
from levo.satellite.web.render import milliseconds

WIDTH, HEIGHT = 1000.0, 160.0
ZONE = "UTC"
"""Time zone of axes and tooltips. Steps of a day are days of UTC, so no other zone can show them truly."""


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
    series: TrafficSeries
    """What is drawn."""

    @property
    def summary(self) -> str:
        """The drawing in words."""
        total = self.series.total
        return (
            f"{total.exchanges:,.0f} exchanges, {total.client_errors:,.0f} client errors,"
            f" {total.server_errors:,.0f} server errors"
        )


def chart(series: TrafficSeries) -> Chart:
    """Draw *series*."""
    size, count, first = series.step_s, series.step_count, series.start_s
    most = nice(max((t.exchanges for t in series.steps.values()), default=0))
    width = WIDTH / count
    bars, spots = [], []
    curves: dict[float, list[tuple[float, float]]] = {share: [] for share in QUANTILES}
    for step, traffic in sorted(series.steps.items()):
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
    labels = (*(_moment(first + count * size * n // 4, series.range) for n in range(4)), "now")
    return Chart(tuple(bars), lines, tuple(spots), most, slowest, labels, series)


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
    if name == EVERYTHING:
        return moment.strftime("%Y-%m-%d")
    return moment.strftime("%b %d" if name in ("90d", "7d") else "%H:%M")


def _span(start_s: int, size_s: int) -> str:
    """Return which step a tooltip is about, in full, in :data:`ZONE`."""
    start = datetime.fromtimestamp(start_s, UTC)
    if size_s == 86_400:
        return f"{start:%b %d} {ZONE}"
    end = datetime.fromtimestamp(start_s + size_s, UTC)
    return f"{start:%b %d, %H:%M} to {end:%H:%M} {ZONE}"
