"""Changes between two schemas, and what is said of each."""

from __future__ import annotations

from typing import Any

import pytest

from levo.satellite.openapi.comparison.description import Description
from levo.satellite.openapi.comparison.schemas import SchemaChanges
from levo.satellite.openapi.comparison.values import Reader
from levo.satellite.openapi.comparison.verdict import Change, Place

TEXT = {"type": "string"}


def changes(old: Any, new: Any, *, response: bool = False) -> list[tuple[str, str, str, bool]]:
    found: list[Change] = []
    readers = [Reader(Description({"openapi": "3.1.0", "paths": {}})) for _ in range(2)]
    engine = SchemaChanges(readers[0], readers[1], found.append)
    engine.compare((old,), (new,), Place("/p", "GET", "body", response=response))
    return [(each.pointer, each.kind, each.detail, each.breaking) for each in found]


@pytest.mark.parametrize("response", [False, True])
def test_a_bound_says_where_it_is_and_what_it_was(response: bool) -> None:
    old = {
        "type": "array",
        "items": {"properties": {"a": {"type": "integer", "maximum": 9}}, "type": "object"},
    }
    new = {
        "type": "array",
        "items": {"properties": {"a": {"type": "integer", "maximum": 5}}, "type": "object"},
    }

    assert changes(old, new, response=response) == [("/*/a", "maximum", "9 to 5", not response)]


def test_each_cause_is_said_once_where_two_properties_share_a_schema() -> None:
    shared, later = ({"type": "object", "properties": {"x": each}} for each in (TEXT, {"type": "integer"}))
    old = {"type": "object", "properties": {"a": shared, "b": shared}}
    new = {"type": "object", "properties": {"a": later, "b": later}}

    assert changes(old, new) == [("/a/x", "type", "string to integer", True)]


def test_alternatives_are_told_apart_by_what_they_allow() -> None:
    def one(name: str, **more: Any) -> dict[str, Any]:
        return {"type": "object", "title": name, "properties": {name: TEXT, **more}, "required": [name]}

    old = {"oneOf": [one("a"), one("b"), one("c")]}
    new = {"oneOf": [one("c"), one("b", more=TEXT), one("d")]}

    assert changes(old, new) == [
        ("/more", "added", "optional", False),
        ("/a", "removed", "", False),
        ("/d", "added", "required", True),
    ]
