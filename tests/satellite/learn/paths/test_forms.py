"""Values that are told at first sight, against the patterns of all segments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.satellite.learn.paths.forms import keys_of, value_key
from levo.satellite.learn.paths.segments import may_be_version, pattern_key, segment_key

HEX = st.text("0123456789abcdefABCDEF", max_size=90)
SEGMENTS = st.one_of(
    HEX,
    st.text("0123456789", max_size=90),
    st.text("0f-", max_size=40),
    st.uuids().map(str),
    st.uuids().map(lambda uuid: str(uuid).upper()),
    st.emails(),
    st.text("a1@.-_+", max_size=80),
    st.text(max_size=20),
    st.from_regex(r"v?(19|20)?\d{0,8}[._-]?\d{1,3}", fullmatch=True),
)


@given(segment=SEGMENTS.filter(bool), first=st.booleans())
def test_what_is_told_at_first_sight_is_what_the_patterns_say(segment: str, first: bool) -> None:
    told = value_key(segment, first)

    assert told is None or told == pattern_key(segment, first)


@pytest.mark.parametrize(
    ("segment", "key"),
    [
        ("17", "{integer}"),
        ("0123456789abcdef01234567", "{hex}"),
        ("0123456789abcdef0123456789ABCDEF", "{uuid}"),
        ("a3bb189e-8bf9-4888-9912-ace4e6543002", "{uuid}"),
        ("anna@example.org", "{email}"),
        ("orders", None),
        ("", None),
        ("2026-05-17", None),
        ("٣٣٣", None),
    ],
)
def test_the_commonest_values_are_told_at_first_sight(segment: str, key: str | None) -> None:
    assert value_key(segment, False) == key


def test_a_small_number_may_be_a_version() -> None:
    assert value_key("3", True) is None
    assert value_key("300", True) == "{integer}"


@given(
    st.lists(
        st.one_of(SEGMENTS.filter(bool), st.sampled_from(("api", "orders", "aaaaaaaaaaaa", "v1"))), max_size=6
    )
)
def test_the_keys_of_a_path_are_those_of_its_segments(segments: list[str]) -> None:
    wanted = [segment_key(segment, may_be_version(segments, i)) for i, segment in enumerate(segments)]

    assert keys_of(segments, may_be_version, pattern_key) == wanted
