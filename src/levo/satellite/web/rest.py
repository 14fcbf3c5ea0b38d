"""``/api/…``: the catalog as JSON."""

from __future__ import annotations

import hashlib
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from levo.satellite.store import CatalogReader, EndpointRow
from levo.satellite.web import parameters
from levo.satellite.web.documents import document_routes
from levo.satellite.web.json_body import JsonResponse, count, timestamp


def endpoint_document(row: EndpointRow) -> dict[str, Any]:
    """One endpoint as REST shows it."""
    return {
        "id": row.id,
        "organization": row.organization,
        "environment": row.environment,
        "application": row.application,
        "host": row.host,
        "method": row.method,
        "path": row.path,
        "count": count(row.exchanges),
        "traces": row.traces,
        "statuses": {status: count(value) for status, value in row.statuses.items()},
        "status_classes": {name: count(value) for name, value in row.status_classes.items()},
        "first_seen": timestamp(row.first_seen_ns),
        "last_seen": timestamp(row.last_seen_ns),
    }


def rest_routes(reader: CatalogReader) -> list[Route]:
    """Return the routes that answer from *reader*."""

    def endpoints(request: Request) -> Response:
        query = request.query_params
        parameters.only(query, *parameters.FILTERS, "q", "sort", *parameters.PAGING)
        limit, offset = parameters.page(query)
        total, rows = reader.endpoints(
            parameters.endpoint_filter(query), sort=parameters.sort_order(query), limit=limit, offset=offset
        )
        return _list(request, "endpoints", [endpoint_document(row) for row in rows], total, limit, offset)

    def endpoint(request: Request) -> Response:
        parameters.only(request.query_params)
        row = reader.endpoint(request.path_params["identity"])
        if row is None:
            raise HTTPException(404, "no such endpoint")
        return _answer(request, endpoint_document(row))

    def applications(request: Request) -> Response:
        parameters.only(request.query_params, *parameters.PAGING)
        limit, offset = parameters.page(request.query_params)
        total, rows = reader.applications(limit=limit, offset=offset)
        documents = [
            {
                "organization": row.organization,
                "environment": row.environment,
                "application": row.application,
                "endpoints": row.endpoints,
                "count": count(row.exchanges),
                "first_seen": timestamp(row.first_seen_ns),
                "last_seen": timestamp(row.last_seen_ns),
            }
            for row in rows
        ]
        return _list(request, "applications", documents, total, limit, offset)

    def sensors(request: Request) -> Response:
        parameters.only(request.query_params, *parameters.PAGING)
        limit, offset = parameters.page(request.query_params)
        total, rows = reader.sensors(limit=limit, offset=offset)
        documents = [
            {
                "organization": row.organization,
                "sensor": row.sensor,
                "first_seen": timestamp(row.first_seen_ns),
                "last_seen": timestamp(row.last_seen_ns),
                "attributes": row.attributes,
                "metrics": [
                    {
                        "name": metric.name,
                        "labels": metric.labels,
                        "value": count(metric.value) if abs(metric.value) < 1e300 else None,
                        "time": timestamp(metric.time_ns),
                    }
                    for metric in row.metrics
                ],
            }
            for row in rows
        ]
        return _list(request, "sensors", documents, total, limit, offset)

    def summary(request: Request) -> Response:
        parameters.only(request.query_params)
        found = reader.summary()
        document = {
            "revision": found.revision,
            "endpoints": found.endpoints,
            "applications": found.applications,
            "sensors": found.sensors,
            "count": count(found.exchanges),
            "errors": count(found.errors),
            "first_seen": timestamp(found.first_seen_ns) if found.endpoints else None,
            "last_seen": timestamp(found.last_seen_ns) if found.endpoints else None,
            "counters": {name: count(value) for name, value in found.counters.items()},
        }
        return _answer(request, document)

    return [
        Route("/api/endpoints", endpoints),
        Route("/api/endpoints/{identity:int}", endpoint),
        Route("/api/applications", applications),
        Route("/api/sensors", sensors),
        Route("/api/summary", summary),
        *document_routes(reader),
    ]


def _list(
    request: Request, name: str, documents: list[dict[str, Any]], total: int, limit: int, offset: int
) -> Response:
    following = offset + limit if offset + limit < total else None
    return _answer(
        request, {name: documents, "total": total, "limit": limit, "offset": offset, "next": following}
    )


def _answer(request: Request, document: dict[str, Any]) -> Response:
    response = JsonResponse(document, headers={"cache-control": "no-cache"})
    etag = '"' + hashlib.blake2b(response.body, digest_size=12).hexdigest() + '"'
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={"etag": etag, "cache-control": "no-cache"})
    response.headers["etag"] = etag
    return response
