"""Sightings of names: what proves one, in whatever order, and how they are stored."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.satellite.learn.schema.names import Message, Names, Sightings, mark_of

KEY = b"k" * 32
SEEN = st.lists(
    st.tuples(st.booleans(), st.integers(0, 4), st.sampled_from(["", "10.0.0.1", "10.0.0.2", "10.0.0.3"])),
    max_size=12,
)


def sighted(seen: list[tuple[bool, int, str]], names: Names | None = None) -> Names:
    names = Names(key=KEY) if names is None else names
    for is_answer, number, caller in seen:
        Message(names, is_answer, caller, 5, (str(number),)).see("lumiko")
    return names


def is_proof(seen: list[tuple[bool, int, str]]) -> bool:
    answered = {number for is_answer, number, _ in seen if is_answer}
    asked = {(number, caller) for is_answer, number, caller in seen if not is_answer}
    callers = {caller for _, caller in asked if caller}
    return len(answered) >= 3 or (len(asked) >= 3 and len(callers) >= 2)


@given(SEEN, SEEN)
def test_what_parts_have_seen_proves_what_the_whole_does(
    one: list[tuple[bool, int, str]], other: list[tuple[bool, int, str]]
) -> None:
    parts = sighted(one)
    parts.absorb(sighted(other))
    whole = sighted([*other, *one])

    for names in (parts, whole):
        assert names.is_settled("lumiko") == is_proof([*one, *other])


@given(SEEN)
def test_sightings_are_read_as_they_were_stored(seen: list[tuple[bool, int, str]]) -> None:
    for sightings in sighted(seen).seen.values():
        octets = sightings.to_bytes()
        assert Sightings.from_bytes(octets) == sightings and Sightings.from_bytes(octets).to_bytes() == octets
        for damaged in (octets[:-1], b"\xff" + octets[1:], b""):
            with pytest.raises(ValueError, match="damaged"):
                Sightings.from_bytes(damaged)


def test_what_is_known_or_standard_is_not_remembered() -> None:
    names = Names({"zorbal"}, KEY)

    assert names.is_settled("zorbal") and names.is_settled("access_token") and not names.seen
    assert not names.is_settled("lumiko") and names.seen.keys() == {"lumiko"}
    with pytest.raises(ValueError, match="1 to 16"):
        Names(min_objects=17)


def test_a_mark_says_nothing_without_the_key() -> None:
    assert mark_of("lumiko", KEY) != mark_of("lumiko", b"x" * 32)
    assert len(mark_of("lumiko", KEY)) == 17 and mark_of("lumiko", KEY)[0] == "?"


def test_one_caller_needs_time() -> None:
    names = Names(key=KEY)
    for number in range(4):
        Message(names, False, "10.0.0.1", 1 + number * 10, (str(number),)).see("lumiko")
    sightings = names.seen["lumiko"]

    assert not sightings.is_proof(3, 2) and sightings.is_proof(3, 1)
    assert sightings.is_proof_of_one_caller(3, 30) and not sightings.is_proof_of_one_caller(3, 31)
