"""Properties of bodies, against a plain reading of them."""

from __future__ import annotations

from typing import Any
from zlib import crc32

from hypothesis import given
from hypothesis import strategies as st

from levo.satellite.learn.paths.properties import Identifying, Sketcher, literals
from levo.satellite.learn.paths.segments import segment_key
from levo.satellite.learn.paths.statement import is_identifying

IDENTIFYING = Identifying(is_identifying)
NAMES = st.sampled_from(("id", "userId", "name", "tags", "status", "total", "key", "ключ", ""))
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-5, 1 << 70), st.floats(), st.text(max_size=90))
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=40,
).filter(lambda document: isinstance(document, dict | list))


def plainly(value: Any, name: str = "") -> set[str]:
    """The identifying texts of *value*, which stands at *name*."""
    if isinstance(value, dict):
        return {text for key, kid in value.items() for text in plainly(kid, key)}
    if isinstance(value, list):
        named = bool(value) and type(value[0]) in (str, int) and bool(name)
        return {
            text
            for kid in value
            for text in (plainly(kid, name if named else "") if type(kid) in (str, int) else plainly(kid))
        }
    identifies = type(value) in (str, int) and is_identifying(name)
    return {str(value)} if identifies and 0 < len(str(value)) <= 80 else set()


@given(DOCUMENTS)
def test_identifying_texts_are_those_of_a_plain_reading(document: Any) -> None:
    assert IDENTIFYING.texts(document) == plainly(document)


@given(st.sets(st.text(min_size=1, max_size=30)), st.lists(st.text(max_size=5)))
def test_literals_are_the_keys_without_a_type(texts: set[str], but: list[str]) -> None:
    keys = {segment_key(text, False) for text in texts.difference(but)}

    assert literals(texts, but) == {key for key in keys if "{" not in key}


@given(st.dictionaries(st.text(max_size=5), st.none(), max_size=40), st.booleans())
def test_a_sketch_has_a_bit_for_the_side_and_each_of_the_first_names(
    names: dict[str, None], listed: bool
) -> None:
    side = "request[]" if listed else "request"
    told = [side, *(f"{side}.{name}" for name in sorted(names)[:24])]
    wanted = 0
    for text in told:
        wanted |= 1 << (crc32(text.encode(errors="replace")) & 63)

    assert Sketcher("request").sketch([names, 1] if listed else names) == wanted


def test_nothing_has_no_sketch() -> None:
    sketcher = Sketcher("response")

    assert [sketcher.sketch(document) for document in (None, [], [None])] == [0, 0, 0]


def test_what_is_remembered_of_names_is_bounded_and_changes_nothing() -> None:
    asked: list[str] = []

    def identifies(name: str) -> bool:
        asked.append(name)
        return name.endswith("7")

    identifying = Identifying(identifies)
    many = {f"name{number}": number for number in range(900)}
    for _ in range(2):
        assert identifying.texts(many) == {str(number) for number in range(7, 900, 10)}
    assert len(asked) == 900

    for block in range(1, 7):
        identifying.texts({f"name{block}-{number}": number for number in range(900)})
    identifying.texts(many)
    assert len(asked) == 900 * 8
