"""Traffic against a description that is known beforehand."""

from __future__ import annotations

from typing import Any

import pytest

from levo.satellite.openapi import Answer, check
from levo.satellite.openapi.comparison import Description
from levo.satellite.openapi.comparison.checking import Routes
from tests.satellite.openapi.learned import trace

TEXT = {"type": "string"}


def described(*paths: str, server: str = "", **more: Any) -> dict[str, Any]:
    operation = {"responses": {"200": {"description": ""}, "404": {"description": ""}}, **more}
    return {
        "openapi": "3.1.0",
        "servers": [{"url": server}] if server else [],
        "paths": {path: {"get": operation} for path in paths},
    }


PATHS = ("/users", "/users/{id}", "/users/me", "/users/{id}/avatar.{kind}", "/{tenant}/users", "/a b/{x}")
ROUTES = [
    ("/users", "/users"),
    ("/users/", "/users"),
    ("/users/17", "/users/{id}"),
    ("/users/me", "/users/me"),
    ("/users/m%65", "/users/me"),
    ("/users/me/avatar.png", "/users/{id}/avatar.{kind}"),
    ("/users/7/avatar", None),
    ("/acme/users", "/{tenant}/users"),
    ("/a%20b/%2F", "/a b/{x}"),
    ("/v1/users/17", "/v1/users/{id}"),
    ("/api/v2/users/me", "/api/v2/users/me"),
    ("/orders/17", None),
    ("/84127/orders/users", None),
    ("", None),
]


@pytest.mark.parametrize(("path", "expected"), ROUTES)
def test_a_request_goes_to_the_described_path(path: str, expected: str | None) -> None:
    assert Routes(Description(described(*PATHS))).find("GET", path) == expected


def test_a_server_path_stands_before_it() -> None:
    routes = Routes(Description(described("/users/{id}", server="https://shop.example/v1")))

    assert routes.find("GET", "/v1/users/7") == "/v1/users/{id}"
    assert routes.find("GET", "/users/7") == "/users/{id}"
    assert routes.find("POST", "/v1/users/7") is None


def test_names_that_a_catalog_could_not_tell_apart_are_values() -> None:
    """Twenty thousand names of which each is a word: a catalog folds them, and the words below them."""
    names = [f"{a}{b}{c}{d}" for a in "abcdefghij" for b in "aeiou" for c in "klmnopqrst" for d in "aeiou"]
    paths = [f"/{name}/{end}" for name in names for end in ("likes", "posts", "links", "files")]
    description = described(*(f"/{{name}}/{end}" for end in ("likes", "posts", "links", "files")))
    found = check(description, [trace("GET", path, 200) for path in paths])

    assert (found.shadow, found.ambiguous, found.drift) == ((), (), ())
    called = [each.observations for each in found.statements if each.kind == "operation"]
    assert called == [len(names)] * 4


def test_answers_such_as_404_belong_to_what_is_described() -> None:
    found = check(described("/users/{id}"), [trace("GET", "/users/alice", 404)])

    (answer,) = [each for each in found.statements if each.where == "response 404"]
    assert (answer.kind, answer.answer, answer.observations) == ("status", Answer.AGREES, 1)


def test_path_parameters_that_are_words_are_judged() -> None:
    kind = {"name": "kind", "in": "path", "required": True, "schema": {"type": "integer"}}
    description = described("/parts/{kind}", parameters=[kind])
    found = check(description, [trace("GET", f"/parts/{word}", 200) for word in ("bolt", "nut")])

    assert [(each.where, each.kind) for each in found.drift] == [("path kind", "type")]


def test_what_no_path_describes_is_learned() -> None:
    found = check(described("/users"), [trace("GET", f"/orders/{n}", 200) for n in range(10)])

    assert found.shadow == (("GET", "/orders/{orderId}"),)
    assert found.unused == (("GET", "/users"),)
