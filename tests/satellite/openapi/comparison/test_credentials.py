"""Credentials of requests that succeeded beside described security."""

from __future__ import annotations

from typing import Any

import pytest

from levo.satellite.learn.schema import Knowledge, Response
from levo.satellite.openapi.comparison.credentials import unauthorized
from levo.satellite.openapi.comparison.description import Description

SCHEMES = {
    "basic": {"type": "http", "scheme": "basic"},
    "token": {"type": "http", "scheme": "Bearer"},
    "oauth": {"type": "oauth2"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "odd": {"type": "apiKey", "in": "header", "name": "Project"},
    "header": {"type": "apiKey", "in": "header", "name": "Authorization"},
    "asked": {"type": "apiKey", "in": "query", "name": "api_key"},
    "session": {"type": "apiKey", "in": "cookie", "name": "sid"},
    "certificate": {"type": "mutualTLS"},
}


def wrong(security: Any, auth: dict[str, int], **known: Any) -> list[str]:
    description = Description(
        {
            "openapi": "3.1.0",
            "paths": {"/p": {"get": {"security": security, "responses": {}}}},
            "components": {"securitySchemes": SCHEMES},
        }
    )
    (described,) = description.operations.values()
    return unauthorized(described, description, Knowledge(accepted=9, auth=auth, **known))


@pytest.mark.parametrize(
    ("scheme", "right", "other"),
    [
        ("basic", "basic", "bearer"),
        ("token", "bearer:jwt:RS256:okta", "basic"),
        ("oauth", "bearer", "cookie:sid"),
        ("key", "header:x-api-key", "bearer"),
        ("header", "header:authorization", "none"),
        ("asked", "query:api_key", "header:x-api-key"),
        ("session", "bearer+cookie:sid", "bearer"),
    ],
)
def test_each_scheme_is_told_from_others(scheme: str, right: str, other: str) -> None:
    shown = "anonymous requests" if other == "none" else other

    assert wrong([{scheme: []}], {right: 9}) == []
    assert wrong([{scheme: []}], {right: 8, other: 1}) == [shown]


def test_any_alternative_suffices_and_all_of_one_are_needed() -> None:
    assert wrong([{"key": []}, {"basic": []}], {"basic": 1, "header:x-api-key": 1}) == []
    assert wrong([{"key": [], "basic": []}], {"basic": 1}) == ["basic"]


def test_what_traffic_cannot_tell_is_not_contradicted() -> None:
    assert wrong([{"certificate": []}], {"none": 9}) == []
    assert wrong([{"token": []}], {"none": 9}, responses={"302": Response(seen=9)}) == []
    assert wrong([{"odd": []}], {"none": 9}) == ["anonymous requests"]
