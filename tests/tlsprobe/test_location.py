"""A library is searched once, whatever came of it."""

from __future__ import annotations

import os

import pytest

from levo.tlsprobe.location import KnownLibraries, Location, Refused
from tests.tlsprobe.test_locate import system_libssl

PLACE = Location("x86-64", "ab", 1, 1, "arguments", 0, 0, 2)


def test_a_build_is_searched_once() -> None:
    known = KnownLibraries()
    searches = []

    def search() -> Location:
        searches.append(1)
        return PLACE

    assert known.find("ab", search) is known.find("ab", search) is PLACE
    assert len(searches) == 1


def test_a_refusal_is_remembered_too() -> None:
    known = KnownLibraries()
    searches = []

    def search() -> Location:
        searches.append(1)
        raise Refused("has no labels")

    for _ in range(2):
        with pytest.raises(Refused, match="has no labels"):
            known.find("ab", search)
    assert len(searches) == 1


def test_a_file_without_build_id_is_searched_each_time() -> None:
    """Two files without one are not the same build."""
    known = KnownLibraries()

    assert known.find("", lambda: PLACE) is PLACE
    assert len(known) == 0


def test_the_oldest_build_is_forgotten() -> None:
    known = KnownLibraries(most=2)
    for name in ("a", "b", "a", "c"):
        known.find(name, lambda: PLACE)

    with pytest.raises(ZeroDivisionError):
        known.find("b", lambda: 1 // 0)  # type: ignore[arg-type, return-value]
    assert known.find("a", lambda: 1 // 0) is PLACE  # type: ignore[arg-type, return-value]


def test_a_real_library_is_known_by_its_build_id() -> None:
    known = KnownLibraries()
    descriptor = os.open(system_libssl(), os.O_RDONLY)
    try:
        assert known.look(descriptor) is known.look(descriptor)
        assert len(known) == 1
    finally:
        os.close(descriptor)
