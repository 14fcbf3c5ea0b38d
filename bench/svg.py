"""Plots as SVG text: bars and lines, nothing else. No library, so that `make bench` needs none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 720, 60, 20, 44, 46
COLORS = ("#1f6f8b", "#c2571a", "#5b7f2b", "#7a4f9a")
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#333}.t{font-size:15px;font-weight:600}"
    ".g{stroke:#ddd}.a{stroke:#888}svg{background:#fff}"
)


def bars(title: str, values: Sequence[tuple[str, float]], *, unit: str, first_is_ours: bool = True) -> str:
    """Horizontal bars with their numbers; linear from zero."""
    height = TOP + 26 * len(values) + 12
    label, most = 230, max(value for _, value in values)
    parts = [_head(title, height)]
    for row, (name, value) in enumerate(values):
        y = TOP + 26 * row
        length = (WIDTH - label - 110) * value / most
        color = COLORS[0] if first_is_ours and row == 0 else "#9aa5ab"
        parts.append(f'<text x="{label - 8}" y="{y + 15}" text-anchor="end">{escape(name)}</text>')
        parts.append(
            f'<rect x="{label}" y="{y + 2}" width="{max(length, 1):.1f}" height="18" fill="{color}"/>'
        )
        parts.append(f'<text x="{label + length + 6:.1f}" y="{y + 15}">{_short(value)} {escape(unit)}</text>')
    return "\n".join([*parts, "</svg>\n"])


def lines(
    title: str,
    series: Sequence[tuple[str, Sequence[tuple[float, float]]]],
    *,
    x: str,
    y: str,
    log: bool = False,
) -> str:
    """Lines over *x*, from zero on *y*; *log* makes x logarithmic."""
    height = 320
    points = [point for _, each in series for point in each]
    lowest, highest = min(p[0] for p in points), max(p[0] for p in points)
    top = _nice(max(p[1] for p in points))

    def at_x(value: float) -> float:
        if log:
            part = math.log(value / lowest) / math.log(highest / lowest)
        else:
            part = (value - lowest) / (highest - lowest)
        return LEFT + part * (WIDTH - LEFT - RIGHT)

    def at_y(value: float) -> float:
        return height - BOTTOM - value / top * (height - TOP - BOTTOM)

    parts = [_head(title, height)]
    for step in range(6):
        value = top * step / 5
        parts.append(
            f'<line class="g" x1="{LEFT}" x2="{WIDTH - RIGHT}" '
            f'y1="{at_y(value):.1f}" y2="{at_y(value):.1f}"/>'
        )
        parts.append(
            f'<text x="{LEFT - 6}" y="{at_y(value) + 4:.1f}" text-anchor="end">{_short(value)}</text>'
        )
    ticks = sorted({p[0] for p in points}) if log else [lowest + (highest - lowest) * i / 5 for i in range(6)]
    for value in ticks:
        parts.append(
            f'<text x="{at_x(value):.1f}" y="{height - BOTTOM + 16}" text-anchor="middle">'
            f"{_short(value)}</text>"
        )
    for number, (name, each) in enumerate(series):
        color = COLORS[number % len(COLORS)]
        path = " ".join(f"{at_x(a):.1f},{at_y(b):.1f}" for a, b in each)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts += [f'<circle cx="{at_x(a):.1f}" cy="{at_y(b):.1f}" r="2.5" fill="{color}"/>' for a, b in each]
        place = LEFT + 10 + 220 * number
        parts.append(f'<text x="{place}" y="{TOP - 6}" style="fill:{color}">{escape(name)}</text>')
    parts.append(f'<text x="{WIDTH / 2}" y="{height - 8}" text-anchor="middle">{escape(x)}</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{TOP - 6}" text-anchor="end">{escape(y)}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _head(title: str, height: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}"><style>{_STYLE}</style>\n'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>'
        f'<text class="t" x="10" y="20">{escape(title)}</text>'
    )


def _nice(value: float) -> float:
    # The next of 1, 2, 5, 10, 20 ... that is not below the value.
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * step for step in (1, 2, 2.5, 5, 10) if power * step >= value)


def _short(value: float) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"
