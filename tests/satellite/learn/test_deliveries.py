"""At-least-once delivery."""

from __future__ import annotations

from levo.satellite.learn.deliveries import RecentDeliveries
from levo.satellite.learn.trace import Origin, Trace


def trace(identity: bytes) -> Trace:
    return Trace(Origin("", "", "", ""), "h", "GET", "/", 200, 1.0, 1, 2, identity=identity)


def test_a_span_and_a_delivery_are_new_once() -> None:
    recent = RecentDeliveries(limit=2)

    assert recent.is_new_delivery(b"a") and not recent.is_new_delivery(b"a")
    assert [recent.is_new(trace(bytes([n]) * 24)) for n in (1, 1, 2, 3, 1)] == [True, False, True, True, True]
    assert recent.is_new(trace(b"")) and recent.is_new(trace(b""))


def test_what_the_catalog_knows_is_not_new() -> None:
    first = RecentDeliveries()
    first.is_new_delivery(b"a")
    (digest,) = first.fresh
    first.committed()

    assert not RecentDeliveries(lambda each: each == digest).is_new_delivery(b"a")
    assert first.fresh == []
