"""Examples are made up, and valid."""

from __future__ import annotations

import jsonschema

from levo.satellite.openapi.examples import example_of, holds_schema


def test_an_example_of_everything() -> None:
    schema = {
        "type": "object",
        "properties": {
            "id": {"type": ["string", "null"], "format": "uuid"},
            "kind": {"enum": ["a", "b"]},
            "list": {"type": "array", "items": {"type": "integer"}},
            "either": {"oneOf": [{"type": "boolean"}]},
        },
        "required": ["id", "kind", "list", "either"],
    }
    jsonschema.validate(example_of(schema), schema)

    assert example_of({}) is None


def test_what_holds_a_schema_is_told() -> None:
    assert holds_schema([{"fields": {"properties": {"a": {"type": "text"}}}}])
    assert holds_schema({"a": {"$ref": "text"}})
    assert not holds_schema({"properties": "text", "a": [{"type": "text"}]}) and not holds_schema("text")
