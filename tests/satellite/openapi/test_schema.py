"""Decisions of rendering."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings

from levo.satellite.learn.schema import Node, Observer
from levo.satellite.openapi.examples import example_of
from levo.satellite.openapi.schema import SchemaWriter
from tests.helpers.effort import scaled
from tests.satellite.learn.schema.test_hyperloglog import counted
from tests.satellite.learn.schema.test_node import VALUES, learned


@given(VALUES, VALUES)
@settings(max_examples=scaled(80), deadline=None)
def test_what_was_learned_validates_and_so_does_its_example(one: Any, other: Any) -> None:
    schema = SchemaWriter().write(learned([one, other] * 3))
    validator = jsonschema.Draft202012Validator(schema)

    assert validator.is_valid(one) and validator.is_valid(other)
    assert validator.is_valid(example_of(schema))


def written(values: list[Any], version: str = "3.1") -> dict[str, Any]:
    return SchemaWriter(version).write(learned(values))


def test_required_optional_nullable_and_closed() -> None:
    schema = written([{"a": 1, "b": None if n % 2 else "x"} | ({"c": 1} if n % 3 else {}) for n in range(30)])

    assert schema["required"] == ["a", "b"]
    assert schema["properties"]["b"]["type"] == ["string", "null"]
    assert schema["additionalProperties"] is False
    assert "additionalProperties" not in written([{"a": 1}] * 3)


def test_few_objects_are_closed_if_they_are_all_alike() -> None:
    assert written([{"a": 1, "b": 2}] * 5)["additionalProperties"] is False
    assert "additionalProperties" not in written([{"a": 1, "b": 2}] * 4)
    assert "additionalProperties" not in written([{"a": 1, "b": 2}] * 9 + [{"a": 1}])


def answered(values: list[Any]) -> dict[str, Any]:
    """Return the schema of answers to one question, of which different objects are counted."""
    return SchemaWriter().write(counted(("/x", "", value) for value in values))


def test_one_object_that_is_shown_again_and_again_decides_nothing() -> None:
    me = {"id": "u1", "status": "active", "phone": None, "code": "0123456789"}
    others = [{**me, "id": f"u{n}", "status": "blocked" if n % 2 else "active"} for n in range(60)]

    once, many = answered([me] * 300), answered(others)
    assert "required" not in once and "additionalProperties" not in once
    assert once["properties"]["status"] == once["properties"]["code"] == {"type": "string"}
    assert once["properties"]["phone"] == {}
    assert many["required"] == ["code", "id", "phone", "status"] and many["additionalProperties"] is False
    assert many["properties"]["status"]["enum"] == ["active", "blocked"]
    assert many["properties"]["phone"] == {"type": "null"} and "pattern" in many["properties"]["code"]


def test_repeating_an_object_does_not_make_what_is_rare_in_it_common() -> None:
    usual = [{"id": f"u{n}", "status": "active" if n % 2 else "blocked"} for n in range(60)]
    odd = {"id": "odd", "status": "pending", "note": "x"}

    schema = answered(usual * 3 + [odd] * 3)

    assert "additionalProperties" not in schema and "enum" not in schema["properties"]["status"]


def test_what_was_never_anything_but_null_is_null_in_responses_of_the_new_version() -> None:
    assert written([None] * 50) == {"type": "null"}
    assert written([None] * 49) == {}
    assert written([None] * 50, "3.0") == {}  # which allows null; "nullable" says nothing without a type
    assert SchemaWriter("3.1", closed=False).write(learned([None] * 50)) == {}


def test_nullable_in_the_old_version() -> None:
    assert written([1, None], "3.0") == {"type": "integer", "nullable": True}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["pending", "paid"] * 20, {"type": "string", "enum": ["paid", "pending"]}),
        (["pending", "kvarn"] * 20, {"type": "string"}),
        (["paid"] * 300, {"type": "string"}),
        ([1, 2.5], {"type": "number"}),
        ([2**40], {"type": "integer", "format": "int64"}),
        ([[1], ["x"]], {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}),
        ([None], {}),
    ],
)
def test_scalars(values: list[Any], expected: dict[str, Any]) -> None:
    assert written(values) == expected


def test_maps() -> None:
    by_number = written([{str(n): n * 1.5} for n in range(30)])
    by_word = written([{f"word{chr(97 + n % 26)}{'x' * (n // 26)}": 1.5} for n in range(60)])

    assert by_number["additionalProperties"]["type"] == by_word["additionalProperties"]["type"] == "number"
    assert "properties" not in by_number and "properties" not in by_word


def test_variants_by_discriminator() -> None:
    schema = written([{"type": "card", "number": "x"}, {"type": "iban", "iban": "y"}] * 25)

    assert [option["required"] for option in schema["oneOf"]] == [["number", "type"], ["iban", "type"]]
    assert not jsonschema.Draft202012Validator(schema).is_valid({"type": "card", "iban": "y"})


def test_texts_of_different_kinds_are_a_string() -> None:
    node = Node(integers=2, strings=1, open=True)
    Observer().observe(node, "x")

    assert SchemaWriter().write_text(node, "q") == {"type": "string"}
