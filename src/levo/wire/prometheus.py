"""Metrics in the text format of Prometheus, version 0.0.4.

prometheus.io/docs/instrumenting/exposition_formats
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from levo.wire.metrics import Histogram, Metric

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_UNITS = {"By": "_bytes", "s": "_seconds"}
_EXACT = 2**53
"""Up to here a float holds every whole number."""


def exposition(metrics: Iterable[Metric | Histogram]) -> str:
    """The page: each family with its help and its type."""
    lines = []
    for metric in metrics:
        name = family_name(metric)
        lines.append(f"# HELP {name} {_escaped(metric.help)}")
        if isinstance(metric, Histogram):
            lines.append(f"# TYPE {name} histogram")
            for bound, number in (*metric.buckets, (math.inf, metric.count)):
                lines.append(f'{name}_bucket{{le="{_number(bound)}"}} {number}')
            lines += [f"{name}_sum {_number(metric.total)}", f"{name}_count {metric.count}"]
            continue
        lines.append(f"# TYPE {name} {'counter' if metric.monotonic else 'gauge'}")
        for labels, value in metric.points:
            inside = ",".join(f'{_underscored(key)}="{_quoted(text)}"' for key, text in labels)
            lines.append(f"{name}{{{inside}}} {_number(value)}" if inside else f"{name} {_number(value)}")
    return "\n".join(lines) + "\n"


def family_name(metric: Metric | Histogram) -> str:
    """The family's name with its unit and kind, as Prometheus has them in the name."""
    unit = _UNITS.get(metric.unit, "")
    name = _underscored(metric.name).removesuffix(unit) + unit
    return f"{name}_total" if isinstance(metric, Metric) and metric.monotonic else name


def _number(value: int | float) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) <= _EXACT else repr(value)


def _underscored(name: str) -> str:
    return name.replace(".", "_")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', '\\"')
