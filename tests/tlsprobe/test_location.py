"""What was refused is not searched again; a place is found in each file by itself."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

import pytest

from levo.tlsprobe.location import KnownLibraries, Location, Refused
from tests.tlsprobe.test_locate import system_libssl

PLACE = Location("x86-64", "ab", 1, 1, "arguments", 0, 0, 2)


def test_a_place_is_not_that_of_another_file_with_the_same_build_id() -> None:
    """Whoever can run a file chooses its build id."""
    known = KnownLibraries()
    other = replace(PLACE, offset=2)

    assert known.find("ab", lambda: PLACE) is PLACE
    assert known.find("ab", lambda: other) is other
    assert len(known) == 0


def test_a_refusal_is_remembered() -> None:
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

    def refuse() -> Location:
        raise Refused("has no labels")

    for name in ("a", "b", "a", "c"):
        with pytest.raises(Refused):
            known.find(name, refuse)

    with pytest.raises(ZeroDivisionError):
        known.find("b", lambda: 1 // 0)  # type: ignore[arg-type, return-value]
    with pytest.raises(Refused):
        known.find("a", lambda: 1 // 0)  # type: ignore[arg-type, return-value]


def test_a_real_library_has_the_same_place_each_time() -> None:
    known = KnownLibraries()
    descriptor = os.open(system_libssl(), os.O_RDONLY)
    try:
        assert known.look(descriptor, "a") == known.look(descriptor, "b")
    finally:
        os.close(descriptor)


def test_a_java_machine_is_known_by_the_name_of_its_library() -> None:
    """A refusal that says what to do."""
    with (
        open(sys.executable, "rb") as file,
        pytest.raises(Refused, match=r"JSSE.*: use Conscrypt") as refusal,
    ):
        KnownLibraries().look(file.fileno(), "/opt/java/lib/server/libjvm.so")

    assert refusal.value.labels
