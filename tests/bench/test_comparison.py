"""The bench of the comparison: traffic that obeys a description contradicts nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from bench.comparison import corpus, held_out
from bench.comparison.run import measure

from levo.satellite.openapi import Answer

USER = {
    "type": "object",
    "required": ["id", "name"],
    "properties": {
        "id": {"type": "string", "format": "uuid", "readOnly": True},
        "name": {"type": "string", "minLength": 1, "maxLength": 9},
        "password": {"type": "string", "writeOnly": True},
        "age": {"type": ["integer", "null"], "minimum": 0, "maximum": 130},
        "state": {"type": "string", "enum": ["active", "locked"]},
        "friends": {"type": "array", "maxItems": 2, "items": {"$ref": "#/components/schemas/User"}},
        "pet": {"oneOf": [{"$ref": "#/components/schemas/Cat"}, {"type": "null"}]},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
CAT = {"allOf": [{"type": "object", "required": ["tail"], "properties": {"tail": {"type": "number"}}}]}
CONTENT = {"application/json": {"schema": {"$ref": "#/components/schemas/User"}}}
IDENTITY = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
TAGS = {"name": "tag", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}}
PROBLEM = {"application/problem+json": {"schema": {"type": "object"}}}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "servers": [{"url": "https://api.example/v1"}],
    "security": [{"token": []}],
    "paths": {
        "/users": {
            "get": {"parameters": [TAGS], "responses": {"200": {"description": "", "content": CONTENT}}},
            "post": {
                "requestBody": {"required": True, "content": CONTENT},
                "responses": {"201": {"description": ""}, "4XX": {"description": "", "content": PROBLEM}},
            },
        },
        "/users/{id}": {
            "parameters": [IDENTITY],
            "get": {
                "responses": {"200": {"description": "", "content": CONTENT}, "404": {"description": ""}}
            },
        },
    },
    "components": {
        "schemas": {"User": USER, "Cat": CAT},
        "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
    },
}


def test_traffic_that_obeys_its_description_contradicts_nothing() -> None:
    found = measure(DOCUMENT, DOCUMENT, 600, 1)

    assert found.drift == found.shadow == found.unused == ()
    assert found.count(Answer.AGREES) > 40


@pytest.mark.skipif(
    "LEVO_DESCRIPTIONS" not in os.environ, reason="LEVO_DESCRIPTIONS names no folder with them"
)
@pytest.mark.parametrize("name", corpus.FILES)
def test_traffic_of_public_descriptions_contradicts_nothing(name: str) -> None:
    document = corpus.read(Path(os.environ["LEVO_DESCRIPTIONS"]), name)
    found = measure(document, document, 1000, 1)

    assert found.count(Answer.CONTRADICTED) == 0 and found.count(Answer.AGREES) > 200


def test_templates_and_responses_are_held_against_another_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_out, "HELD_OUT", 100)
    found, figures = held_out.measure(DOCUMENT, 200, words=False)

    assert (found.called, found.f1) == (3, 1.0)
    assert figures["checked"] > 20 and figures["unlearned"] == 0
    assert 0.5 < figures["valid"] <= 1 and figures["rejected type"] > 0.5


def test_what_was_not_learned_is_told() -> None:
    called = held_out.Called()
    for _ in called.noting(held_out.made(DOCUMENT, 50, 1, words=False)):
        pass
    found = called.score(held_out.State(), show=False)

    assert found.called == 3 and found.f1 == 0
