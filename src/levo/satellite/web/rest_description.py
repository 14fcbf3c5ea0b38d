"""``/api``: the OpenAPI description of REST itself."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from levo import __version__
from levo.satellite.store.reader import REVIEWS, SORTS, STATUS_CLASSES
from levo.satellite.web import parameters
from levo.satellite.web.json_body import etagged

_TEXT = {"type": "string", "maxLength": parameters.MAX_CHARACTERS}
_PLACE = ("organization", "environment", "application")


def description_route() -> Route:
    """Return the route ``/api``."""

    def describe(request: Request) -> Response:
        parameters.only(request.query_params)
        return etagged(request, rest_description())

    return Route("/api", describe)


def rest_description() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document."""
    paging = [
        _query("limit", {"type": "integer", "minimum": 1, "maximum": parameters.MAX_LIMIT, "default": 100}),
        _query("offset", {"type": "integer", "minimum": 0, "maximum": parameters.MAX_OFFSET, "default": 0}),
    ]
    table = [_query("format", {"enum": ["json", "csv"], "default": "json"}), *paging]
    place = [_query(name, _TEXT) for name in _PLACE]
    endpoint_query = [
        *(_query(name, _TEXT) for name in parameters.FILTERS if name != "status"),
        _query("status", {"enum": list(STATUS_CLASSES)}),
        _query("q", _TEXT),
        _query("new", {"enum": list(parameters.NEW)}),
        _query("review", {"enum": list(REVIEWS)}),
        _query("sort", {"enum": list(SORTS), "default": "path"}),
    ]
    number = {"type": "integer", "minimum": 1, "maximum": 999_999_999}
    identity = {"name": "id", "in": "path", "required": True, "schema": number}
    endpoint_of = _query("endpoint", {"type": "integer", "minimum": 0, "maximum": 999_999_999})
    paths: dict[str, Any] = {
        "/api": {"get": _get("This description.")},
        "/api/summary": {"get": _get("The catalog in numbers.")},
        "/api/endpoints": {"get": _get("Endpoints.", [*endpoint_query, *table], csv=True)},
        "/api/endpoints/{id}": {"get": _get("One endpoint.", [identity], missing=True)},
        "/api/applications": {"get": _get("Applications.", table, csv=True)},
        "/api/sensors": {"get": _get("Sensors with what they last reported.", table, csv=True)},
        "/api/findings": {
            "get": _get(
                "Sensitive data by field.",
                [_query("kind", _TEXT), _query("application", _TEXT), *table],
                csv=True,
            )
        },
        "/api/changes": {
            "get": _get(
                "What was new about endpoints.", [_query("kind", _TEXT), endpoint_of, *table], csv=True
            )
        },
        "/api/events": {"get": _get("What was new, as learned.", [endpoint_of, *paging])},
        "/api/sensitive": {"get": _get("Sensitive data of one application.", place, missing=True)},
        "/api/openapi": {
            "get": _get(
                "The learned OpenAPI document of one application.",
                [*place, _query("version", {"enum": ["3.1", "3.0"]}), _query("plain", {"enum": ["1"]})],
                missing=True,
            )
        },
        "/api/comparison": {"get": _get("Traffic beside the uploaded description.", place, missing=True)},
        "/api/description": {
            "put": {
                "summary": "Upload the description of an application (role editor).",
                "parameters": place,
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"type": "object"}}},
                },
                "responses": {
                    "204": {"description": "Kept."},
                    **_problems("400", "401", "403", "404", "413"),
                },
            }
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "levo Satellite", "version": __version__},
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "levo_session"},
            }
        },
        "security": [{}, {"token": []}, {"session": []}],
    }


def _query(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    kind = {} if "type" in schema else {"type": "string"}
    return {"name": name, "in": "query", "schema": {**kind, **schema}}


def _get(
    summary: str, query: list[dict[str, Any]] | None = None, *, csv: bool = False, missing: bool = False
) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": {"type": "object"}}}
    if csv:
        content["text/csv"] = {"schema": {"type": "string"}}
    codes = ("400", "401", "404") if missing else ("400", "401")
    return {
        "summary": summary,
        "parameters": query or [],
        "responses": {
            "200": {"description": "Found.", "content": content},
            "304": {"description": "As the If-None-Match said."},
            **_problems(*codes),
        },
    }


def _problems(*codes: str) -> dict[str, Any]:
    content = {
        "application/problem+json": {
            "schema": {"type": "object", "required": ["type", "title", "status", "detail"]}
        }
    }
    return {code: {"description": "See the detail.", "content": content} for code in codes}
