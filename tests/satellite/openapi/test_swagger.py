"""Swagger 2.0 as OpenAPI 3.0."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV2SpecValidator, OpenAPIV30SpecValidator

from levo.satellite.openapi import DocumentRefused, diff, read_document
from levo.satellite.openapi.read import MAX_NODES
from levo.satellite.openapi.swagger import TooLarge, from_swagger

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
MOVED = from_swagger(SWAGGER, MAX_NODES)
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
    assert from_swagger({"swagger": "2.0", "basePath": "/v1"}, MAX_NODES)["servers"] == [{"url": "/v1"}]


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

    found = {(each.where, each.kind) for each in diff(MOVED, from_swagger(new, MAX_NODES))}
    assert ("query tags", "explode") in found and ("request application/json/owner", "required") in found


@pytest.mark.parametrize(
    "broken",
    [
        {"paths": []},
        {"paths": {"/a": [], "/b": {"get": [], "post": {"parameters": [5, {"$ref": 7}], "responses": 1}}}},
        {"definitions": [], "parameters": {"a": 1}, "responses": {"r": 1}, "securityDefinitions": {"s": 1}},
        {"schemes": "https", "host": "a.example", "produces": "x"},
        {"schemes": [["https"]], "host": ["a"], "basePath": {"a": 1}, "consumes": [[]]},
        {"paths": {"/a": {"parameters": [{"in": "body", "name": []}], "get": {"parameters": [{"in": []}]}}}},
    ],
)
def test_what_is_not_as_specified_is_left_out(broken: dict[str, Any]) -> None:
    assert from_swagger({"swagger": "2.0", **broken}, MAX_NODES)["openapi"] == "3.0.3"


def large(kind: str, times: int) -> dict[str, Any]:
    """Return a document in which *times* things each stand for all of *times* others."""
    many = [f"{n:04}/x" for n in range(times)]
    whole = {"name": "b", "in": "body", "schema": {"required": many}}
    answer = {"responses": {"200": {"description": "", "schema": {"type": "string"}}}}
    documents: dict[str, dict[str, Any]] = {
        "media types": {"produces": many, "paths": {f"/{n}": {"get": answer} for n in many}},
        "a schema": {"produces": many, "paths": {"/": {"get": {
            "responses": {"200": {"description": "", "schema": {"required": many}}}}}}},
        "bodies": {
            "parameters": {"b": whole},
            "paths": {f"/{n}": {"put": {"parameters": [{"$ref": "#/parameters/b"}]}} for n in many},
        },
        "a parameter": {
            "parameters": {"b": {"name": "b", "in": "query", "type": "string", "enum": many}},
            "paths": {f"/{n}": {"put": {"parameters": [{"$ref": "#/parameters/b"}]}} for n in many},
        },
        "text": {
            "parameters": {"b": {"name": "b", "in": "query", "description": "x" * 16 * times}},
            "paths": {f"/{n}": {"put": {"parameters": [{"$ref": "#/parameters/b"}]}} for n in many},
        },
        "a host": {"host": "x" * 16 * times, "schemes": many},
        "a path": {
            "basePath": "/" * 16 * times + "x",
            "paths": {f"/{n}": {"get": {"schemes": ["https"]}} for n in many},
        },
    }  # fmt: skip
    return {"swagger": "2.0", **documents[kind]}


KINDS = ("media types", "a schema", "bodies", "a parameter", "text", "a host", "a path")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_said_once_for_many_places_is_bounded(kind: str) -> None:
    """Whatever is accepted is at most some times as long as it was, and as the bound."""
    small, most = large(kind, 10), 4_000
    assert len(json.dumps(from_swagger(small, most))) < 4 * len(json.dumps(small)) + 32 * most
    with pytest.raises(TooLarge):
        from_swagger(large(kind, 100), most)


@pytest.mark.parametrize("kind", KINDS)
def test_a_document_that_explodes_is_refused_in_one_line(kind: str) -> None:
    with pytest.raises(DocumentRefused, match=f"more than {MAX_NODES} values when written out as OpenAPI 3"):
        read_document(json.dumps(large(kind, 1_500)), aliases=False)


def test_a_body_that_operations_of_a_path_share_is_bounded() -> None:
    body = {"name": "b", "in": "body", "schema": {"required": ["x"] * 1_000}}
    item = {"parameters": [body], **{method: {} for method in ("get", "put", "post", "patch")}}
    document = {"swagger": "2.0", "paths": {"/": item}}

    assert len(from_swagger(document, 5_000)["paths"]["/"]) == 4
    with pytest.raises(TooLarge):
        from_swagger(document, 3_000)
