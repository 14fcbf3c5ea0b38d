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


@given(st.lists(TEXTS, max_size=30), st.lists(TEXTS, max_size=30), TEXTS)
def test_a_filter_holds_what_either_part_was_given(a: list[str], b: list[str], other: str) -> None:
    parts = [GivenOut(), GivenOut(), GivenOut()]
    for given_out, texts in zip(parts, (a, b, [*a, *b]), strict=True):
        for text in texts:
            given_out.add(text, b"key")
    parts[0].merge(parts[1])

    assert all(parts[0].holds(text, b"key") for text in [*a, *b])
    assert parts[0].holds(other, b"key") == parts[2].holds(other, b"key")
    assert bool(parts[0]) == bool(a or b)


def test_a_full_filter_says_yes_to_few_others_and_says_that_it_is_full() -> None:
    given_out = GivenOut()
    number = 0
    while not given_out.is_full:
        given_out.add(f"value {number}", b"")
        number += 1

    assert number > 4_000
    assert sum(given_out.holds(f"other {n}", b"") for n in range(10_000)) < 100
    given_out.clear()
    assert not given_out and not given_out.holds("value 1", b"")


def test_another_key_makes_another_hash() -> None:
    given_out = GivenOut()
    given_out.add("alice", b"one")

    assert given_out.holds("alice", b"one")
    assert not given_out.holds("alice", b"two")
