"""Swagger 2.0 as OpenAPI 3.0."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV2SpecValidator, OpenAPIV30SpecValidator

from levo.satellite.openapi import diff, read_document
from levo.satellite.openapi.swagger import from_swagger

PET = {"$ref": "#/definitions/Pet"}
SWAGGER: dict[str, Any] = {
    "swagger": "2.0",
    "info": {"title": "Pets", "version": "1"},
    "host": "pets.example",
    "basePath": "/v1/",
    "schemes": ["https", "http"],
    "consumes": ["application/json"],
    "produces": ["application/json", "application/xml"],
    "security": [{"key": []}],
    "tags": [{"name": "pets"}],
    "securityDefinitions": {
        "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
        "basic": {"type": "basic"},
        "app": {
            "type": "oauth2",
            "flow": "application",
            "tokenUrl": "https://pets.example/token",
            "scopes": {"read": "Read pets"},
        },
    },
    "parameters": {
        "limit": {"name": "limit", "in": "query", "type": "integer", "maximum": 100, "default": 20},
        "pet": {"name": "pet", "in": "body", "required": True, "schema": PET},
    },
    "responses": {"Missing": {"description": "Nothing there"}},
    "definitions": {
        "Pet": {
            "type": "object",
            "discriminator": "kind",
            "required": ["kind"],
            "properties": {
                "kind": {"type": "string"},
                "$ref": {"type": "string"},
                "owner": {"type": "string", "x-nullable": True},
                "friends": {"type": "array", "items": PET},
            },
        },
    },
    "paths": {
        "/pets": {
            "parameters": [{"$ref": "#/parameters/limit"}],
            "get": {
                "parameters": [
                    {"name": "tags", "in": "query", "type": "array", "items": {"type": "string"},
                     "collectionFormat": "multi"},
                    {"name": "ids", "in": "query", "type": "array", "items": {"type": "integer"}},
                ],
                "responses": {
                    "200": {
                        "description": "Pets",
                        "schema": {"type": "array", "items": PET},
                        "headers": {"X-Total": {"type": "integer", "description": "How many"}},
                        "examples": {"application/json": []},
                    },
                    "404": {"$ref": "#/responses/Missing"},
                },
            },
            "post": {
                "parameters": [{"$ref": "#/parameters/pet"}],
                "security": [{"app": ["read"]}],
                "responses": {"201": {"description": "Made"}},
            },
        },
        "/pets/{id}/photo": {
            "put": {
                "consumes": ["multipart/form-data"],
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "type": "string", "format": "uuid"},
                    {"name": "photo", "in": "formData", "required": True, "type": "file"},
                    {"name": "note", "in": "formData", "type": "string", "maxLength": 9},
                ],
                "responses": {"204": {"description": "Kept"}},
            },
            "get": {
                "produces": ["image/png"],
                "parameters": [{"name": "id", "in": "path", "required": True, "type": "string"}],
                "responses": {"200": {"description": "The photo", "schema": {"type": "file"}}},
            },
        },
    },
}  # fmt: skip
MOVED = from_swagger(SWAGGER)
PETS, PHOTO = MOVED["paths"]["/pets"], MOVED["paths"]["/pets/{id}/photo"]
REFERRED = {"$ref": "#/components/schemas/Pet"}


def test_both_are_valid() -> None:
    swagger = copy.deepcopy(SWAGGER)
    del swagger["paths"]["/pets/{id}/photo"][
        "get"
    ]  # the validator does not know the type "file" of responses

    assert list(OpenAPIV2SpecValidator(swagger).iter_errors()) == []
    assert list(OpenAPIV30SpecValidator(copy.deepcopy(MOVED)).iter_errors()) == []


@pytest.mark.parametrize(
    "text", [json.dumps(SWAGGER), "swagger: '2.0'\npaths: {}\n", "swagger: 2.0\npaths: {}"]
)
def test_it_is_accepted_wherever_a_description_is(text: str) -> None:
    assert read_document(text, aliases=False)["openapi"] == "3.0.3"


def test_servers() -> None:
    assert MOVED["servers"] == [{"url": "https://pets.example/v1"}, {"url": "http://pets.example/v1"}]
    assert from_swagger({"swagger": "2.0", "basePath": "/v1"})["servers"] == [{"url": "/v1"}]


def test_parameters() -> None:
    limit = {"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 100, "default": 20}}
    tags, ids = PETS["get"]["parameters"]

    assert PETS["parameters"] == [limit]
    assert tags["explode"] is True and tags["schema"] == {"type": "array", "items": {"type": "string"}}
    assert ids["explode"] is False


def test_bodies() -> None:
    content = PHOTO["put"]["requestBody"]["content"]

    assert PETS["post"]["requestBody"] == {
        "required": True,
        "content": {"application/json": {"schema": REFERRED}},
    }
    assert PHOTO["put"]["requestBody"]["required"] is True
    assert content["multipart/form-data"]["schema"] == {
        "type": "object",
        "properties": {
            "photo": {"type": "string", "format": "binary"},
            "note": {"type": "string", "maxLength": 9},
        },
        "required": ["photo"],
    }


def test_responses() -> None:
    answer = PETS["get"]["responses"]["200"]

    assert [*answer["content"]] == ["application/json", "application/xml"]
    assert answer["content"]["application/json"] == {
        "schema": {"type": "array", "items": REFERRED},
        "example": [],
    }
    assert answer["headers"] == {"X-Total": {"description": "How many", "schema": {"type": "integer"}}}
    assert PETS["get"]["responses"]["404"] == {"$ref": "#/components/responses/Missing"}
    assert [*PHOTO["get"]["responses"]["200"]["content"]] == ["image/png"]


def test_schemas() -> None:
    pet = MOVED["components"]["schemas"]["Pet"]

    assert pet["discriminator"] == {"propertyName": "kind"}
    assert pet["properties"]["owner"] == {"type": "string", "nullable": True}
    assert pet["properties"]["$ref"] == {"type": "string"}
    assert pet["properties"]["friends"]["items"] == REFERRED


def test_security() -> None:
    schemes = MOVED["components"]["securitySchemes"]

    assert MOVED["security"] == [{"key": []}] and PETS["post"]["security"] == [{"app": ["read"]}]
    assert schemes["basic"] == {"type": "http", "scheme": "basic"}
    assert schemes["app"]["flows"] == {
        "clientCredentials": {"tokenUrl": "https://pets.example/token", "scopes": {"read": "Read pets"}}
    }


def test_a_change_in_swagger_is_a_change() -> None:
    new = copy.deepcopy(SWAGGER)
    new["paths"]["/pets"]["get"]["parameters"][0]["collectionFormat"] = "csv"
    new["definitions"]["Pet"]["required"].append("owner")

    found = {(each.where, each.kind) for each in diff(MOVED, from_swagger(new))}
    assert ("query tags", "explode") in found and ("request application/json/owner", "required") in found


@pytest.mark.parametrize(
    "broken",
    [
        {"paths": []},
        {"paths": {"/a": [], "/b": {"get": [], "post": {"parameters": [5, {"$ref": 7}], "responses": 1}}}},
        {"definitions": [], "parameters": {"a": 1}, "responses": {"r": 1}, "securityDefinitions": {"s": 1}},
        {"schemes": "https", "host": "a.example", "produces": "x"},
    ],
)
def test_what_is_not_as_specified_is_left_out(broken: dict[str, Any]) -> None:
    assert from_swagger({"swagger": "2.0", **broken})["openapi"] == "3.0.3"
