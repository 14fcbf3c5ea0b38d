"""Postman collections."""

from __future__ import annotations

import json
from typing import Any

import pytest

from levo.satellite.learn import Trace
from levo.satellite.learn.har import HarReport, Partly, Skipped, read_har
from levo.satellite.learn.recordings import is_postman, postman_entries
from levo.satellite.learn.trace import Origin

SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
JSON = [{"key": "Content-Type", "value": "application/json"}]


def read(*items: Any, **collection: Any) -> tuple[list[Trace], HarReport]:
    document = {"info": {"name": "Shop", "schema": SCHEMA}, "item": [*items], **collection}
    report = HarReport()
    assert is_postman(document)
    entries = list(postman_entries(document))
    return list(read_har({"log": {"entries": entries}}, Origin("o", "e", "a", ""), report, 10**18)), report


def item(url: Any, body: Any = None, *, saved: bool = True, **request: Any) -> dict[str, Any]:
    asked = {"method": "POST" if body else "GET", "url": url, "header": JSON, **request}
    if body:
        asked["body"] = body
    response = {"originalRequest": asked, "code": 200, "status": "OK", "header": JSON, "body": '{"id": 7}'}
    return {"name": "a", "request": asked, "response": [response] if saved else []}


def test_saved_responses_in_folders() -> None:
    inner = {"name": "folder", "item": [item("https://shop.example/users/7?deep=1")]}
    (trace,), report = read({"name": "folder", "item": [inner]})

    assert (trace.host, trace.path, trace.query, trace.status) == ("shop.example", "/users/7", "deep=1", 200)
    assert (
        trace.response_body == b'{"id": 7}' and ("content-type", "application/json") in trace.response_headers
    )
    assert report.used == 1


def test_variables_and_parts_of_urls() -> None:
    url = {
        "raw": "{{base}}/users/:id/orders?page={{page}}",
        "variable": [{"key": "id", "value": "7"}],
    }
    parts = {
        "protocol": "https",
        "host": ["{{host}}", "example"],
        "path": ["users", ":id"],
        "query": [{"key": "a", "value": "1"}, {"key": "b", "value": "2", "disabled": True}],
        "variable": [{"key": "id", "value": "8"}],
    }
    values = [{"key": "base", "value": "https://{{host}}.example"}, {"key": "host", "value": "shop"}]
    traces, _ = read(item(url), item(parts), variable=[*values, {"key": "page", "value": "2"}])

    assert [(each.host, each.path, each.query) for each in traces] == [
        ("shop.example", "/users/7/orders", "page=2"),
        ("shop.example", "/users/8", "a=1"),
    ]


@pytest.mark.parametrize(
    "url", ["{{base}}/users", "https://shop.example/users/{{id}}", "https://shop.example/:id"]
)
def test_a_variable_without_a_value_is_counted(url: str) -> None:
    traces, report = read(item(url))

    assert (traces, dict(report.skipped)) == ([], {Skipped.VARIABLE: 1})


@pytest.mark.parametrize(
    ("body", "octets", "media"),
    [
        (
            {"mode": "raw", "raw": '{"a": 1}', "options": {"raw": {"language": "json"}}},
            b'{"a": 1}',
            "application/json",
        ),
        (
            {
                "mode": "urlencoded",
                "urlencoded": [{"key": "a", "value": "1"}, {"key": "b", "disabled": True}],
            },
            b"a=1",
            "application/x-www-form-urlencoded",
        ),
        (
            {"mode": "graphql", "graphql": {"query": "{ a }", "variables": '{"x": 1}'}},
            json.dumps({"query": "{ a }", "variables": {"x": 1}}).encode(),
            "application/json",
        ),
        ({"mode": "raw", "raw": "x", "disabled": True}, b"", ""),
    ],
)
def test_bodies(body: dict[str, Any], octets: bytes, media: str) -> None:
    (trace,), _ = read(item("https://shop.example/a", body, header=[]))

    assert trace.request_body == octets
    assert dict(trace.request_headers).get("content-type", "") == media


def test_parts_of_a_form() -> None:
    body = {"mode": "formdata", "formdata": [{"key": "a", "value": "1"}]}
    (trace,), _ = read(item("https://shop.example/a", body, header=[]))

    assert b'name="a"\r\n\r\n1\r\n' in trace.request_body


@pytest.mark.parametrize(
    ("auth", "field", "query"),
    [
        (
            {"type": "bearer", "bearer": [{"key": "token", "value": "secret"}]},
            ("authorization", "Bearer ***"),
            "",
        ),
        ({"type": "basic"}, ("authorization", "Basic ***"), ""),
        ({"type": "apikey", "apikey": [{"key": "key", "value": "X-Key"}]}, ("x-key", "***"), ""),
        (
            {"type": "apikey", "apikey": [{"key": "key", "value": "k"}, {"key": "in", "value": "query"}]},
            None,
            "k=%2A%2A%2A",
        ),
        ({"type": "noauth"}, None, ""),
    ],
)
def test_credentials_are_inherited_and_masked(auth: dict[str, Any], field: Any, query: str) -> None:
    (trace,), _ = read({"name": "folder", "item": [item("https://shop.example/a", header=[])]}, auth=auth)

    assert [each for each in trace.request_headers if each[0] != "content-type"] == ([field] if field else [])
    assert trace.query == query


def test_a_request_without_a_saved_response_is_counted() -> None:
    traces, report = read(item("https://shop.example/a", saved=False))

    assert [each.status for each in traces] == [0]
    assert report.partly == {Partly.NO_RESPONSE: 1, Partly.NO_TIME: 1}


@pytest.mark.parametrize(
    "strange", [5, {}, {"request": 5}, {"request": {}, "response": [5, {}]}, {"item": [[]]}]
)
def test_strange_items_are_counted(strange: Any) -> None:
    traces, report = read(strange)

    assert traces == [] and sum(report.skipped.values()) == 1
