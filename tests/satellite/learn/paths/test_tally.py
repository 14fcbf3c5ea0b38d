"""Counts of what is not kept: never too low, bounded, and the same in any order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.satellite.learn.paths.tally import COLUMNS, MOST, ROWS, Tally

KEY = b"key"
ADDED = st.lists(st.tuples(st.sampled_from(["/a", "/b", "/a/c", "/ö"]), st.integers(0, 300)), max_size=20)


def tally(added: list[tuple[str, int]]) -> Tally:
    made = Tally()
    for place, successes in added:
        made.add(place, successes, KEY)
    return made


@given(ADDED, ADDED)
def test_parts_add_up_to_the_whole(a: list[tuple[str, int]], b: list[tuple[str, int]]) -> None:
    left, right = tally(a), tally(b)
    left.merge(right)

    assert left.stored() == tally([*b, *a]).stored()
    assert right.stored() == tally(b).stored()


@given(ADDED)
def test_what_is_stored_is_read_back(added: list[tuple[str, int]]) -> None:
    assert Tally.read(tally(added).stored()).stored() == tally(added).stored()


@given(ADDED)
def test_no_count_is_too_low(added: list[tuple[str, int]]) -> None:
    for place in {place for place, _ in added}:
        true = sum(successes for each, successes in added if each == place)
        assert tally(added).count(place, KEY) >= min(MOST, true)


def test_many_others_hardly_raise_a_count() -> None:
    made = tally([(f"/{number}", 1) for number in range(100_000)])
    counts = [made.count(f"/new/{number}", KEY) for number in range(200)]

    assert max(counts) < 20
    assert len(made.stored()) == ROWS * COLUMNS
    assert Tally.read(made.stored()).stored() == made.stored()


@pytest.mark.parametrize("stored", [b"", b"x", [1], [1, 2, 3], [ROWS * COLUMNS, 1], "ab"])
def test_anything_else_is_refused(stored: object) -> None:
    with pytest.raises((ValueError, TypeError, IndexError)):
        Tally.read(stored)  # type: ignore[arg-type]
