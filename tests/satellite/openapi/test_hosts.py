"""Hosts that serve one API, and hosts that do not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openapi_spec_validator import validate

from levo.satellite.openapi import render_document
from levo.satellite.openapi.hosts import host_groups, third_parties
from tests.satellite.openapi.learned import operations, trace

USER = {"id": 1, "name": "n", "mail": "m"}


def calls(host: str, *answers: tuple[str, Any]) -> list[Any]:
    return [trace("GET", path, 200, received=body, host=host) for path, body in answers for _ in range(3)]


def groups(*traces: list[Any]) -> list[list[str]]:
    found = host_groups(operations([each for some in traces for each in some]))
    return [sorted({operation.host for operation in group}) for group in found]


def test_hosts_that_answer_alike_are_one() -> None:
    api = calls("a.example", ("/users", [USER]), ("/teams", [{"id": 1}]))
    alias = calls("10.0.0.1:8080", ("/users", [{**USER, "extra": 1}]))

    assert groups(api, alias) == [["10.0.0.1:8080", "a.example"]]


def test_hosts_that_answer_with_something_else_are_not() -> None:
    users, bills = (
        calls("a.example", ("/users", [USER])),
        calls("b.example", ("/users", [{"plan": 1, "due": 2}])),
    )

    assert groups(users, bills) == [["a.example"], ["b.example"]]


def test_hosts_with_little_in_common_are_not_one() -> None:
    health = ("/health", {"ok": True})
    users = calls("a.example", health, ("/users", [USER]), ("/teams", []), ("/roles", []))
    bills = calls("b.example", health, ("/bills", []), ("/taxes", []))

    assert groups(users, bills) == [["a.example"], ["b.example"]]


@pytest.mark.parametrize("version", ["3.0", "3.1"])
def test_a_document_never_mixes_apis(version: str) -> None:
    users = calls("a.example", ("/users", [USER]), ("/teams", []))
    bills = calls("b.example", ("/users", [{"plan": 1, "due": 2}]), ("/bills", []))
    document = render_document("t", operations(users + bills), version=version)
    validate(json.loads(json.dumps(document)))

    assert document["servers"] == [{"url": "http://a.example"}]
    assert document["paths"]["/bills"]["servers"] == [{"url": "http://b.example"}]
    assert "servers" not in document["paths"]["/users"] and "due" not in json.dumps(document)
    assert document["x-levo-other-hosts"] == [{"servers": ["http://b.example"], "left-out": ["GET /users"]}]


@pytest.mark.parametrize(
    ("own", "others"),
    [
        (("api.shop.example", "shop.example", "localhost:3000"), ("stats.example", "cdn.other.example")),
        (("api.shop.co.uk", "img.shop.co.uk"), ("api.other.co.uk",)),
        (("api.shop.example:8443", "10.0.0.7", "[::1]:80", "backend"), ("t.co",)),
        (("localhost",), ()),
    ],
)
def test_third_parties_are_told_by_their_registered_name(
    own: tuple[str, ...], others: tuple[str, ...]
) -> None:
    requests = {host: 5 for host in own} | {host: 50 for host in others}

    assert third_parties(requests, {own[0]: 3, "localhost": 9}) == set(others)
