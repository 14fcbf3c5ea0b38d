"""Described beside called."""

from __future__ import annotations

from levo.satellite.learn import Trace
from levo.satellite.openapi import compare
from tests.satellite.openapi.learned import operations, shop, trace

OK = {
    "responses": {"200": {"description": "", "content": {"application/json": {"schema": {"type": "object"}}}}}
}


def test_shadow_unused_deprecated_and_drift() -> None:
    user = {"type": "object", "properties": {"id": {"type": "string"}}}
    description = {
        "openapi": "3.0.3",
        "paths": {
            "/users/{id}": {
                "get": {"responses": {"200": {"content": {"application/json": {"schema": user}}}}}
            },
            "/events": {"get": {**OK, "deprecated": True}},
            "/reports": {"get": OK},
        },
    }
    found = compare(description, operations(shop()))

    assert found.shadow == (("POST", "/users"),)
    assert found.unused == (("GET", "/reports"),)
    assert found.deprecated_but_called == (("GET", "/events"),)
    drift = {(c.path, c.where.rpartition("/")[2], c.kind) for c in found.drift}
    assert ("/users/{id}", "email", "added") in drift and ("/users/{id}", "id", "type") in drift


def test_graphql_operations_are_calls_of_the_described_path() -> None:
    def asked(name: str) -> list[Trace]:
        query = {"query": f"query {name} {{ me {{ id }} }}", "operationName": name}
        return [trace("POST", "/graphql", 200, query, {"data": {"me": {"id": 1}}}) for _ in range(5)]

    called = operations(asked("GetMe") + asked("GetFeed"))
    assert {each.path for each in called} == {"/graphql#query.GetMe", "/graphql#query.GetFeed"}

    found = compare({"openapi": "3.0.3", "paths": {"/graphql": {"post": OK}}}, called)

    assert (found.shadow, found.unused) == ((), ())
