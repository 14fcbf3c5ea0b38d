"""``/api``: the OpenAPI description of REST itself."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from levo import __version__
from levo.satellite.catalog.series import RANGES
from levo.satellite.query.parse import MAX_CHARACTERS
from levo.satellite.store.reader import AUTHENTICATIONS, REVIEWS, SORTS, STATUS_CLASSES
from levo.satellite.store.userdata import REASONS, SCOPES, VERDICTS
from levo.satellite.web import parameters
from levo.satellite.web.json_body import etagged
from levo.satellite.web.rest_findings import FORMATS as FINDING_FORMATS
from levo.satellite.web.triage import ENDPOINT_KINDS, VERDICT_KINDS

_TEXT = {"type": "string", "maxLength": parameters.MAX_CHARACTERS}
_FILTER = {"type": "string", "maxLength": MAX_CHARACTERS}
_PLACE = ("organization", "environment", "application")
_DECISION = {
    "type": "object",
    "required": ["kind"],
    "properties": {
        "kind": {"enum": [*ENDPOINT_KINDS, *VERDICT_KINDS]},
        "detail": {
            "type": "string",
            "maxLength": 500,
            "description": "rename, split, merge: a path such as /users/{userId};"
            " confirm, reject: location and kind of sensitive data",
        },
    },
    "additionalProperties": {"type": "string"},
}
_FINDING_DECISION = {
    "type": "object",
    "required": ["verdict"],
    "properties": {
        "verdict": {"enum": list(VERDICTS)},
        "id": {"type": "string", "description": "The finding; either this or a filter."},
        "filter": {**_FILTER, "description": "All findings that pass it; either this or an id."},
        "scope": {"enum": list(SCOPES), "default": "finding"},
        "reason": {"enum": list(REASONS), "description": "Needed unless the verdict is open."},
        "note": {"type": "string", "maxLength": 500},
        "ticket": {"type": "string", "maxLength": 200},
        "expires": {"type": "string", "description": "A day such as 2027-01-31, or a time such as 30d."},
    },
    "additionalProperties": {"type": "string"},
}
_VIEW = {
    "type": "object",
    "required": ["name", "query"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 60},
        "query": {"type": "string", "minLength": 1, "maxLength": 2000, "pattern": r"^[A-Za-z0-9_.~%&=+*-]+$"},
    },
    "additionalProperties": {"type": "string"},
}
_OPENAPI = {
    "type": "object",
    "anyOf": [
        {"required": ["openapi"], "properties": {"openapi": {"type": "string", "pattern": r"^3\."}}},
        {"required": ["swagger"], "properties": {"swagger": {"type": "string", "const": "2.0"}}},
    ],
}


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
    whole = _query("format", {"enum": list(parameters.FORMATS)}, "All rows as a file, whatever their number.")
    table = [whole, *paging]
    place = [_query(name, _TEXT) for name in _PLACE]
    endpoint_query = [
        _query("filter", _FILTER, "In the filter language: docs/reference/filters.md."),
        *(_query(name, _TEXT) for name in parameters.FILTERS if name not in ("status", "auth")),
        _query("status", {"enum": list(STATUS_CLASSES)}),
        _query("auth", {"enum": list(AUTHENTICATIONS)}),
        _query("q", _TEXT),
        _query("new", {"enum": list(parameters.NEW)}),
        _query(
            "unseen",
            {"enum": list(parameters.UNSEEN)},
            "Not seen for so long, back from the latest exchange.",
        ),
        _query("review", {"enum": list(REVIEWS)}),
        _query("sort", {"enum": list(SORTS), "default": "path"}),
    ]
    number = {"type": "integer", "minimum": 1, "maximum": 999_999_999}
    identity = {"name": "id", "in": "path", "required": True, "schema": number}
    name = {"type": "string", "pattern": "^[A-Z2-7]{16}$"}
    finding = {"name": "name", "in": "path", "required": True, "schema": name}
    what = _query("what", {"enum": ["endpoint", "host"], "default": "endpoint"})
    range_of = _query("range", {"enum": list(RANGES), "default": "1h"})
    endpoint_of = _query("endpoint", {"type": "integer", "minimum": 0, "maximum": 999_999_999})
    paths: dict[str, Any] = {
        "/api": {"get": _get("This description.")},
        "/api/summary": {"get": _get("The catalog in numbers.")},
        "/api/endpoints": {"get": _get("Endpoints.", [*endpoint_query, *table], csv=True)},
        "/api/endpoints/{id}": {
            "get": _get("One endpoint.", [identity], missing=True),
            "delete": _change(
                "Delete the endpoint, or with `what=host` all of its host (role editor).",
                "204",
                [identity, what],
            ),
        },
        "/api/applications": {"get": _get("Applications.", table, csv=True)},
        "/api/sensors": {"get": _get("Sensors with what they last reported.", table, csv=True)},
        "/api/sensitive": {
            "get": _get(
                "Sensitive data by field.",
                [*place, _query("kind", _TEXT), endpoint_of, *table],
                csv=True,
                busy=True,
            )
        },
        "/api/findings": {
            "get": _get(
                "What traffic shows of weaknesses, the worst first.",
                [
                    _query("filter", _FILTER, "In the filter language: docs/reference/filters.md."),
                    _query("format", {"enum": list(FINDING_FORMATS)}, "All of them as a file."),
                    *paging,
                ],
                csv=True,
                more={"application/sarif+json": {"schema": {"type": "object"}}},
            )
        },
        "/api/findings/{name}": {
            "get": _get("One finding, with its evidence, decisions and history.", [finding], missing=True)
        },
        "/api/findings/decisions": {
            "post": _change(
                "Decide about one finding, or all that pass a filter (role editor).",
                "201",
                [],
                {"application/json": _FINDING_DECISION},
                json=True,
            )
        },
        "/api/changes": {
            "get": _get(
                "What was new about endpoints.", [_query("kind", _TEXT), endpoint_of, *table], csv=True
            )
        },
        "/api/events": {"get": _get("What was new, as learned.", [endpoint_of, *table], csv=True)},
        "/api/openapi": {
            "get": _get(
                "The learned OpenAPI document of one application.",
                [
                    *place,
                    _query("version", {"enum": ["3.1", "3.0"]}),
                    _query("plain", {"enum": ["1"]}),
                    _query("host", _TEXT),
                ],
                missing=True,
            )
        },
        "/api/comparison": {
            "get": _get("Traffic beside the uploaded description.", [*place, whole], csv=True, missing=True)
        },
        "/api/endpoints/{id}/operation": {
            "get": _get("What one endpoint accepts and returns.", [identity], missing=True)
        },
        "/api/endpoints/{id}/evidence": {
            "get": _get("Why the path of one endpoint is as it is.", [identity], missing=True)
        },
        "/api/endpoints/{id}/traffic": {
            "get": _get(
                "Traffic of one endpoint over time.", [identity, range_of, whole], csv=True, missing=True
            )
        },
        "/api/traffic": {"get": _get("Traffic over time.", [range_of, whole], csv=True)},
        "/api/refused": {"get": _get("Paths that were never answered with success.", table, csv=True)},
        "/api/encrypted": {"get": _get("Endpoints over TLS, which stay unread.", table, csv=True)},
        "/api/endpoints/{id}/decisions": {
            "get": _get("Decisions about one endpoint, newest first.", [identity], missing=True),
            "post": _change(
                "Take a decision (role editor).",
                "201",
                [identity],
                {"application/json": _DECISION},
                json=True,
            ),
        },
        "/api/decisions/{id}": {"delete": _change("Take a decision back (role editor).", "204", [identity])},
        "/api/views": {
            "get": _get("Saved queries of the catalog."),
            "post": _change("Save a query (role editor).", "201", [], {"application/json": _VIEW}, json=True),
        },
        "/api/views/{id}": {"delete": _change("Forget a saved query (role editor).", "204", [identity])},
        "/api/audit": {"get": _get("Who did what, newest first (role admin).", table, csv=True)},
        "/api/alerts": {"get": _get("Alerts, newest first (role admin).", table, csv=True)},
        "/api/description": {
            "put": _change(
                "Upload the description of an application (role editor).",
                "204",
                place,
                {"application/json": _OPENAPI, "application/yaml": _OPENAPI},
                busy=True,
            ),
            "delete": _change("Forget the uploaded description (role editor).", "204", place),
        },
        "/api/backup": {
            "post": {
                **_change("A backup of everything, as a tar archive (role admin).", "200", []),
                "responses": {
                    "200": {
                        "description": "The archive.",
                        "content": {"application/gzip": {"schema": {"type": "string", "format": "binary"}}},
                    },
                    **_problems("400", "401", "403", "408", "413", "415", "503"),
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


def _query(name: str, schema: dict[str, Any], meaning: str = "") -> dict[str, Any]:
    kind = {} if "type" in schema else {"type": "string"}
    described = {"description": meaning} if meaning else {}
    return {"name": name, "in": "query", **described, "schema": {**kind, **schema}}


def _get(
    summary: str,
    query: list[dict[str, Any]] | None = None,
    *,
    csv: bool = False,
    missing: bool = False,
    busy: bool = False,
    more: dict[str, Any] | None = None,
) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": {"type": "object"}}}
    if csv:
        content["text/csv"] = {"schema": {"type": "string"}}
    content |= more or {}
    codes = ["400", "401", "403", *(["404"] if missing else []), *(["503"] if busy else [])]
    return {
        "summary": summary,
        "parameters": query or [],
        "responses": {
            "200": {"description": "Found.", "content": content},
            "304": {"description": "As the If-None-Match said."},
            **_problems(*codes),
        },
    }


def _change(
    summary: str,
    status: str,
    places: list[dict[str, Any]],
    body: dict[str, dict[str, Any]] | None = None,
    *,
    json: bool = False,
    busy: bool = False,
) -> dict[str, Any]:
    done: dict[str, Any] = {"description": "Done."}
    if json:
        done["content"] = {"application/json": {"schema": {"type": "object"}}}
    described: dict[str, Any] = {"summary": summary, "parameters": places}
    codes = ["400", "401", "403", "404"]
    if body is not None:
        content = {media: {"schema": schema} for media, schema in body.items()}
        described["requestBody"] = {"required": True, "content": content}
        codes += ["408", "413", "415", *(["503"] if busy else [])]
    described["responses"] = {status: done, **_problems(*codes)}
    return described


def _problems(*codes: str) -> dict[str, Any]:
    content = {
        "application/problem+json": {
            "schema": {"type": "object", "required": ["type", "title", "status", "detail"]}
        }
    }
    return {code: {"description": "See the detail.", "content": content} for code in codes}
