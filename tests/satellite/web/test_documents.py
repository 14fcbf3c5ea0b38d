"""Documents over REST."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from openapi_spec_validator import validate
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from levo.satellite.web import read_apart
from levo.satellite.web.catalogs import Catalogs
from levo.satellite.web.documents import document_routes
from levo.satellite.web.problems import on_http_exception
from tests.satellite.asgi import call
from tests.satellite.openapi.learned import shop, trace
from tests.satellite.store.catalogs import catalog


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Starlette]:
    reader = catalog(tmp_path / "catalog", shop())
    yield Starlette(
        routes=document_routes(Catalogs(reader)),
        exception_handlers={HTTPException: on_http_exception},
    )
    reader.close()


@pytest.mark.parametrize("version", ["3.0", "3.1"])
def test_the_document_of_an_application(app: Starlette, version: str) -> None:
    document = call(app, "GET", f"/api/openapi?application=shop&version={version}").json()
    validate(document)

    assert list(document["paths"]) == ["/events", "/users", "/users/{userId}"]
    assert call(app, "GET", "/api/openapi?version=2.0").status == 400
    assert call(app, "GET", "/api/openapi?application=other").status == 404


def test_an_uploaded_description_is_compared(app: Starlette) -> None:
    assert call(app, "GET", "/api/comparison").status == 404
    description = {"openapi": "3.1.0", "paths": {"/events": {"get": {"responses": {}}}}}

    assert call(app, "PUT", "/api/description", b"[").status == 400
    assert call(app, "PUT", "/api/description", json.dumps(description).encode()).status == 204
    found = call(app, "GET", "/api/comparison").json()
    assert found["shadow"] == [
        {"method": "GET", "path": "/users/{userId}"},
        {"method": "POST", "path": "/users"},
    ]
    assert found["unused"] == []
    assert found["answers"] == {"contradicted": 0, "unseen": 0, "agrees": 1} and found["unseen"] == []


@pytest.mark.parametrize(
    "octets", [b"[", b"\xff", b'{"openapi": "2.0"}', b"openapi: 3.1.0\na: &a [x]\nb: *a\n"]
)
def test_what_is_no_description_is_refused(app: Starlette, octets: bytes) -> None:
    answer = call(app, "PUT", "/api/description", octets)

    assert answer.status == 400 and "the description cannot be used: " in answer.json()["detail"]
    assert call(app, "GET", "/api/comparison").status == 404


def test_a_description_may_be_yaml(app: Starlette) -> None:
    text = b"openapi: 3.1.0\npaths: {/events: {get: {responses: {}}}}\n"

    assert call(app, "PUT", "/api/description", text).status == 204
    assert call(app, "GET", "/api/comparison").json()["unused"] == []


def test_a_description_is_read_by_another_process(app: Starlette, monkeypatch: pytest.MonkeyPatch) -> None:
    with read_apart._READING:
        busy = call(app, "PUT", "/api/description", b'{"openapi": "3.1.0"}')
    monkeypatch.setattr(sys, "executable", "/bin/false")
    refused = call(app, "PUT", "/api/description", b'{"openapi": "3.1.0"}')

    assert (busy.status, busy.headers["retry-after"]) == (503, "5")
    assert refused.status == 400 and "too much time or memory" in refused.json()["detail"]


def test_texts_of_an_uploaded_description_are_kept(app: Starlette) -> None:
    operation = {"summary": "What happened", "operationId": "history", "responses": {}}
    description = {"swagger": "2.0", "info": {"title": "Our shop"}, "paths": {"/events": {"get": operation}}}
    assert call(app, "PUT", "/api/description", json.dumps(description).encode()).status == 204
    document = call(app, "GET", "/api/openapi").json()
    validate(document)
    found = document["paths"]["/events"]["get"]

    assert (found["summary"], found["operationId"]) == ("What happened", "history")
    assert document["info"]["title"] == "Our shop" and found["responses"].keys() == {"200"}


def test_each_statement_is_answered_with_what_was_seen(app: Starlette) -> None:
    content = {"application/json": {"schema": {"type": "array", "minItems": 1, "items": {"type": "string"}}}}
    responses = {"200": {"description": "", "content": content}, "404": {"description": ""}}
    description = {"openapi": "3.1.0", "paths": {"/events": {"get": {"responses": responses}}}}
    assert call(app, "PUT", "/api/description", json.dumps(description).encode()).status == 204
    found = call(app, "GET", "/api/comparison").json()

    assert [(each["where"], each["kind"], each["answer"], each["breaking"]) for each in found["drift"]] == [
        ("response 200 application/json/*", "type", "contradicted", True)
    ]
    assert found["drift"][0]["observations"] > 0 and found["drift"][0]["pointer"] == "/*"
    assert [(each["where"], each["observations"]) for each in found["unseen"]] == [("response 404", 0)]
    assert found["answers"]["agrees"] == 5


def test_events(app: Starlette) -> None:
    assert call(app, "GET", "/api/events").json()["total"] == 3


def test_the_document_of_one_host(tmp_path: Path) -> None:
    seen = [*shop(), *(trace("GET", "/rates", 200, host="rates.shop.example") for _ in range(3))]
    reader = catalog(tmp_path / "catalog", seen)
    hosts = Starlette(
        routes=document_routes(Catalogs(reader)), exception_handlers={HTTPException: on_http_exception}
    )

    document = call(hosts, "GET", "/api/openapi?application=shop&host=rates.shop.example").json()
    assert list(document["paths"]) == ["/rates"] and "x-levo-other-hosts" not in document
    refused = call(hosts, "GET", "/api/openapi?application=shop&host=elsewhere.example")
    assert refused.status == 404 and "rates.shop.example, shop.example" in refused.body.decode()
    reader.close()
