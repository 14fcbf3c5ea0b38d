"""Traffic over time: counts and latencies per minute, mergeable."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

MINUTE_S = 60
_STEPS_PER_OCTAVE = 4
_LAST_BUCKET = 140
"""About ten hours."""


@dataclass(slots=True)
class Traffic:
    """What happened in one span of time. All numbers add."""

    exchanges: float = 0.0
    client_errors: float = 0.0
    """Exchanges answered with 4xx."""
    server_errors: float = 0.0
    """Exchanges answered with 5xx."""
    latency: dict[int, float] = field(default_factory=dict)
    """Exchanges by :func:`latency_bucket`."""

    def add(self, other: Traffic) -> None:
        """Take in *other*, which is about other exchanges."""
        self.exchanges += other.exchanges
        self.client_errors += other.client_errors
        self.server_errors += other.server_errors
        for bucket, exchanges in other.latency.items():
            self.latency[bucket] = self.latency.get(bucket, 0.0) + exchanges


TrafficByMinute = dict[int, Traffic]
"""By the start of the minute in seconds since the Unix epoch."""


def count_exchange(
    traffic: TrafficByMinute, minute: int, *, duration_ns: int, status: int, weight: float
) -> None:
    """Add one exchange that stands for *weight* and ended in *minute*, counted from the Unix epoch.

    *status* 0 is "no response seen" and has no latency.
    """
    minute *= MINUTE_S
    found = traffic.get(minute)
    if found is None:
        found = traffic[minute] = Traffic()
    found.exchanges += weight
    if status >= 500:
        found.server_errors += weight
    elif status >= 400:
        found.client_errors += weight
    if status and duration_ns > 0:
        bucket = latency_bucket(duration_ns)
        found.latency[bucket] = found.latency.get(bucket, 0.0) + weight


def merge_traffic(into: TrafficByMinute, other: Mapping[int, Traffic]) -> None:
    """Add *other*, which is not changed, to *into*."""
    for minute, traffic in other.items():
        into.setdefault(minute, Traffic()).add(traffic)


def latency_bucket(duration_ns: int) -> int:
    """Return the number of the logarithmic bucket, four to an octave, that a duration falls into."""
    microseconds = max(1.0, duration_ns / 1000)
    return min(_LAST_BUCKET, int(math.log2(microseconds) * _STEPS_PER_OCTAVE))


def latency_quantile(latency: Mapping[int, float], share: float) -> float | None:
    """Return the duration in milliseconds below which *share* of the exchanges lie, None without any.

    The middle of the bucket: at most 9 % off.
    """
    total = sum(latency.values())
    if total <= 0:
        return None
    left = total * share
    reached = 0
    for bucket, exchanges in sorted(latency.items()):
        reached = bucket
        left -= exchanges
        if left <= 0:
            break
    return float(2 ** ((reached + 0.5) / _STEPS_PER_OCTAVE)) / 1000


def total_traffic(parts: Iterable[Traffic]) -> Traffic:
    """Return the sum."""
    total = Traffic()
    for part in parts:
        total.add(part)
    return total
