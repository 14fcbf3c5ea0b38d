"""Totals are sums over interfaces."""

from __future__ import annotations

from levo.sensor.capture.statistics import InterfaceStatistics, LiveStatistics


def test_totals_are_sums():
    first = InterfaceStatistics("lo", received=10, delivered=7, dropped=3, interface_dropped=1, open=True)
    second = InterfaceStatistics("eth0", 2**40, 2**40, 0, 5, open=False)
    total = LiveStatistics((first, second), interfaces_lost=1)

    assert (total.received, total.delivered) == (2**40 + 10, 2**40 + 7)
    assert (total.dropped, total.interface_dropped) == (3, 6)
