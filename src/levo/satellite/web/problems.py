"""Errors as ``application/problem+json`` (RFC 9457), for REST and pages alike."""

from __future__ import annotations

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from levo.satellite.web.json_body import JsonResponse
from levo.satellite.web.render import Renderer

_HEADINGS = {
    400: "This address asks for something that cannot be",
    403: "This is not for you to do",
    404: "Nothing is here",
    405: "This cannot be done here",
}
"""Of pages, for people; others are called as the standard calls them."""


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
        heading = _HEADINGS.get(error.status_code, HTTPStatus(error.status_code).phrase)
        detail = error.detail
        if detail == HTTPStatus.NOT_FOUND.phrase:
            detail = "the address may be mistyped, or what it named is gone"
        return renderer.page(request, "problem.html", error.status_code, heading=heading, detail=detail)

    return handle


async def on_unexpected(_request: Request, _error: Exception) -> Response:
    """Render a fault of ours; the trace-back goes to the log, not to the client."""
    return problem(500, "the Satellite failed to answer; its log says why")
