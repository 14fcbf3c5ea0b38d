"""Learned operations beside described ones."""

from __future__ import annotations

from typing import Any

import pytest

from levo.satellite.openapi import compare
from tests.satellite.openapi.learned import operations, trace

HOST = "shop.example"


def called(*paths: str, host: str = HOST) -> Any:
    return operations([trace("GET", path, 200, host=host) for path in paths for _ in range(5)])


def described(*paths: str, server: str = "") -> dict[str, Any]:
    servers = {"servers": [{"url": server}]} if server else {}
    document: dict[str, Any] = {"openapi": "3.0.3", "paths": {}, **servers}
    for path in paths:
        document["paths"][path] = {"get": {"responses": {}}}
    return document


@pytest.mark.parametrize("server", ["https://shop.example/v1", "/v1", "https://shop.example"])
def test_paths_are_below_a_server_or_not(server: str) -> None:
    base = "/v1" if server.endswith("v1") else ""
    found = compare(described("/users", "/orders", server=server), called(f"{base}/users", f"{base}/orders"))

    assert (found.shadow, found.unused, found.drift) == ((), (), ())


def test_another_server_path_is_named_once() -> None:
    found = compare(
        described("/users", "/orders", "/tags", server="https://shop.example/v1"),
        called("/v2/users", "/v2/orders", "/v2/tags"),
    )

    assert (found.shadow, found.unused) == ((), ())
    assert [(each.kind, each.detail, each.observations) for each in found.drift] == [
        ("server path", "called under /v2 (shop.example), described under /v1", 15)
    ]


def test_another_host_is_named_once() -> None:
    found = compare(
        described("/users", "/orders", server="https://shop.example"),
        called("/users", "/orders", host="old.example"),
    )

    assert [(each.where, each.detail, each.breaking) for each in found.drift] == [
        ("servers", "called at old.example", False)
    ]


def test_one_operation_elsewhere_is_no_other_server() -> None:
    found = compare(described("/users", "/orders"), called("/users", "/orders", "/internal/health"))

    assert found.shadow == (("GET", "/internal/health"),) and found.drift == ()
