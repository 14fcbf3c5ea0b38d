from __future__ import annotations

import asyncio
import json

from starlette.exceptions import HTTPException
from starlette.requests import Request

from levo.satellite.web.problems import on_http_exception, on_site_exception, on_unexpected, problem
from levo.satellite.web.render import Renderer

REQUEST = Request({"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""})


def test_a_problem_document() -> None:
    response = problem(503, "too busy", {"retry-after": "3"})

    assert response.headers["retry-after"] == "3"
    assert response.media_type == "application/problem+json"
    assert json.loads(bytes(response.body)) == {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "too busy",
    }


def test_exceptions_become_problems_and_faults_say_nothing() -> None:
    raised = asyncio.run(on_http_exception(REQUEST, HTTPException(405, "no", {"allow": "GET"})))
    fault = asyncio.run(on_unexpected(REQUEST, RuntimeError("canary")))

    assert (raised.status_code, raised.headers["allow"]) == (405, "GET")
    assert fault.status_code == 500 and b"canary" not in fault.body


def test_people_get_a_page_in_their_words() -> None:
    scope = {**REQUEST.scope, "path": "/nowhere", "headers": [(b"accept", b"text/html")]}
    handle = on_site_exception(Renderer("http://localhost"))
    response = asyncio.run(handle(Request(scope), HTTPException(404)))  # type: ignore[arg-type]
    page = bytes(response.body).decode()

    assert (response.status_code, response.media_type) == (404, "text/html")
    assert "Nothing is here" in page and "The address may be mistyped" in page and "Not Found" not in page
