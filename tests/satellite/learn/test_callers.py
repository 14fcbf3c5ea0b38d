"""The sketch of callers."""

from __future__ import annotations

import pytest

from levo.satellite.learn.callers import NOBODY, Callers, hashed_caller


def counted(addresses: range) -> Callers:
    callers = Callers()
    for number in addresses:
        callers.add(hashed_caller(b"key", f"10.0.{number // 256}.{number % 256}"))
    return callers


@pytest.mark.parametrize("count", [0, 1, 10, 1000, 5000])
def test_estimates(count: int) -> None:
    assert counted(range(count)).estimate() == pytest.approx(count, rel=0.2)


def test_merging_is_counting_together() -> None:
    both = counted(range(60))
    both.absorb(counted(range(40, 100)))

    assert both == counted(range(100))


def test_an_address_of_any_length_is_counted() -> None:
    """What is longer than an address of IP is not remembered between calls, and counted all the same."""
    callers = Callers()
    for _ in range(2):
        for length in (1, 45, 46, 10_000):
            callers.add(hashed_caller(b"key", "a" * length))

    assert callers.estimate() == 4


def test_who_is_not_known_is_not_counted() -> None:
    callers = Callers()
    callers.add(hashed_caller(b"key", ""))

    assert hashed_caller(b"key", "") == NOBODY and callers == Callers()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2a00:db8:1:2::7", "2a00:db8:1:2:8000::8", True),
        ("2a00:db8:1:2::7", "2a00:db8:1:3::7", False),
        ("fd00:1:2:3::7", "fd00:1:2:3::8", False),
        ("fe80::7%eth0", "fe80::8%eth0", False),
        ("fe80::7", "fe80::7%eth0", True),
        ("::1", "::2", False),
        ("::ffff:192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("a:b:client", "a:b:other", False),
    ],
)
def test_a_public_ipv6_network_is_one_caller(one: str, other: str, same: bool) -> None:
    """Whoever has one of its addresses has them all."""
    assert (hashed_caller(b"key", one) == hashed_caller(b"key", other)) is same
