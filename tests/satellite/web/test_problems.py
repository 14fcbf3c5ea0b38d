from __future__ import annotations

import asyncio
import json

from starlette.exceptions import HTTPException
from starlette.requests import Request

from levo.satellite.web.problems import on_http_exception, on_unexpected, problem

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
