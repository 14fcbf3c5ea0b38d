"""Learned operations beside described ones."""

from __future__ import annotations

from typing import Any

import pytest

from levo.satellite.openapi import Operation, compare
from levo.satellite.openapi.comparison import matching
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


def test_a_path_that_stands_for_several_described_ones_is_not_judged() -> None:
    """As a catalog has it that knows too many paths of one host."""
    document = described("/teams/{id}", "/teams/{id}/likes", "/teams/{id}/posts", "/teams/all", "/health")
    document["paths"]["/health"]["get"]["responses"] = {"204": {"description": ""}}
    learned = [
        Operation("GET", path, HOST, exchanges=5.0) for path in ("/teams/{path+}", "/teams/{id}", "/health")
    ]
    found = compare(document, learned)

    assert found.ambiguous == (("GET", "/teams/{id}"), ("GET", "/teams/{path+}"))
    assert found.shadow == ()
    assert [each.path for each in found.statements if each.kind == "operation"] == ["/health"]


def test_a_path_of_any_length_that_nothing_describes_is_a_shadow() -> None:
    learned = [Operation("GET", path, HOST, exchanges=5.0) for path in ("/files/{path+}", "/teams/{id}")]
    found = compare(described("/teams/{id}", "/teams/all"), learned)

    assert (found.shadow, found.ambiguous) == ((("GET", "/files/{path+}"),), ())


def test_details_are_asked_for_only_where_a_path_of_any_length_was_learned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each operation is matched once where nothing can be ambiguous, however many there are."""
    asked: list[str] = []
    match = matching.Matching._match

    def counted(self: matching.Matching, operation: Operation, prefix: str) -> Any:
        asked.append(operation.path)
        return match(self, operation, prefix)

    monkeypatch.setattr(matching.Matching, "_match", counted)
    paths = [f"/teams/{word}/{{id}}" for word in ("likes", "posts", "files")]
    found = compare(described(*paths), [Operation("GET", path, HOST) for path in paths])

    assert (found.shadow, found.ambiguous) == ((), ())
    assert asked == paths
