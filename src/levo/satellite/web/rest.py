"""``/api/…``: the catalog as JSON."""

from __future__ import annotations

import csv
import io
import math
import time
from typing import Any

import msgspec
import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from levo.satellite.learn.paths import Template
from levo.satellite.learn.paths.explain import explain
from levo.satellite.learn.traffic import latency_quantile
from levo.satellite.store import EndpointRow
from levo.satellite.store.traffic import WHOLE_CATALOG
from levo.satellite.web import parameters
from levo.satellite.web.catalogs import Catalogs
from levo.satellite.web.charts import QUANTILES, RANGES, range_start
from levo.satellite.web.documents import document_routes
from levo.satellite.web.insight import Finding
from levo.satellite.web.json_body import count, etagged, timestamp
from levo.satellite.web.render import SECOND_NS
from levo.satellite.web.sensor_view import encrypted_endpoints


def endpoint_document(row: EndpointRow) -> dict[str, Any]:
    """One endpoint as REST shows it."""
    return {
        "id": row.id,
        "organization": row.organization,
        "environment": row.environment,
        "application": row.application,
        "host": row.host,
        "schemes": list(row.schemes),
        "method": row.method,
        "path": row.path,
        "confidence": round(row.confidence, 3),
        "count": count(row.exchanges),
        "traces": row.traces,
        "statuses": {status: count(value) for status, value in row.statuses.items()},
        "status_classes": {name: count(value) for name, value in row.status_classes.items()},
        "first_seen": timestamp(row.first_seen_ns),
        "last_seen": timestamp(row.last_seen_ns),
    }


def finding_document(finding: Finding) -> dict[str, Any]:
    """Sensitive data in one field as REST shows it."""
    return {**msgspec.structs.asdict(finding), "confidence": round(finding.confidence, 3)}


def evidence_document(template: Template) -> dict[str, Any]:
    """Why the path of an endpoint is as it is, as REST shows it."""
    return {
        "path": template.path,
        "confidence": template.confidence,
        "segments": [
            {
                "segment": one.segment,
                "kind": "parameter" if one.is_parameter else "word",
                "probability": one.probability,
                "because": [
                    {
                        "what": reason.what,
                        "speaks_for": reason.speaks_for,
                        "certain": math.isinf(reason.weight),
                        "log_odds": None if math.isinf(reason.weight) else reason.weight,
                    }
                    for reason in one.because
                ],
            }
            for one in explain(template)
        ],
        "parameters": [
            {
                "name": parameter.name,
                "type": parameter.type,
                "format": parameter.format or None,
                "kinds": parameter.kinds,
                "spans_segments": parameter.catch_all,
            }
            for parameter in template.parameters
        ],
    }


def insight_routes(catalogs: Catalogs) -> list[Route]:
    """Return the routes of operations, findings and changes over all applications."""

    def operation(request: Request) -> Response:
        parameters.only(request.query_params)
        identity = request.path_params["identity"]
        row = catalogs.reader(request).endpoint(identity)
        if row is None:
            raise HTTPException(404, "no such endpoint")
        insight = catalogs.insight(request)
        findings = [
            {**msgspec.structs.asdict(f), "confidence": round(f.confidence, 3)} for f in insight.findings(row)
        ]
        return etagged(request, {"openapi": insight.document_of([row]), "findings": findings})

    def findings(request: Request) -> Response:
        query = request.query_params
        parameters.only(query, "kind", "application", "format", *parameters.PAGING)
        limit, offset = parameters.page(query)
        kind, application = parameters.text(query, "kind"), parameters.text(query, "application")
        found = [
            f
            for f in catalogs.insight(request).all_findings()
            if kind in ("", f.kind) and application in ("", f.application)
        ]
        documents = [
            {**msgspec.structs.asdict(f), "confidence": round(f.confidence, 3)}
            for f in found[offset : offset + limit]
        ]
        return _list(request, "findings", documents, len(found), limit, offset)

    def changes(request: Request) -> Response:
        query = request.query_params
        parameters.only(query, "kind", "endpoint", "format", *parameters.PAGING)
        limit, offset = parameters.page(query)
        endpoint = parameters.number(query, "endpoint", 0, 999_999_999) or None
        total, rows = catalogs.insight(request).changes(
            endpoint=endpoint, kind=parameters.text(query, "kind"), limit=limit, offset=offset
        )
        documents = [
            {
                "time": timestamp(row.time_ns),
                "endpoint": row.endpoint,
                "application": row.application,
                "environment": row.environment,
                "method": row.method,
                "path": row.path,
                "kind": row.kind,
                "detail": row.detail,
                "may_break_clients": row.style == "bad",
            }
            for row in rows
        ]
        return _list(request, "changes", documents, total, limit, offset)

    def evidence(request: Request) -> Response:
        parameters.only(request.query_params)
        identity = request.path_params["identity"]
        template = catalogs.reader(request).template(identity)
        if template is None:
            raise HTTPException(404, "no such endpoint, or nothing decided about its path")
        return etagged(request, evidence_document(template))

    return [
        Route("/api/endpoints/{identity:int}/operation", operation),
        Route("/api/endpoints/{identity:int}/evidence", evidence),
        Route("/api/findings", findings),
        Route("/api/changes", changes),
    ]


def rest_routes(catalogs: Catalogs) -> list[Route]:
    """Return the routes that answer from the catalog."""

    def endpoints(request: Request) -> Response:
        query = request.query_params
        parameters.only(
            query, *parameters.FILTERS, "q", "sort", "new", "review", "format", *parameters.PAGING
        )
        limit, offset = parameters.page(query)
        total, rows = catalogs.reader(request).endpoints(
            parameters.endpoint_filter(query, time.time_ns()),
            sort=parameters.sort_order(query),
            limit=limit,
            offset=offset,
        )
        return _list(request, "endpoints", [endpoint_document(row) for row in rows], total, limit, offset)

    def endpoint(request: Request) -> Response:
        parameters.only(request.query_params)
        identity = request.path_params["identity"]
        row = catalogs.reader(request).endpoint(identity)
        if row is None:
            raise HTTPException(404, "no such endpoint")
        return etagged(request, endpoint_document(row))

    def traffic(request: Request) -> Response:
        parameters.only(request.query_params, "range")
        asked = request.path_params.get("identity")
        name = parameters.choice(request.query_params, "range", tuple(RANGES))
        reader = catalogs.reader(request)
        row = reader.endpoint(asked) if asked is not None else None
        if asked is not None and row is None:
            raise HTTPException(404, "no such endpoint")
        identity = WHOLE_CATALOG if row is None else row.id
        size, _ = RANGES[name]
        points = reader.traffic(size, range_start(name, time.time_ns() // SECOND_NS), identity)
        documents = [
            {
                "start": timestamp(start * SECOND_NS),
                "count": count(step.exchanges),
                "client_errors": count(step.client_errors),
                "server_errors": count(step.server_errors),
                "latency_ms": {
                    f"p{share * 100:.0f}": latency_quantile(step.latency, share) for share in QUANTILES
                },
            }
            for start, step in points
        ]
        return etagged(request, {"range": name, "step_seconds": size, "steps": documents})

    def encrypted(request: Request) -> Response:
        parameters.only(request.query_params, "format", *parameters.PAGING)
        limit, offset = parameters.page(request.query_params)
        found = encrypted_endpoints(catalogs.reader(request).sensors(limit=1000)[1])
        documents = [
            {
                "address": each.address,
                "port": each.port,
                "server_name": each.server_name,
                "protocol": each.protocol,
                "version": each.version,
                "certificate_names": each.certificate_names,
                "connections": count(each.connections),
                "decrypted": count(each.decrypted),
                "bytes": count(each.octets),
            }
            for each in found[offset : offset + limit]
        ]
        return _list(request, "encrypted", documents, len(found), limit, offset)

    def applications(request: Request) -> Response:
        parameters.only(request.query_params, "format", *parameters.PAGING)
        limit, offset = parameters.page(request.query_params)
        total, rows = catalogs.reader(request).applications(limit=limit, offset=offset)
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
        parameters.only(request.query_params, "format", *parameters.PAGING)
        limit, offset = parameters.page(request.query_params)
        total, rows = catalogs.reader(request).sensors(limit=limit, offset=offset)
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
        found = catalogs.reader(request).summary()
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
        return etagged(request, document)

    return [
        Route("/api/endpoints", endpoints),
        Route("/api/endpoints/{identity:int}", endpoint),
        Route("/api/endpoints/{identity:int}/traffic", traffic),
        Route("/api/traffic", traffic),
        Route("/api/encrypted", encrypted),
        Route("/api/applications", applications),
        Route("/api/sensors", sensors),
        Route("/api/summary", summary),
        *document_routes(catalogs),
    ]


def csv_response(name: str, documents: list[dict[str, Any]]) -> Response:
    """Return rows as CSV (RFC 4180); what is nested becomes JSON.

    A text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    columns = list(documents[0]) if documents else []
    writer.writerow(columns)
    for document in documents:
        writer.writerow([_cell(document[column]) for column in columns])
    headers = {"content-disposition": f'attachment; filename="{name}.csv"', "cache-control": "no-store"}
    return Response(out.getvalue(), media_type="text/csv", headers=headers)


def _cell(value: Any) -> Any:
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return "'" + value
    return value


def _list(
    request: Request, name: str, documents: list[dict[str, Any]], total: int, limit: int, offset: int
) -> Response:
    if parameters.choice(request.query_params, "format", ("json", "csv")) == "csv":
        return csv_response(name, documents)
    following = offset + limit if offset + limit < total else None
    return etagged(
        request, {name: documents, "total": total, "limit": limit, "offset": offset, "next": following}
    )
