"""What people wrote survives that a document is learned again."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from openapi_spec_validator import validate

from levo.satellite.openapi import diff, keep_texts, render_document
from tests.satellite.openapi.learned import operations, shop, trace

USER = {"id": 17, "name": "n", "mail": "m@example.org", "team": 7}


def learned(version: str = "3.1", times: int = 9) -> dict[str, Any]:
    traces = [trace("GET", f"/v1/users/{100 + n}", 200, received=USER, query="deep=1") for n in range(times)]
    traces += [trace("GET", "/v1/users", 200, received=[USER]) for _ in range(times)]
    traces += [trace("PUT", f"/v1/users/{n}", 200, USER, {**USER, "boss": USER}) for n in range(times)]
    return render_document("t", operations(traces), version=version, annotate=False)


def edited() -> dict[str, Any]:
    """Return the learned document as its owner changed it."""
    document = learned()
    document["info"].update(title="People", description="Who works here.", version="2")
    document["tags"] = [{"name": "users", "description": "Everybody."}]
    item = document["paths"].pop("/v1/users/{userId}")
    document["paths"]["/v1/users/{who}"] = item
    item["get"].update(summary="Somebody", description="Looks up.", operationId="whoIs", tags=["users"])
    item["get"]["x-owner"] = "team-a"
    item["get"]["parameters"][0].update(name="who", description="A number.")
    item["put"]["parameters"][0].update(name="who")
    item["get"]["responses"]["200"]["description"] = "Found."
    text = json.dumps(document).replace('#/components/schemas/User"', '#/components/schemas/Person"')
    document = json.loads(text)
    schemas = document["components"]["schemas"]
    schemas["Person"] = schemas.pop("User")
    schemas["Person"]["description"] = "A person."
    schemas["Person"]["properties"]["mail"]["description"] = "At work."
    return document


def test_texts_and_names_are_kept() -> None:
    document = learned()
    keep_texts(document, edited())
    validate(copy.deepcopy(document))

    assert document == edited()


def test_what_traffic_says_is_not_taken_from_the_description() -> None:
    written = edited()
    person = written["components"]["schemas"]["Person"]
    person["properties"]["team"] = {"type": "string", "description": "Of old."}
    person["properties"]["gone"] = {"type": "string"}
    person["required"] = []
    written["paths"]["/never"] = {"get": {"responses": {}}}
    document = learned()
    keep_texts(document, written)

    team = document["components"]["schemas"]["Person"]["properties"]["team"]
    assert team == {"type": "integer", "description": "Of old."}
    assert diff(learned(), document) == []


def test_a_description_below_its_server() -> None:
    written = {
        "openapi": "3.0.3",
        "servers": [{"url": "https://a.example/v1"}],
        "paths": {
            "/users/{who}": {"get": {"summary": "Somebody", "responses": {"2XX": {"description": "Found."}}}}
        },
    }
    document = learned("3.0")
    keep_texts(document, written)
    validate(copy.deepcopy(document))
    operation = document["paths"]["/v1/users/{who}"]["get"]

    assert (operation["summary"], operation["responses"]["200"]["description"]) == ("Somebody", "Found.")


@pytest.mark.parametrize("path", ["/v1/users/", "/v1/users"])
def test_a_slash_at_the_end_of_a_described_path(path: str) -> None:
    written = {
        "openapi": "3.1.0",
        "paths": {path: {"get": {"summary": "Everybody", "responses": {}}}},
    }
    document = learned()
    keep_texts(document, written)

    assert document["paths"]["/v1/users"]["get"]["summary"] == "Everybody"


@pytest.mark.parametrize("strange", [5, {"name": "a"}, ["a"], None])
def test_tags_that_are_no_text_are_left_out(strange: Any) -> None:
    operation = {"tags": [strange, "people"], "responses": {}}
    written = {
        "openapi": "3.1.0",
        "tags": [{"name": strange}, {"name": "people", "description": "Everybody."}],
        "paths": {"/v1/users": {"get": operation}, "/v1/users/{id}": {"get": {"tags": [strange]}}},
    }
    document = learned()
    keep_texts(document, written)
    validate(copy.deepcopy(document))

    assert document["paths"]["/v1/users"]["get"]["tags"] == ["people"]
    assert document["paths"]["/v1/users/{id}"]["get"]["tags"] == ["users"]
    assert document["tags"] == [{"name": "people", "description": "Everybody."}, {"name": "users"}]


def test_a_reference_into_a_schema_gives_no_name() -> None:
    """A name with a slash would be none (OpenAPI 3.1, Components Object)."""
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Page/properties/user"}}}
    user = {"type": "object", "description": "A person."}
    written = {
        "openapi": "3.1.0",
        "paths": {"/v1/users/{id}": {"get": {"responses": {"200": {"content": content}}}}},
        "components": {"schemas": {"Page": {"properties": {"user": user}}}},
    }
    document = learned()
    keep_texts(document, written)
    validate(copy.deepcopy(document))

    assert document["components"]["schemas"].keys() == learned()["components"]["schemas"].keys()
    assert document["components"]["schemas"]["User"]["description"] == "A person."


def test_an_id_that_a_person_gave_stays() -> None:
    written = {
        "openapi": "3.1.0",
        "paths": {"/v1/users": {"get": {"operationId": "getUser", "responses": {}}}},
    }
    document = learned()
    keep_texts(document, written)

    ids = {path: item["get"]["operationId"] for path, item in document["paths"].items()}
    assert ids == {"/v1/users": "getUser", "/v1/users/{userId}": "getUser2"}


def test_keeping_twice_changes_nothing() -> None:
    document = learned()
    keep_texts(document, edited())
    again = copy.deepcopy(document)
    keep_texts(again, edited())

    assert again == document


@pytest.mark.parametrize(
    "strange",
    [
        {},
        {"paths": []},
        {"info": 5, "tags": [5, {}], "paths": {"/v1/users": {"get": {"tags": 5, "responses": {"200": 5}}}}},
        {
            "paths": {
                "/v1/users": {"get": {"responses": {"200": {"content": {"application/json": {"schema": 5}}}}}}
            }
        },
    ],
)
def test_what_is_no_description_changes_no_type(strange: dict[str, Any]) -> None:
    document = learned()
    keep_texts(document, strange)

    assert diff(learned(), document) == []


def test_a_recursive_description_ends() -> None:
    node: dict[str, Any] = {"$ref": "#/components/schemas/N"}
    item = {
        "get": {"responses": {"200": {"description": "", "content": {"application/json": {"schema": node}}}}}
    }
    schemas = {"N": {"type": "array", "items": node, "properties": {"a": node}}}
    document = render_document("t", operations(shop()))
    keep_texts(document, {"openapi": "3.1.0", "paths": {"/events": item}, "components": {"schemas": schemas}})

    assert document["paths"].keys() >= {"/events"}
