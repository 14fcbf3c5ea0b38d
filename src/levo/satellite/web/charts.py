"""Geometry of the charts; templates draw it as SVG, without any script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from levo.satellite.learn.traffic import Traffic, latency_quantile, total_traffic

WIDTH, HEIGHT = 1000.0, 160.0
RANGES = {"1h": (60, 60), "24h": (3600, 24), "7d": (3600, 168), "90d": (86_400, 90)}
"""By name: seconds of one step, and how many there are."""
QUANTILES = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Bar:
    """One step, in units of the drawing. Parts are stacked from the bottom, errors on top."""

    x: float
    width: float
    parts: tuple[tuple[str, float, float], ...]
    """(style, y, height)"""
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Traffic and latency over one range."""

    bars: tuple[Bar, ...]
    lines: tuple[tuple[str, str], ...]
    """(style, points of a polyline) of the quantiles."""
    most: float
    """Exchanges at the top of the drawing."""
    slowest_ms: float
    """Latency at the top of the drawing."""
    labels: tuple[str, ...]
    """Along the time axis, first to last."""
    total: Traffic
    seconds: int

    @property
    def quantiles(self) -> tuple[float | None, ...]:
        """Latencies of the whole range in milliseconds, by :data:`QUANTILES`."""
        return tuple(latency_quantile(self.total.latency, share) for share in QUANTILES)

    @property
    def rate(self) -> float:
        """Exchanges a second over the range."""
        return self.total.exchanges / self.seconds

    @property
    def summary(self) -> str:
        """The drawing in words."""
        total = self.total
        return (
            f"{total.exchanges:,.0f} exchanges, {total.client_errors:,.0f} client errors,"
            f" {total.server_errors:,.0f} server errors"
        )


def chart(points: Sequence[tuple[int, Traffic]], name: str, now_s: int) -> Chart:
    """Draw *points* of the range *name* (a key of :data:`RANGES`) that ends now."""
    size, steps = RANGES[name]
    first = range_start(name, now_s)
    by_step = {(start - first) // size: traffic for start, traffic in points}
    most = nice(max((t.exchanges for t in by_step.values()), default=0))
    width = WIDTH / steps
    bars = []
    curves: dict[float, list[tuple[float, float]]] = {share: [] for share in QUANTILES}
    for step in range(steps):
        traffic = by_step.get(step)
        if traffic is None:
            continue
        bars.append(_bar(traffic, step, width, most, _moment(first + step * size, name)))
        for share in QUANTILES:
            value = latency_quantile(traffic.latency, share)
            if value is not None:
                curves[share].append(((step + 0.5) * width, value))
    slowest = nice(max((value for curve in curves.values() for _, value in curve), default=0))
    lines = tuple(
        (f"p{round(share * 100)}", _polyline(curve, slowest)) for share, curve in curves.items() if curve
    )
    labels = (*(_moment(first + steps * size * n // 4, name) for n in range(4)), "now")
    return Chart(tuple(bars), lines, most, slowest, labels, total_traffic(by_step.values()), size * steps)


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
        text += f", {traffic.client_errors:,.0f} times 4xx, {traffic.server_errors:,.0f} times 5xx"
    return Bar(round(step * width + width * 0.1, 2), round(width * 0.8, 2), tuple(parts), text)


def _polyline(curve: Sequence[tuple[float, float]], slowest: float) -> str:
    if len(curve) == 1:
        curve = [(curve[0][0] - 4, curve[0][1]), (curve[0][0] + 4, curve[0][1])]
    return " ".join(f"{x:.1f},{HEIGHT - value / slowest * (HEIGHT - 4):.1f}" for x, value in curve)


def _moment(time_s: int, name: str) -> str:
    moment = datetime.fromtimestamp(time_s, UTC)
    return moment.strftime("%b %d" if name in ("90d", "7d") else "%H:%M")
