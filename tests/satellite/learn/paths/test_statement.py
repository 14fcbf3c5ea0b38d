"""What bodies say about the path of their exchange."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.satellite.learn.paths.statement import (
    MAX_BODY_BYTES,
    GivenOut,
    is_alike,
    is_identifying,
    read_statement,
)

TEXTS = st.text(min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("name", "identifies"),
    [
        ("id", True), ("userId", True), ("zone_name", True), ("ZoneName", True), ("slug", True), ("ID", True),
        ("tags", True), ("status", False), ("idle", False), ("named", False), ("text", False), ("", False),
    ],
)  # fmt: skip
def test_names_of_properties_that_identify(name: str, identifies: bool) -> None:
    assert is_identifying(name) is identifies


@pytest.mark.parametrize(
    ("path", "answer", "came_back"),
    [
        ("/zones/example.org.", {"id": "example.org.", "kind": "Native"}, (False, True)),
        ("/users/17", {"user_id": 17}, (False, True)),
        ("/flows/name/a%20b", {"data": [{"name": "a b"}]}, (False, False, True)),
        ("/tags/blue;v=1", {"tags": ["red", "blue"]}, (False, True)),
        ("/orders/open", {"status": "open", "id": 3}, (False, False)),
        ("/orders/true", {"id": True, "name": None, "key": "x"}, (False, False)),
        ("/orders/open", {"status": "open"}, None),
    ],
)
def test_segments_come_back_as_identifiers(path: str, answer: object, came_back: object) -> None:
    statement = read_statement(path, b"", json.dumps(answer).encode())

    assert statement is not None
    assert statement.came_back == came_back


def test_only_untyped_texts_that_are_not_its_own_are_given_out() -> None:
    answer = {"name": "mine", "items": [{"id": 4, "name": "theirs"}, {"uuid": "a" * 32, "slug": "x/y"}]}
    statement = read_statement("/things/mine", b"", json.dumps(answer).encode())

    assert statement is not None
    assert statement.given_out == {"theirs", "x%2Fy"}


@pytest.mark.parametrize("body", [b"", b"1", b'"text"', b"{", b"<a/>", b"[" + b" " * MAX_BODY_BYTES + b"]"])
def test_what_is_no_document_says_nothing(body: bytes) -> None:
    assert read_statement("/a", b"", body) is None


def test_sketches_of_the_same_properties_are_alike_and_of_others_are_not() -> None:
    def shape(answer: object, request: object = None) -> int:
        found = read_statement(
            "/a", json.dumps(request).encode() if request else b"", json.dumps(answer).encode()
        )
        assert found is not None
        return found.shape

    flow = shape({"id": 1, "name": "a", "tags": [], "created": ""})
    assert is_alike(flow, shape({"id": 2, "name": "b", "tags": [], "created": "", "labels": {}}))
    assert not is_alike(flow, shape([{"id": 1, "name": "a", "tags": [], "created": ""}]))
    assert not is_alike(flow, shape({"count": 1, "next": None, "results": [], "pages": 2}))
    assert shape({}, {"a": 1}) != shape({}, {"b": 1})


HASHES = st.lists(st.integers(0, 60), max_size=30)


@given(HASHES, HASHES)
def test_the_values_of_two_parts_are_those_of_the_whole_also_beyond_the_bound(
    a: list[int], b: list[int]
) -> None:
    class Small(GivenOut):
        MOST = 8
        __slots__ = ()

    def learned(hashes: list[int]) -> Small:
        found = Small()
        for hashed in hashes:
            found.add(hashed)
        return found

    one, other, whole = learned(a), learned(b), learned([*a, *b])
    one.merge(other)

    assert one.sorted() == whole.sorted() == sorted({*a, *b})[:8]
    assert Small(one.sorted()).sorted() == one.sorted()
    assert bool(one) == bool(a or b)
    assert all((hashed in one) == (hashed in whole) for hashed in range(61))
