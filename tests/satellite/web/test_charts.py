from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.satellite.catalog.series import RANGES, Points, range_start, traffic_series
from levo.satellite.learn.traffic import Traffic
from levo.satellite.web.charts import HEIGHT, WIDTH, Chart, chart, nice


def drawing(points: Points, name: str, now_s: int) -> Chart:
    return chart(traffic_series(points, name, now_s))


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
    drawn = drawing(points, name, now_s)

    assert drawn.series.total.exchanges == 10 * len(steps)
    for bar in drawn.bars:
        assert bar.x >= 0 and bar.x + bar.width <= WIDTH + 1
        assert all(-1 <= y <= HEIGHT and y + h <= HEIGHT + 1 for _, y, h in bar.parts)


NOW_S = 1_700_000_000


def test_quantiles_are_drawn_greatest_first_so_that_none_hides_another() -> None:
    drawn = drawing([(range_start("1h", NOW_S), Traffic(1, latency={40: 1}))], "1h", NOW_S)

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
    drawn = drawing(points, name, NOW_S)

    assert drawn.bars[0].text == f"{moment}: 1,234 exchanges, 2 with 4xx, 1 with 5xx"
    assert drawn.spots[0].text == f"{moment}: p50 1.1 ms, p95 36 ms, p99 36 ms"
    assert drawn.spots[0].x + drawn.spots[0].width == pytest.approx(WIDTH, abs=0.1)


def test_a_step_without_an_answer_has_no_latency_to_tell() -> None:
    assert drawing([(NOW_S // 60 * 60, Traffic(1))], "1h", NOW_S).spots == ()
