"""A document, read for the comparison."""

from __future__ import annotations

from typing import Any

import pytest

from levo.satellite.openapi.comparison.description import Description, base_paths, served_paths

RESPONSES: dict[str, Any] = {"200": {"description": ""}}


def test_an_operation_has_everything_that_holds_for_it() -> None:
    description = Description(
        {
            "openapi": "3.1.0",
            "servers": [
                {"url": "https://{region}.example/{base}/", "variables": {"base": {"default": "v1"}}}
            ],
            "security": [{"key": ["read"]}],
            "paths": {"/a/{id}/": {"$ref": "#/components/pathItems/A"}},
            "components": {
                "pathItems": {
                    "A": {
                        "parameters": [
                            {"name": "id", "in": "path"},
                            {"name": "X-A", "in": "header"},
                            {"name": "Accept", "in": "header"},
                        ],
                        "get": {
                            "parameters": [{"name": "x-a", "in": "header", "required": True}],
                            "responses": RESPONSES,
                        },
                    }
                }
            },
        }
    )
    ((key, described),) = description.operations.items()

    assert key == ("get", "/a/{}")
    assert described.servers == ("/v1",) and described.security == ({"key": frozenset({"read"})},)
    assert set(described.parameters) == {("path", "0"), ("header", "x-a")}
    assert described.parameters["header", "x-a"]["required"]


@pytest.mark.parametrize(
    ("servers", "paths"),
    [
        (None, ("",)),
        ([{"url": "/"}], ("",)),
        ([{"url": "https://a.example"}, {"url": "https://b.example/v2/"}], ("", "/v2")),
        ([{"url": "v1"}, 5, {"url": 7}], ("/v1",)),
    ],
)
def test_the_paths_of_servers(servers: Any, paths: tuple[str, ...]) -> None:
    assert base_paths(servers) == paths


@pytest.mark.parametrize(
    "paths", [None, [], {"/a": None}, {"/a": {"get": []}}, {"/a": {"$ref": "#/paths/~1a"}}]
)
def test_what_is_not_as_openapi_says_is_passed_over(paths: Any) -> None:
    assert Description({"openapi": "3.0.0", "paths": paths}).operations == {}


def test_paths_are_served_below_those_of_their_servers() -> None:
    items = {
        "/users/{id}": {"get": {}},
        "/{tenant}/users": {"get": {}},
        "/old": {"get": {"servers": [{"url": "https://a.example/v0"}]}},
        "/unused": {},
        "x-own": {},
    }
    servers = [{"url": "https://a.example/v1/"}, {"url": "/v2"}]

    assert served_paths({"servers": servers, "paths": items}) == [
        "/v1/users/{id}", "/v2/users/{id}", "/users/{id}", "/v1/{tenant}/users", "/v2/{tenant}/users",
        "/v0/old", "/old", "/v1/unused", "/v2/unused", "/unused",
    ]  # fmt: skip


def test_variables_that_a_segment_carries_are_no_part_of_the_called_path() -> None:
    document = {
        "components": {"parameters": {"color": {"name": "color", "in": "path", "style": "matrix"}}},
        "paths": {
            "/cars{color}/{id}.{kind}": {
                "parameters": [{"$ref": "#/components/parameters/color"}],
                "get": {"parameters": [{"name": "kind", "in": "path"}, {"name": "id", "in": "path"}]},
            }
        },
    }
    ((key, described),) = Description(document).operations.items()

    assert key == ("get", "/cars/{}.{}") and described.called == "/cars/{id}.{kind}"
    assert described.parameters.keys() == {("path", "color"), ("path", "0"), ("path", "1")}
    assert served_paths(document) == ["/cars/{id}.{kind}"]
