"""Names from the nouns of paths."""

from __future__ import annotations

import pytest

from levo.satellite.openapi.naming import Place, schema_names, titles

API = [
    ("GET", "/v1/users", True, "listUsers", "List users", "users", "User"),
    ("POST", "/v1/users", False, "createUser", "Create a user", "users", "User"),
    ("GET", "/v1/users/{userId}", False, "getUser", "Get a user", "users", "User"),
    ("PUT", "/v1/users/{userId}", False, "replaceUser", "Replace a user", "users", "User"),
    ("PATCH", "/v1/users/{userId}", False, "updateUser", "Update a user", "users", "User"),
    ("DELETE", "/v1/users/{userId}", False, "deleteUser", "Delete a user", "users", "User"),
    ("GET", "/v1/users/me", False, "getUsersMe", "Get users me", "users", "UsersMe"),
    ("GET", "/v1/users/{userId}/orders", True, "listUserOrders", "List orders of a user", "users", "Order"),
    ("POST", "/v1/orders/{id}/cancel", False, "orderCancel", "Cancel of an order", "orders", "Order"),
    ("PUT", "/v1/orders/{id}/note", False, "updateOrderNote", "Update note of an order", "orders", "Note"),
    ("GET", "/v1/admin/api-keys", True, "listAdminApiKeys", "List admin api keys", "admin", "AdminApiKey"),
    ("GET", "/v1/categories/{id}", False, "getCategory", "Get a category", "categories", "Category"),
    ("POST", "/login", False, "login", "Login", "login", "Login"),
    ("GET", "/health", False, "getHealth", "Get health", "health", "Health"),
    ("GET", "/", False, "getRoot", "GET /", "", ""),
    ("GET", "/{tenant}", False, "getRoot", "GET /{tenant}", "", ""),
    ("POST", "/rpc#user.find", False, "userFind", "user.find", "rpc", "UserFind"),
    ("POST", "/graphql#query.GetUser", False, "getUser", "GraphQL query GetUser", "graphql", ""),
]


def named(*rows: tuple[str, str, bool]) -> dict[tuple[str, str], tuple[str, str, str, str]]:
    return {
        key: (title.operation_id, title.summary, title.tag, title.noun)
        for key, title in titles([Place(*row) for row in rows]).items()
    }


@pytest.mark.parametrize("row", API, ids=[f"{row[0]} {row[1]}" for row in API])
def test_an_operation_is_called_as_a_person_would(row: tuple[str, str, bool, str, str, str, str]) -> None:
    paths = [each[:3] for each in API if each[1].startswith("/v1")] if row[1].startswith("/v1") else [row[:3]]

    assert named(*paths)[row[0], row[1]] == row[3:]


def test_ids_that_would_come_twice_say_the_whole_path() -> None:
    found = named(("GET", "/v1/users", True), ("GET", "/v2/users", True), ("GET", "/v2/user-s", True))

    assert [title[0] for title in found.values()] == ["getV1Users", "getV2Users", "listUserS"]


def test_ids_do_not_depend_on_the_order() -> None:
    rows = [each[:3] for each in API]

    assert dict(sorted(named(*rows).items())) == dict(sorted(named(*reversed(rows)).items()))
    assert len({title[0] for title in named(*rows).values()}) == len(rows)


def test_schemas_get_the_first_name_that_is_free() -> None:
    assert schema_names(
        {7: ["User"], 2: ["User", "UserItem"], 5: ["User", "UserItem"], 9: ["", "Order"]}
    ) == {
        7: "User",
        2: "UserItem",
        5: "User2",
        9: "Order",
    }
