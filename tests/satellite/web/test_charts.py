from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.satellite.learn.traffic import Traffic
from levo.satellite.web.charts import HEIGHT, RANGES, WIDTH, chart, nice, observed_seconds, range_start


@given(value=st.floats(0.001, 1e12))
def test_nice_is_the_next_round_number(value: float) -> None:
    top = nice(value)
    assert value <= top * 1.000001 and top <= value * 2.6


@given(
    name=st.sampled_from(sorted(RANGES)),
    now_s=st.integers(10**9, 2 * 10**9),
    steps=st.sets(st.integers(0, 23)),
)
def test_everything_is_inside_the_drawing_and_adds_up(name: str, now_s: int, steps: set[int]) -> None:
    start, size = range_start(name, now_s), RANGES[name][0]
    points = [(start + s * size, Traffic(10, 2, 1, {40: 10})) for s in sorted(steps)]
    drawn = chart(points, name, now_s)

    assert drawn.total.exchanges == 10 * len(steps)
    for bar in drawn.bars:
        assert bar.x >= 0 and bar.x + bar.width <= WIDTH + 1
        assert all(-1 <= y <= HEIGHT and y + h <= HEIGHT + 1 for _, y, h in bar.parts)


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
    drawn = chart(points, name, now_s, first_s)

    assert (drawn.observed_s, drawn.partly) == (TEN_MINUTES, True)
    assert drawn.rate == 100 / TEN_MINUTES


@given(name=st.sampled_from(sorted(RANGES)), now_s=st.integers(10**9, 2 * 10**9), age=st.integers(0, 10**8))
def test_what_is_observed_is_never_more_than_the_range_or_the_age(name: str, now_s: int, age: int) -> None:
    size, steps = RANGES[name]
    observed = observed_seconds([], name, now_s, now_s - age)

    assert observed <= max(10, age) and observed <= size * steps
    assert observed >= min(age, size * (steps - 1))


def test_an_old_catalog_is_observed_since_the_range_began() -> None:
    start = range_start("24h", NOW_S)
    drawn = chart([(start, Traffic(10))], "24h", NOW_S, NOW_S - 40 * 86_400)

    assert (drawn.observed_s, drawn.partly) == (NOW_S - start, False)
    assert 23 * 3600 <= drawn.observed_s <= 24 * 3600


def test_a_quiet_time_was_observed_too() -> None:
    first_s = NOW_S - 50 * 60
    points = rolled_up("1h", [first_s, NOW_S - 60])

    assert chart(points, "1h", NOW_S, first_s).rate == 20 / (50 * 60)


def test_applications_are_observed_since_their_own_first_exchange() -> None:
    points = rolled_up("1h", [NOW_S - 60])
    rates = [chart(points, "1h", NOW_S, NOW_S - age).rate for age in (100, 1000)]

    assert rates == [0.1, 0.01]


def test_traffic_of_endpoints_that_are_gone_is_from_within_the_time_observed() -> None:
    """A merge or a deletion leaves rollups from before the first exchange of what is still there."""
    points = rolled_up("1h", [NOW_S - 1800, NOW_S - 60])
    drawn = chart(points, "1h", NOW_S, NOW_S - 30)

    assert 1800 <= drawn.observed_s <= 1860


def test_one_exchange_is_not_a_rate_of_one_a_second() -> None:
    assert chart(rolled_up("1h", [NOW_S]), "1h", NOW_S, NOW_S).rate == 1
    assert chart([(NOW_S // 60 * 60, Traffic(1))], "1h", NOW_S, NOW_S).rate <= 0.1


def test_traffic_after_now_is_neither_drawn_nor_counted() -> None:
    drawn = chart([(NOW_S // 60 * 60 + 600, Traffic(5))], "1h", NOW_S)

    assert (drawn.total.exchanges, drawn.bars) == (0, ())


def test_quantiles_are_drawn_greatest_first_so_that_none_hides_another() -> None:
    drawn = chart([(range_start("1h", NOW_S), Traffic(1, latency={40: 1}))], "1h", NOW_S)

    assert [style for style, _ in drawn.lines] == ["p99", "p95", "p50"]
    assert len({points for _, points in drawn.lines}) == 1


@pytest.mark.parametrize(
    ("name", "moment"),
    [
        ("1h", "Nov 14, 22:13 to 22:14 UTC"),
        ("24h", "Nov 14, 22:00 to 23:00 UTC"),
        ("7d", "Nov 14, 22:00 to 23:00 UTC"),
        ("90d", "Nov 14 UTC"),
    ],
)
def test_both_charts_say_what_a_step_holds_and_when_it_was(name: str, moment: str) -> None:
    size = RANGES[name][0]
    points = [(NOW_S // size * size, Traffic(1234, 2, 1, {40: 90, 60: 10}))]
    drawn = chart(points, name, NOW_S)

    assert drawn.bars[0].text == f"{moment}: 1,234 exchanges, 2 with 4xx, 1 with 5xx"
    assert drawn.spots[0].text == f"{moment}: p50 1.1 ms, p95 36 ms, p99 36 ms"
    assert drawn.spots[0].x + drawn.spots[0].width == pytest.approx(WIDTH, abs=0.1)


def test_a_step_without_an_answer_has_no_latency_to_tell() -> None:
    assert chart([(NOW_S // 60 * 60, Traffic(1))], "1h", NOW_S).spots == ()
