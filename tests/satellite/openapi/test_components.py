"""Schemas that operations share."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_schema_validator import OAS30Validator
from openapi_spec_validator import validate

from levo.satellite.learn import Trace
from levo.satellite.openapi import diff, render_document
from tests.satellite.openapi.learned import operations, shop, trace


def exchange(method: str, path: str, answer: Any, status: int = 200, sent: Any = None) -> list[Trace]:
    """Return some traces, in which ``#`` stands for a number."""

    def numbered(value: Any, number: int) -> Any:
        return json.loads(json.dumps(value).replace("#", str(number)))

    return [
        trace(method, path.replace("#", str(n)), status, numbered(sent, n), numbered(answer, n))
        for n in range(6)
    ]


def rendered(*traces: list[Trace], version: str = "3.1") -> dict[str, Any]:
    found = operations([each for some in traces for each in some])
    document = render_document("t", found, version=version, annotate=False)
    validate(copy.deepcopy(document))
    return document


def schemas(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["components"]["schemas"]
    return found


def answered(document: dict[str, Any], path: str, status: str = "200", method: str = "get") -> Any:
    operation = document["paths"][path][method]
    return operation["responses"][status]["content"]["application/json"]["schema"]


USER = {"id": "#", "name": "n#", "mail": "u#@example.org", "team": 7}
ERROR = {"code": 17, "message": "m#"}


def test_one_schema_for_what_several_operations_answer() -> None:
    document = rendered(
        exchange("GET", "/users/10#", USER),
        exchange("GET", "/users", [USER]),
        exchange("POST", "/users", USER, 201, {"name": "n#", "mail": "u#@example.org"}),
        exchange("GET", "/users/20#", ERROR, 403),
        exchange("POST", "/users", ERROR, 422, {}),
    )
    user = {"$ref": "#/components/schemas/User"}

    assert [*schemas(document)] == ["Error", "NewUser", "User"]
    assert answered(document, "/users/{userId}") == user == answered(document, "/users", "201", "post")
    assert answered(document, "/users") == {"type": "array", "items": user}
    assert answered(document, "/users/{userId}", "403") == {"$ref": "#/components/schemas/Error"}


def test_errors_that_say_more_are_errors() -> None:
    more = {**ERROR, "errors": [{"field": "f", "why": "w"}]}
    document = rendered(
        exchange("GET", "/users/10#", []),
        exchange("GET", "/users/20#", ERROR, 403),
        exchange("POST", "/users", []),
        exchange("POST", "/users", more, 422),
        exchange("PUT", "/users/10#", []),
        exchange("PUT", "/users/30#", {**ERROR, "until": "2024-05-0#"}, 409),
    )

    (error,) = schemas(document).values()
    assert [*error["properties"]] == ["code", "errors", "message", "until"]
    assert error["required"] == ["code", "message"]


def test_a_property_is_required_where_all_places_require_it() -> None:
    few = {name: value for name, value in USER.items() if name != "mail"}
    document = rendered(
        exchange("GET", "/users/10#", USER), exchange("GET", "/users", [USER, {**few, "mail": None}])
    )

    assert schemas(document)["User"]["required"] == ["id", "mail", "name", "team"]
    assert schemas(document)["User"]["properties"]["mail"]["type"] == ["string", "null"]


@pytest.mark.parametrize(
    ("seen", "written"),
    [
        (["n#"], ["string", "null"]),
        (["n#", None], ["string", "null"]),
        ([None] * 9, "null"),
        ([None], "null"),
    ],
    ids=["text", "text or null", "null", "null, too seldom to say so"],
)
def test_what_was_only_null_goes_together_with_everything(seen: list[Any], written: Any) -> None:
    def users(nicks: list[Any]) -> list[Any]:
        return [{**USER, "id": f"{number}#", "nick": nick} for number, nick in enumerate(nicks)]

    document = rendered(
        exchange("GET", "/users/10#", users([None] * 9)),
        exchange("GET", "/teams/10#/users", users(seen)),
        exchange("GET", "/users", users([None] * 9)),
    )

    assert schemas(document)["User"]["properties"]["nick"] == {"type": written}


def test_different_things_are_not_one_because_they_look_alike() -> None:
    document = rendered(
        exchange("GET", "/users/10#", {"id": "#", "name": "n#"}),
        exchange("GET", "/teams/10#", {"id": "#", "name": "t#"}),
    )

    assert [*schemas(document)] == ["Team", "User"]


def test_the_same_properties_of_other_types_are_two() -> None:
    document = rendered(
        exchange("GET", "/users/10#", USER),
        exchange("GET", "/users", [{**USER, "team": {"id": "#", "a": 1}}]),
    )

    assert {"User", "UserSummary"} <= schemas(document).keys()


def test_a_list_that_is_wrapped() -> None:
    document = rendered(exchange("GET", "/users", {"items": [USER], "total": 5}))

    assert [*schemas(document)] == ["User", "UserList"]
    assert schemas(document)["UserList"]["properties"]["items"]["items"] == {
        "$ref": "#/components/schemas/User"
    }


def test_objects_inside_are_called_by_their_property() -> None:
    address = {"street": "s", "city": "c#", "zip": "z"}
    document = rendered(
        exchange("GET", "/users/10#", {**USER, "addresses": [address]}),
        exchange(
            "GET", "/orders/10#", {"id": "#", "shippingAddress": address, "lines": [{"sku": "#", "n": 1}]}
        ),
        exchange("POST", "/orders/10#/pack", {"id": "#", "lines": [{"sku": "#", "n": 1}], "box": "b"}),
    )

    assert [*schemas(document)] == ["Address", "Order", "OrderLine", "OrderPackResult", "User"]


def test_a_tree_refers_to_itself() -> None:
    leaf = {"id": "#", "label": "x#", "children": []}
    node = {"id": "#", "label": "y#", "children": [leaf, leaf]}
    document = rendered(exchange("GET", "/nodes/10#", {"id": "#", "label": "z#", "children": [node, leaf]}))

    (node_schema,) = schemas(document).values()
    assert node_schema["properties"]["children"]["items"] == {"$ref": "#/components/schemas/Node"}


@pytest.mark.parametrize("name", ["example", "enum", "required", "properties"])
def test_a_property_named_as_a_keyword_holds_a_tree(name: str) -> None:
    leaf = {"id": "#", "label": "x#", "children": []}
    tree = {"id": "#", "label": "y#", "children": [leaf, leaf]}
    document = rendered(exchange("GET", "/lessons/10#", {"id": "#", "title": "t", name: tree}))

    told = schemas(document)["Lesson"]["properties"][name]
    assert told["$ref"].removeprefix("#/components/schemas/") in schemas(document)


def test_an_object_inside_another_that_has_its_properties_is_not_a_tree() -> None:
    document = rendered(
        exchange("GET", "/orders/10#", {"id": "#", "name": "o", "buyer": {"id": "#", "name": "b"}})
    )

    assert "$ref" not in json.dumps(schemas(document))


@pytest.mark.parametrize("version", ["3.0", "3.1"])
def test_null_beside_a_reference(version: str) -> None:
    """Which is written so that validators accept null, and the object, and nothing else."""
    owner = {"id": "#", "name": "n#", "since": "2024-05-0#", "level": 1}
    document = rendered(
        exchange("GET", "/users/10#", owner),
        exchange("GET", "/cars/10#", {"id": "#", "owner": owner, "seats": 5}),
        exchange("GET", "/cars/20#", {"id": "#", "owner": None, "seats": 5}),
        version=version,
    )
    schema = schemas(document)["Car"]["properties"]["owner"]
    kind = OAS30Validator if version == "3.0" else Draft202012Validator
    validator = kind({"components": document["components"], **schema})

    assert any("$ref" in each for each in schema["anyOf"])
    right = {"id": "7", "name": "n", "since": "2024-05-01", "level": 1}
    assert [validator.is_valid(each) for each in (None, right, {}, 5)] == [True, True, False, False]


def test_alternatives_that_a_property_tells_apart() -> None:
    traces = []
    for n in range(60):
        event = {"type": "created", "by": f"x{n}"} if n % 2 else {"type": "deleted", "reason": f"y{n}"}
        traces.append(trace("GET", "/events", 200, received=[event]))
    document = rendered(traces)

    items = answered(document, "/events")["items"]
    assert items["discriminator"] == {
        "propertyName": "type",
        "mapping": {
            "created": "#/components/schemas/CreatedEvent",
            "deleted": "#/components/schemas/DeletedEvent",
        },
    }


def test_a_document_with_names_says_what_one_without_says() -> None:
    found = operations(shop())
    plain, named = (render_document("t", found, annotate=False, shared=each) for each in (False, True))

    assert diff(plain, named) == [] == diff(named, plain)
    assert len(json.dumps(named)) < len(json.dumps(plain))


def test_how_many_objects_are_behind_a_schema() -> None:
    traces = [*exchange("GET", "/users/10#", USER), *exchange("GET", "/users", [USER])]
    counted = render_document("t", operations(traces))

    assert counted["components"]["schemas"]["User"]["x-levo-objects"] == 12
    assert "x-levo-objects" not in json.dumps(rendered(traces))
