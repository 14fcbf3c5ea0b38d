"""Two descriptions compared."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from levo.satellite.openapi import Change, Level, diff, render_document
from tests.satellite.openapi.comparison.pairs import COMPONENTS, SCHEMAS, Row
from tests.satellite.openapi.learned import operations, shop

OLD = render_document("shop", operations(shop()), annotate=False, shared=False)
USER = OLD["paths"]["/users/{userId}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]


def schema(document: Any) -> Any:
    return document["paths"]["/users/{userId}"]["get"]["responses"]["200"]["content"]["application/json"][
        "schema"
    ]


def body(document: Any) -> Any:
    return document["paths"]["/users"]["post"]["requestBody"]["content"]["application/json"]["schema"]


CASES: list[tuple[Callable[[Any], Any], str, bool]] = [
    (lambda d: d["paths"].pop("/events"), "removed", True),
    (lambda d: d["paths"].update({"/new": {"get": {"responses": {}}}}), "added", False),
    (lambda d: (schema(d)["properties"].pop("id"), schema(d)["required"].remove("id")), "removed", True),
    (lambda d: schema(d)["properties"].pop("email"), "removed", False),
    (lambda d: schema(d)["properties"].update(extra={"type": "string"}), "added", False),
    (lambda d: schema(d)["required"].remove("id"), "optional", True),
    (lambda d: schema(d)["properties"].update(id={"type": "string", "minimum": 0}), "type", True),
    (lambda d: schema(d)["properties"]["status"]["enum"].append("gone"), "enum", False),
    (lambda d: body(d)["properties"].update(extra={"type": "string"}), "added", False),
    (
        lambda d: (body(d)["properties"].update(must={"type": "string"}), body(d)["required"].append("must")),
        "added",
        True,
    ),
    (lambda d: d["paths"]["/users"]["post"].update(deprecated=True), "deprecated", False),
    (lambda d: d["paths"]["/users"]["post"].update(security=[{"basic": []}]), "removed", True),
]


@pytest.mark.parametrize(
    ("change", "kind", "breaking"), CASES, ids=[f"{n}-{c[1]}" for n, c in enumerate(CASES)]
)
def test_each_change(change: Callable[[Any], Any], kind: str, breaking: bool) -> None:
    new = copy.deepcopy(OLD)
    change(new)

    assert (kind, breaking) in {(found.kind, found.breaking) for found in diff(OLD, new)}


def document(version: str, schema: Any, *, response: bool) -> dict[str, Any]:
    """Return a description in which one property of a message has *schema*."""
    content = {"application/json": {"schema": {"type": "object", "properties": {"p": schema}}}}
    operation: dict[str, Any] = {"responses": {"200": {"description": ""}}}
    if response:
        operation["responses"]["200"]["content"] = content
    else:
        operation["requestBody"] = {"content": content}
    return {
        "openapi": version,
        "info": {"title": "t", "version": "1"},
        "paths": {"/things": {"post": operation}},
        "components": {"schemas": COMPONENTS},
    }


def verdict(changes: list[Change]) -> str:
    levels = {change.level for change in changes}
    return "E" if Level.BREAKING in levels else "W" if Level.WARNING in levels else "-"


TABLE = [(version, row) for row in SCHEMAS for version in row.versions]


@pytest.mark.parametrize(("version", "row"), TABLE, ids=[f"{v} {row.name}" for v, row in TABLE])
def test_a_changed_schema_has_the_verdict_of_the_table(version: str, row: Row) -> None:
    found = ""
    for response in (False, True):
        left, right = (document(version, each, response=response) for each in (row.left, row.right))
        found += verdict(diff(left, right)) + verdict(diff(right, left))

    assert found == row.verdicts


def test_the_table_explains_where_it_differs_from_the_published_rules() -> None:
    assert len(TABLE) * 2 >= 120
    assert all(bool(row.why) == (row.verdicts != row.published) for row in SCHEMAS)


def test_nothing_changed_however_parameters_are_called_and_schemas_are_shared() -> None:
    new = copy.deepcopy(OLD)
    item = new["paths"].pop("/users/{userId}")
    item["get"]["parameters"][0]["name"] = "id"
    shared = item["get"]["responses"]["200"]["content"]["application/json"]
    new.setdefault("components", {})["schemas"] = {"User": shared["schema"]}
    shared["schema"] = {"$ref": "#/components/schemas/User"}
    new["paths"]["/users/{id}"] = item

    assert diff(OLD, new) == [] == diff(OLD, OLD)


def operation(**more: Any) -> dict[str, Any]:
    return {"responses": {"200": {"description": ""}}, **more}


def api(given: dict[str, Any] | None = None, path: str = "/things", **document: Any) -> dict[str, Any]:
    return {"openapi": "3.1.0", "paths": {path: {"get": given or operation()}}, **document}


def query(**more: Any) -> dict[str, Any]:
    return operation(parameters=[{"name": "q", "in": "query", "schema": {"type": "string"}, **more}])


def parameter(place: str, **more: Any) -> dict[str, Any]:
    return operation(parameters=[{"name": "X", "in": place, "schema": {"type": "string"}, **more}])


def bodied(**more: Any) -> dict[str, Any]:
    return operation(requestBody={"content": {"application/json": {"schema": {"type": "object"}}}, **more})


def media(name: str, *, response: bool, schema: Any = None) -> dict[str, Any]:
    content = {each: {} if schema is None else {"schema": schema} for each in name.split()}
    if response:
        return operation(responses={"200": {"description": "", "content": content}})
    return operation(requestBody={"content": content})


def headed(**headers: Any) -> dict[str, Any]:
    return operation(responses={"200": {"description": "", "headers": headers}})


def statuses(*codes: str) -> dict[str, Any]:
    return operation(responses={code: {"description": ""} for code in codes})


def secured(*alternatives: dict[str, list[str]]) -> dict[str, Any]:
    return operation(security=[*alternatives])


TEXT, INTEGER = {"schema": {"type": "string"}}, {"schema": {"type": "integer"}}
LISTED = {"schema": {"type": "array", "items": {"type": "string"}}}
MESSAGES: list[tuple[str, dict[str, Any], dict[str, Any], str, str, str]] = [
    ("operation", api(path="/a"), {**api(path="/a"), "paths": {}}, "E-", "", ""),
    ("deprecated operation", api(operation(deprecated=True)), {**api(), "paths": {}}, "--", "", ""),
    ("deprecated", api(), api(operation(deprecated=True)), "--", "", ""),
    ("optional parameter", api(), api(query()), "-W", "", ""),
    ("deprecated parameter", api(), api(query(deprecated=True)), "--", "", ""),
    ("required parameter", api(), api(query(required=True)), "EW", "", ""),
    ("required header", api(), api(parameter("header", required=True)), "EW", "", ""),
    ("required cookie", api(), api(parameter("cookie", required=True)), "EW", "", ""),
    ("became required", api(query()), api(query(required=True)), "E-", "", ""),
    ("header became required", api(parameter("header")), api(parameter("header", required=True)), "E-", "",
        ""),
    ("parameter in lower case", api(parameter("header")), api(operation(parameters=[
        {"name": "x", "in": "header", "schema": {"type": "string"}}])), "--", "", ""),
    ("parameter to text", api(query(**INTEGER)), api(query()), "-E", "", ""),
    ("parameter to number", api(query(**INTEGER)), api(query(schema={"type": "number"})), "-E", "", ""),
    ("parameter enum", api(query()), api(query(schema={"type": "string", "enum": ["a"]})), "E-", "", ""),
    ("parameter maxLength", api(query()), api(query(schema={"type": "string", "maxLength": 9})), "E-", "",
        ""),
    ("parameter default", api(query()), api(query(schema={"type": "string", "default": "9"})), "--", "", ""),
    ("parameter pattern", api(query(schema={"type": "string", "pattern": "a"})),
     api(query(schema={"type": "string", "pattern": "b"})), "WW", "", ""),
    ("path parameter", api(path="/things/{id}"), api(operation(parameters=[
        {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "maxLength": 3}}]),
        path="/things/{id}"), "EW", "", ""),
    ("explode", api(query(**LISTED)), api(query(explode=False, **LISTED)), "--", "EE", "no rule of oasdiff"),
    ("explode of a scalar", api(query()), api(query(explode=False)), "--", "", ""),
    ("style", api(query(**LISTED)), api(query(style="pipeDelimited", **LISTED)), "--", "EE",
        "no rule of oasdiff"),
    ("required body", api(), api(bodied(required=True)), "EE", "", ""),
    ("optional body", api(), api(bodied()), "-E", "", ""),
    ("body became required", api(bodied()), api(bodied(required=True)), "E-", "", ""),
    ("request media type", api(media("text/csv", response=False)),
     api(media("text/csv text/html", response=False)), "-E", "", ""),
    ("response media type", api(media("text/csv", response=True)),
     api(media("text/csv text/html", response=True)), "-E", "", ""),
    ("media range of responses", api(media("text/csv", response=True)), api(media("text/*", response=True)),
        "E-", "", ""),
    ("media range of requests", api(media("text/csv", response=False)), api(media("text/*", response=False)),
        "EE",
     "-E", "oasdiff does not know that the range has the type in it"),
    ("parameters of a media type", api(media("text/csv", response=True)),
     api({**operation(), "responses": {"200": {"content": {"text/csv; charset=utf-8": {}}}}}), "-E", "--",
     "the media type is the same"),
    ("schema of a request", api(media("a/json", response=False)),
     api(media("a/json", response=False, schema={"type": "object"})), "E-", "", ""),
    ("schema of a response", api(media("a/json", response=True)),
     api(media("a/json", response=True, schema={"type": "object"})), "-E", "", ""),
    ("success status", api(statuses("200", "201")), api(statuses("200")), "E-", "", ""),
    ("failure status", api(statuses("200", "404")), api(statuses("200")), "--", "", ""),
    ("default response", api(statuses("200", "default")), api(statuses("200")), "--", "", ""),
    ("optional response header", api(headed(**{"X-A": TEXT})), api(headed()), "W-", "", ""),
    ("required response header", api(headed(**{"X-A": {**TEXT, "required": True}})), api(headed()), "E-", "",
        ""),
    ("response header became optional", api(headed(**{"X-A": {**TEXT, "required": True}})),
     api(headed(**{"X-A": TEXT})), "E-", "", ""),
    ("type of a response header", api(headed(**{"X-A": TEXT})), api(headed(**{"X-A": INTEGER})), "EE", "-E",
     "a header is text, of which the digits of an integer are some"),
    ("case of a response header", api(headed(**{"X-A": TEXT})), api(headed(**{"x-a": TEXT})), "W-", "--",
     "names of header fields are the same in any case"),
    ("alternative of security", api(secured({"a": []}, {"b": []})), api(secured({"a": []})), "E-", "", ""),
    ("scheme exchanged", api(secured({"a": []})), api(secured({"b": []})), "EE", "", ""),
    ("scope", api(secured({"a": ["read"]})), api(secured({"a": ["read", "write"]})), "E-", "", ""),
    ("security of what was open", api(), api(secured({"a": []})), "-E", "E-",
     "oasdiff sees an alternative that comes; requests without credentials were accepted"),
    ("security of the document", api(security=[{"a": []}, {"b": []}]), api(security=[{"a": []}]), "E-", "",
        ""),
    ("server path", api(servers=[{"url": "https://a.example/v1"}]),
     api(servers=[{"url": "https://a.example/v2"}]), "--", "EE", "no rule of oasdiff; every address changed"),
    ("server host", api(servers=[{"url": "https://a.example/v1"}]),
     api(servers=[{"url": "https://b.example/v1"}]), "--", "", ""),
    ("path moved to the server", api(path="/v1/things"), api(servers=[{"url": "https://a.example/v1"}]),
        "EE", "--",
     "oasdiff compares paths without servers; every address stayed"),
    ("webhook", api(webhooks={"w": {"post": operation()}}), api(), "E-", "", ""),
    ("tags", api(), api(operation(tags=["a"])), "--", "", ""),
    ("name of the operation", api(operation(operationId="a")), api(operation(operationId="b")), "--", "", ""),
]  # fmt: skip


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
@pytest.mark.parametrize(
    ("left", "right", "published", "ours"),
    [(left, right, published, ours) for _, left, right, published, ours, _ in MESSAGES],
    ids=[each[0] for each in MESSAGES],
)
def test_a_changed_message_has_the_verdict_of_the_table(
    version: str, left: dict[str, Any], right: dict[str, Any], published: str, ours: str
) -> None:
    before, after = {**left, "openapi": version}, {**right, "openapi": version}

    assert verdict(diff(before, after)) + verdict(diff(after, before)) == (ours or published)


def test_the_second_table_explains_where_it_differs() -> None:
    assert all(bool(ours) == bool(why) and ours != published for *_, published, ours, why in MESSAGES)
    assert len({name for name, *_ in MESSAGES}) == len(MESSAGES)


def test_one_new_property_of_a_recursive_schema_is_one_line() -> None:
    def tree(**more: Any) -> dict[str, Any]:
        node = {"$ref": "#/components/schemas/Tree"}
        properties = {"left": node, "right": node, "all": {"type": "array", "items": node}, **more}
        return api(
            media("application/json", response=True, schema=node),
            components={"schemas": {"Tree": {"type": "object", "properties": properties}}},
        )

    (change,) = diff(tree(), tree(size={"type": "integer"}))

    assert str(change) == "ok       GET /things: response 200 application/json/size: added (optional)"


def test_what_holds_for_the_whole_document_is_one_line() -> None:
    paths = {f"/{name}": {"get": operation()} for name in "abcdefgh"}
    old = {"openapi": "3.1.0", "paths": paths, "security": [{"key": []}], "servers": [{"url": "/v1"}]}
    new = {**old, "security": [{"token": []}], "servers": [{"url": "/v2"}]}

    assert [(c.path, c.where, c.kind, c.breaking) for c in diff(old, new)] == [
        ("*", "security", "added", False),
        ("*", "security", "removed", True),
        ("*", "servers", "server path", True),
    ]


def test_schemas_that_multiply_end_soon() -> None:
    """Each refers to the next under allOf, oneOf and properties: more than 3 to the power of 60 in all."""

    def wide(kind: str) -> dict[str, Any]:
        schemas: dict[str, Any] = {"S60": {"type": kind}}
        for n in range(60):
            following = {"$ref": f"#/components/schemas/S{n + 1}"}
            schemas[f"S{n}"] = {
                "oneOf": [following, {"type": "array", "items": following}],
                "allOf": [
                    following,
                    following,
                    {"properties": {"a": following, "b": {"allOf": [following, following]}}},
                ],
            }
        first = media("application/json", response=True, schema={"$ref": "#/components/schemas/S0"})
        return api(first, components={"schemas": schemas})

    assert diff(wide("string"), wide("string")) == []
    diff(wide("string"), wide("integer"))
