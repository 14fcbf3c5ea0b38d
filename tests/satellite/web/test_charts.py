from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from levo.satellite.learn.traffic import Traffic
from levo.satellite.web.charts import HEIGHT, RANGES, WIDTH, chart, nice, range_start


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
