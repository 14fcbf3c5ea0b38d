"""Statements about parameters and bodies, answered by traffic."""

from __future__ import annotations

from typing import Any

import pytest

from levo.satellite.openapi import Answer, Coverage, compare
from tests.satellite.openapi.learned import operations, trace


def judged(schema: Any, *values: Any, response: bool = True, **schemas: Any) -> Coverage:
    """Compare *schema* with messages of these values."""
    body = {"content": {"application/json": {"schema": schema}}}
    operation: dict[str, Any] = {"responses": {"200": {"description": "", **(body if response else {})}}}
    if not response:
        operation["requestBody"] = body
    paths = {"/p": {"post": operation}}
    document = {"openapi": "3.1.0", "paths": paths, "components": {"schemas": schemas}}
    traces = [
        trace("POST", "/p", 200, None if response else value, value if response else None) for value in values
    ]
    return compare(document, operations(traces))


def contradicted(found: Coverage) -> list[tuple[str, str]]:
    return [(each.pointer, each.kind) for each in found.statements if each.answer is Answer.CONTRADICTED]


def thing(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [*required]}


TEXT, WHOLE = {"type": "string"}, {"type": "integer"}
MAP = {"type": "object", "additionalProperties": WHOLE}
CLOSED = {**thing(a=TEXT), "additionalProperties": False}
LIST = {"type": "array"}
BOTH = {"allOf": [thing(a=TEXT), thing("b", b=TEXT)]}
WRONG: list[tuple[str, Any, Any, tuple[str, str]]] = [
    ("type", thing(a=TEXT), {"a": 5}, ("/a", "type")),
    ("null", thing(a=TEXT), {"a": None}, ("/a", "type")),
    ("fraction", thing(a=WHOLE), {"a": 1.5}, ("/a", "type")),
    ("required", thing("a", a=TEXT), {"b": 5}, ("/a", "required")),
    ("inside items", {**LIST, "items": thing(a=TEXT)}, [{"a": "x"}, {"a": 5}], ("/*/a", "type")),
    ("inside a map", MAP, {"k1": 1, "k2": "x"}, ("/{key}", "type")),
    ("closed", CLOSED, {"a": "x", "b": 1}, ("", "additionalProperties")),
    ("enum of words", thing(a={"enum": ["open", "closed"]}), {"a": "pending"}, ("/a", "enum")),
    ("enum of lengths", thing(a={"enum": ["q1", "q2"]}), {"a": "q2x"}, ("/a", "enum")),
    ("maxLength", thing(a={**TEXT, "maxLength": 3}), {"a": "long"}, ("/a", "maxLength")),
    ("minLength", thing(a={**TEXT, "minLength": 3}), {"a": ""}, ("/a", "minLength")),
    ("minimum", thing(a={**WHOLE, "minimum": 0}), {"a": -1}, ("/a", "minimum")),
    ("maximum", thing(a={**WHOLE, "maximum": 100}), {"a": 1000}, ("/a", "maximum")),
    ("int32", thing(a={**WHOLE, "format": "int32"}), {"a": 1 << 40}, ("/a", "format")),
    ("format", thing(a={**TEXT, "format": "uuid"}), {"a": "2024-05-01"}, ("/a", "format")),
    ("maxItems", thing(a={**LIST, "maxItems": 1}), {"a": [1, 2]}, ("/a", "maxItems")),
    ("minItems", thing(a={**LIST, "minItems": 1}), {"a": []}, ("/a", "minItems")),
    ("required by all", BOTH, {"a": "x"}, ("/b", "required")),
    ("no alternative", thing(a={"oneOf": [TEXT, {"type": "null"}]}), {"a": 5}, ("/a", "type")),
]


@pytest.mark.parametrize(
    ("schema", "value", "found"), [each[1:] for each in WRONG], ids=[each[0] for each in WRONG]
)
@pytest.mark.parametrize("response", [True, False])
def test_what_is_not_allowed_is_contradicted_once(
    schema: Any, value: Any, found: tuple[str, str], response: bool
) -> None:
    assert contradicted(judged(schema, value, value, response=response)) == [found]


REFERRED = {"$ref": "#/components/schemas/R"}
RIGHT: list[tuple[str, Any, Any]] = [
    ("a number that is whole", thing(a={"type": "number"}), {"a": 5}),
    ("one that always came", thing(a=TEXT), {"a": "x"}),
    ("one that never came", thing(a=TEXT, b=TEXT), {"a": "x"}),
    ("one of the alternatives", {"oneOf": [thing("t", t={"const": "a"}), thing("u", u=WHOLE)]}, {"u": 3}),
    ("null by alternatives", thing(a={"anyOf": [REFERRED, {"type": "null"}]}), {"a": None}),
    ("keys of a map", {"type": "object", "additionalProperties": TEXT}, {"a": "x", "zone": "y", "b-7": "z"}),
    ("of allOf", {"allOf": [REFERRED, thing(b=TEXT)]}, {"r": "x", "b": "y"}),
    ("writeOnly in a response", thing("a", a={**TEXT, "writeOnly": True}), {}),
    ("a pattern", thing(a={**TEXT, "pattern": "^b"}), {"a": "x"}),
    ("anything", {}, [1, "a", None]),
]


@pytest.mark.parametrize(("schema", "value"), [each[1:] for each in RIGHT], ids=[each[0] for each in RIGHT])
def test_what_is_allowed_is_not_contradicted(schema: Any, value: Any) -> None:
    found = judged(schema, value, value, value, R=thing(r=TEXT))

    assert contradicted(found) == [] and found.count(Answer.AGREES) > 2


def test_an_answer_says_how_much_was_seen() -> None:
    found = judged(thing("a", a=TEXT, b=WHOLE), {"a": "x"}, {"a": "y"}, {"a": "z", "c": True})
    answers = {(each.pointer, each.kind): (each.answer, each.observations) for each in found.statements}

    assert answers["/a", "required"] == (Answer.AGREES, 3) == answers["/a", "type"]
    assert answers["/b", "property"] == (Answer.UNSEEN, 0)
    assert [(each.pointer, each.kind, each.observations) for each in found.undescribed] == [
        ("/c", "added", 1)
    ]


SHAPES = {
    "oneOf": [
        thing("r", r=WHOLE, both={**TEXT, "maxLength": 3}, in_={**LIST, "items": thing(x=TEXT)}),
        thing("w", "h", w=WHOLE, h=WHOLE, both=WHOLE, in_={**LIST, "items": thing(x=WHOLE)}),
    ]
}


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"r": 1}, []),
        ({"w": 1, "h": 1, "both": 5, "in_": [{"x": 5}, {"x": "a"}]}, []),
        ({"r": 1, "both": "long"}, [("/both", "maxLength")]),
        ({"r": 1, "both": True}, [("/both", "type")]),
        ({"r": "x"}, [("/r", "type")]),
        ({"r": 1, "in_": [{"x": True}]}, [("/in_/*/x", "type")]),
        ({"w": 1}, [("", "required")]),
        ({}, [("", "required")]),
    ],
)
def test_objects_are_held_against_the_union_of_alternatives(value: Any, found: list[tuple[str, str]]) -> None:
    assert contradicted(judged(SHAPES, value, value)) == found


def test_what_one_alternative_requires_agrees_as_often_as_it_came() -> None:
    found = judged(SHAPES, {"r": 1}, {"w": 1, "h": 2}, {"w": 1, "h": 2})
    required = {each.pointer: each.observations for each in found.statements if each.kind == "required"}

    assert required == {"/r": 1, "/w": 2, "/h": 2}
    assert contradicted(found) == []


def test_a_read_only_property_is_not_missing_in_requests() -> None:
    schema = thing("id", "a", id={**TEXT, "readOnly": True}, a=TEXT)

    assert contradicted(judged(schema, {"a": "x"}, response=False)) == []
    assert contradicted(judged(schema, {"a": "x"})) == [("/id", "required")]


def query(text: str, *parameters: dict[str, Any]) -> Coverage:
    operation = {"parameters": [*parameters], "responses": {"200": {"description": ""}}}
    document = {"openapi": "3.1.0", "paths": {"/p/{id}": {"get": operation}}}
    body = {"description": "", "content": {"application/json": {}}}
    operation["responses"] = {"200": body}
    return compare(document, operations([trace("GET", f"/p/{n}", 200, None, {}, text) for n in range(9)]))


def parameter(schema: Any, **more: Any) -> dict[str, Any]:
    return {"name": "q", "in": "query", "schema": schema, **more}


NUMBERS = {"type": "array", "items": WHOLE}


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("q=5", parameter(TEXT)),
        ("q=true", parameter(TEXT)),
        ("q=5", parameter({"type": "number"})),
        ("q=5&q=6", parameter(NUMBERS)),
        ("q=5", parameter(NUMBERS)),
        ("q=5,6", parameter(NUMBERS, explode=False)),
        ("q=all", parameter({"oneOf": [NUMBERS, {"enum": ["all"]}]})),
        ("q=1&q=2", parameter({"oneOf": [NUMBERS, {"enum": ["all"]}]})),
        ("q=open&q=closed", parameter({**LIST, "items": {"enum": ["open", "closed"]}})),
        ("q[a]=5", parameter(thing(a=WHOLE), style="deepObject")),
        ("a=5", parameter(thing(a=WHOLE))),
        ("", parameter(WHOLE)),
    ],
)
def test_a_parameter_is_read_as_it_is_written(text: str, given: dict[str, Any]) -> None:
    assert query(text, given).drift == ()


@pytest.mark.parametrize(
    ("text", "given", "kind"),
    [
        ("q=abc", parameter(WHOLE), "type"),
        ("q=1&q=2", parameter(WHOLE), "type"),
        ("q=1&q=abc", parameter(NUMBERS), "type"),
        ("", parameter(WHOLE, required=True), "required"),
        ("q=1&q=2&q=3", parameter({**NUMBERS, "maxItems": 2}), "maxItems"),
        ("q=open&q=pending", parameter({**LIST, "items": {"enum": ["open", "closed"]}}), "enum"),
        ("q=1000", parameter({**WHOLE, "maximum": 10}), "maximum"),
        ("q=1&more=2", parameter(WHOLE), "added"),
        ("q=1", {"name": "id", "in": "path", "required": True, "schema": {"type": "boolean"}}, "type"),
        ("q=1", {"name": "X-Tenant", "in": "header", "required": True, "schema": TEXT}, "required"),
    ],
)
def test_a_parameter_that_is_wrong_is_named(text: str, given: dict[str, Any], kind: str) -> None:
    assert kind in [each.kind for each in query(text, given).drift]


OTHER = {**TEXT, "pattern": "^x"}
ANY_NUMBER = {**WHOLE, "description": "of any size"}
ONE_OF_TWO: list[tuple[str, Any, Any]] = [
    ("maxLength", [{**TEXT, "maxLength": 3}, OTHER], "much longer"),
    ("minLength", [{**TEXT, "minLength": 30}, OTHER], "short"),
    ("enum", [{**TEXT, "enum": ["open"]}, OTHER], "much longer"),
    ("enum", [{**WHOLE, "enum": [1]}, {**WHOLE, "minimum": 0}], 5000),
    ("minimum", [{**WHOLE, "minimum": 0}, {**WHOLE, "maximum": 10}], -4),
    ("maximum", [{**WHOLE, "minimum": 0}, {**WHOLE, "maximum": 10}], 5000),
    ("minItems", [{**LIST, "minItems": 1}, {**LIST, "maxItems": 3}], []),
    ("maxItems", [{**LIST, "minItems": 1}, {**LIST, "maxItems": 3}], [1, 2, 3, 4]),
]


@pytest.mark.parametrize(("kind", "alternatives", "value"), ONE_OF_TWO)
def test_what_one_alternative_says_agrees_with_what_another_allows(
    kind: str, alternatives: list[Any], value: Any
) -> None:
    found = judged(thing(a={"oneOf": alternatives}), {"a": value}, {"a": value})
    answers = {each.kind: each.answer for each in found.statements if each.pointer == "/a"}

    assert answers[kind] is Answer.AGREES
    assert contradicted(found) == []


def test_whole_numbers_agree_with_multiples_of_one() -> None:
    found = judged(thing(a={**WHOLE, "multipleOf": 1}, b={**WHOLE, "multipleOf": 5}), {"a": 7, "b": 10})

    assert [each.pointer for each in found.statements if each.kind == "multipleOf"] == ["/a"]


def test_a_required_name_is_described_although_nothing_else_is_said_of_it() -> None:
    assert judged(thing("a", "b", a=TEXT), {"a": "x", "b": 5}).drift == ()
    assert contradicted(judged(thing("a", "b", a=TEXT), {"a": "x"})) == [("/b", "required")]
