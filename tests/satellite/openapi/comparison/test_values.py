"""Schemas as sets of values."""

from __future__ import annotations

from typing import Any

import pytest

from levo.satellite.openapi.comparison.description import Description
from levo.satellite.openapi.comparison.values import MAX_OPTIONS, Reader, Values


def read(schema: Any, version: str = "3.1.0", **schemas: Any) -> Values:
    document = {"openapi": version, "components": {"schemas": schemas}}
    return Reader(Description(document)).values((schema,))


def types(values: Values) -> list[str]:
    return list(values.facets)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": ["string", "null"]},
        {"type": "string", "nullable": True},
        {"oneOf": [{"type": "null"}, {"type": "string"}]},
        {"anyOf": [{"$ref": "#/components/schemas/T"}, {"type": "null"}]},
        {"allOf": [{"type": ["string", "null", "integer"]}, {"type": ["null", "string"]}]},
        {"nullable": True, "allOf": [{"$ref": "#/components/schemas/T"}]},
    ],
)
def test_what_is_written_differently_and_allows_the_same_is_one_form(schema: Any) -> None:
    assert types(read(schema, T={"type": "string"})) == ["null", "string"]


def test_all_of_is_the_intersection() -> None:
    values = read(
        {"allOf": [{"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
                   {"properties": {"a": {"maxLength": 3}, "b": {}}, "required": ["b"]}]}
    )  # fmt: skip
    (facet,) = values.facets["object"]

    assert facet.required == {"a", "b"} and len(facet.properties["a"]) == 2
    assert types(values) == ["object"]


def test_the_tightest_bound_holds() -> None:
    low, high = {"minimum": 1}, {"type": "integer", "exclusiveMinimum": 1, "maximum": 9}
    (facet,) = read({"allOf": [low, high]}).facets["number"]

    assert facet.bounds == {"minimum": (1, True), "maximum": (9, False)} and facet.integer


def test_an_enum_says_its_types() -> None:
    values = read({"enum": ["a", 1, None]})

    assert types(values) == ["null", "number", "string"]
    assert values.facets["string"][0].values == {b'"a"'}


def test_what_stands_beside_a_reference_is_ignored_in_openapi_3_0_only() -> None:
    schema = {"$ref": "#/components/schemas/T", "maxLength": 3}

    (old,) = read(schema, "3.0.3", T={"type": "string"}).facets["string"]
    (new,) = read(schema, "3.1.0", T={"type": "string"}).facets["string"]

    assert (old.bounds, new.bounds) == ({}, {"maxLength": (3, False)})


@pytest.mark.parametrize(
    "reference", ["#/components/schemas/None", "other.yaml#/T", "#/components/schemas/T"]
)
def test_a_reference_that_leads_nowhere_allows_anything(reference: str) -> None:
    assert read({"$ref": reference}, T={"$ref": "#/components/schemas/T"}).any


def test_too_many_alternatives_are_taken_for_anything() -> None:
    parts = [{"oneOf": [{"maxLength": n}, {"minLength": n}]} for n in range(MAX_OPTIONS)]

    assert not read({"type": "string", "allOf": parts}).whole
