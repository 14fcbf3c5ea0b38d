"""Steps, rates, and the time over which traffic was observed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.satellite.catalog.series import RANGES, observed_seconds, range_start, traffic_series
from levo.satellite.learn.traffic import Traffic

NOW_S = 1_700_000_000
TEN_MINUTES = 600


def rolled_up(name: str, minutes: list[int]) -> list[tuple[int, Traffic]]:
    """Ten exchanges in each of *minutes* (starts in seconds) as the range *name* finds them."""
    size, found = RANGES[name][0], dict[int, Traffic]()
    for minute in minutes:
        found.setdefault(minute // size * size, Traffic()).add(Traffic(10))
    return sorted(found.items())


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("now_s", [NOW_S, NOW_S // 86_400 * 86_400 + 30, NOW_S // 86_400 * 86_400 + 86_399])
def test_a_young_catalog_has_one_rate_at_every_range(name: str, now_s: int) -> None:
    """Wherever now is in the hour or the day that is running."""
    first_s = now_s - TEN_MINUTES
    points = rolled_up(name, list(range(first_s, now_s, 60)))
    series = traffic_series(points, name, now_s, first_s)

    assert (series.observed_s, series.partly) == (TEN_MINUTES, True)
    assert series.rate == 100 / TEN_MINUTES


@given(name=st.sampled_from(sorted(RANGES)), now_s=st.integers(10**9, 2 * 10**9), age=st.integers(0, 10**8))
def test_what_is_observed_is_never_more_than_the_range_or_the_age(name: str, now_s: int, age: int) -> None:
    size, steps = RANGES[name]
    observed = observed_seconds([], name, now_s, now_s - age)

    assert observed <= max(10, age) and observed <= size * steps
    assert observed >= min(age, size * (steps - 1))


def test_an_old_catalog_is_observed_since_the_range_began() -> None:
    start = range_start("24h", NOW_S)
    series = traffic_series([(start, Traffic(10))], "24h", NOW_S, NOW_S - 40 * 86_400)

    assert (series.observed_s, series.partly) == (NOW_S - start, False)
    assert 23 * 3600 <= series.observed_s <= 24 * 3600


def test_a_quiet_time_was_observed_too() -> None:
    first_s = NOW_S - 50 * 60
    points = rolled_up("1h", [first_s, NOW_S - 60])

    assert traffic_series(points, "1h", NOW_S, first_s).rate == 20 / (50 * 60)


def test_applications_are_observed_since_their_own_first_exchange() -> None:
    points = rolled_up("1h", [NOW_S - 60])
    rates = [traffic_series(points, "1h", NOW_S, NOW_S - age).rate for age in (100, 1000)]

    assert rates == [0.1, 0.01]


def test_traffic_of_endpoints_that_are_gone_is_from_within_the_time_observed() -> None:
    """A merge or a deletion leaves rollups from before the first exchange of what is still there."""
    points = rolled_up("1h", [NOW_S - 1800, NOW_S - 60])
    series = traffic_series(points, "1h", NOW_S, NOW_S - 30)

    assert 1800 <= series.observed_s <= 1860


def test_one_exchange_is_not_a_rate_of_one_a_second() -> None:
    assert traffic_series(rolled_up("1h", [NOW_S]), "1h", NOW_S, NOW_S).rate == 1
    assert traffic_series([(NOW_S // 60 * 60, Traffic(1))], "1h", NOW_S, NOW_S).rate <= 0.1


def test_traffic_after_now_is_neither_series_nor_counted() -> None:
    series = traffic_series([(NOW_S // 60 * 60 + 600, Traffic(5))], "1h", NOW_S)

    assert (series.total.exchanges, series.steps) == (0, {})


def test_everything_reaches_as_far_as_is_kept_and_at_least_over_a_season() -> None:
    day = 86_400
    old = NOW_S // day * day - 399 * day
    series = traffic_series([(old, Traffic(3)), (NOW_S // day * day, Traffic(4))], "all", NOW_S, old)

    assert (series.start_s, series.step_count, series.total.exchanges) == (old, 400, 7)
    assert series.steps.keys() == {0, 399} and not series.partly
    assert traffic_series([], "all", NOW_S).step_count == 90
