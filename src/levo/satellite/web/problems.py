"""Errors as ``application/problem+json`` (RFC 9457), for REST and pages alike."""

from __future__ import annotations

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from levo.satellite.web.json_body import JsonResponse
from levo.satellite.web.render import Renderer


class BadParameter(HTTPException):
    """A query parameter that cannot be used."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(400, f"{name}: {text}")


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """Return a problem document; *detail* is for people and never holds captured content."""
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return JsonResponse(body, status, headers, media_type="application/problem+json")


async def on_http_exception(_request: Request, error: Exception) -> Response:
    """Render what Starlette or a route raised."""
    assert isinstance(error, HTTPException)
    return problem(error.status_code, error.detail, dict(error.headers or {}))


def on_site_exception(renderer: Renderer) -> ExceptionHandler:
    """Return a handler that shows people a page, and gives everybody else a problem document."""

    async def handle(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        path = request.url.path
        if "text/html" not in request.headers.get("accept", "") or path.startswith(("/api", "/v1/")):
            return await on_http_exception(request, error)
        heading = HTTPStatus(error.status_code).phrase
        return renderer.page(request, "problem.html", error.status_code, heading=heading, detail=error.detail)

    return handle


async def on_unexpected(_request: Request, _error: Exception) -> Response:
    """Render a fault of ours; the trace-back goes to the log, not to the client."""
    return problem(500, "the Satellite failed to answer; its log says why")
