"""``/api/…``: the catalog as JSON."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from levo.satellite.catalog.changes import Change
from levo.satellite.catalog.encrypted import EncryptedEndpoint, encrypted_endpoints
from levo.satellite.catalog.sensitive import sensitive_of
from levo.satellite.catalog.sensors import SensorView, sensor_view
from levo.satellite.catalog.series import QUANTILES, RANGES, read_series
from levo.satellite.learn.authentication import authentication_of
from levo.satellite.learn.paths import Template
from levo.satellite.learn.paths.explain import explain
from levo.satellite.learn.trace import status_name
from levo.satellite.learn.traffic import Traffic, latency_quantile
from levo.satellite.rfc3339 import timestamp
from levo.satellite.store import ApplicationRow, EndpointRow, RefusedRow
from levo.satellite.store.sensitive import SensitiveFilter, SensitiveItem
from levo.satellite.store.traffic import WHOLE_CATALOG
from levo.satellite.web import parameters
from levo.satellite.web.catalogs import Catalogs
from levo.satellite.web.documents import document_routes
from levo.satellite.web.exports import Table, download, table_response
from levo.satellite.web.json_body import count, etagged
from levo.satellite.web.render import SECOND_NS


def endpoint_document(row: EndpointRow) -> dict[str, Any]:
    """One endpoint as REST shows it."""
    return {
        "id": row.id,
        "organization": row.organization,
        "environment": row.environment,
        "application": row.application,
        "host": row.host,
        "schemes": list(row.schemes),
        "authentication": authentication_of(row.access),
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


def sensitive_document(item: SensitiveItem) -> dict[str, Any]:
    """Sensitive data in one field as REST shows it."""
    return {**msgspec.structs.asdict(item), "confidence": round(item.confidence, 3)}


def change_document(change: Change) -> dict[str, Any]:
    """Something that is new about an endpoint as REST shows it."""
    return {
        "time": timestamp(change.time_ns),
        "endpoint": change.endpoint,
        "application": change.application,
        "environment": change.environment,
        "method": change.method,
        "path": change.path,
        "kind": change.kind,
        "detail": change.detail,
        "may_break_clients": change.style == "bad",
    }


def application_document(row: ApplicationRow) -> dict[str, Any]:
    """One application as REST shows it."""
    return {
        "organization": row.organization,
        "environment": row.environment,
        "application": row.application,
        "endpoints": row.endpoints,
        "count": count(row.exchanges),
        "first_seen": timestamp(row.first_seen_ns),
        "last_seen": timestamp(row.last_seen_ns),
    }


def refused_document(row: RefusedRow) -> dict[str, Any]:
    """One path without any success as REST shows it."""
    return {
        "organization": row.organization,
        "environment": row.environment,
        "application": row.application,
        "host": row.host,
        "method": row.method,
        "path": row.path,
        "count": count(row.exchanges),
        "statuses": {
            status_name(int(status)): count(value) for status, value in sorted(row.statuses.items())
        },
        "first_seen": timestamp(row.first_seen_ns),
        "last_seen": timestamp(row.last_seen_ns),
    }


def sensor_document(view: SensorView) -> dict[str, Any]:
    """One run of a sensor as REST shows it."""
    row = view.row
    return {
        "organization": row.organization,
        "sensor": row.sensor,
        "instance": row.run.instance,
        "state": view.state,
        "started": timestamp(row.run.started_ns) if row.run.started_ns else None,
        "stopped": timestamp(view.stopped_ns) if view.stopped_ns else None,
        "first_seen": timestamp(row.first_seen_ns),
        "last_seen": timestamp(row.last_seen_ns),
        "clock_ahead_seconds": None if row.skew_ns is None else round(row.skew_ns / 1e9, 3),
        "series_left_out": row.cut,
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


def encrypted_document(each: EncryptedEndpoint) -> dict[str, Any]:
    """One endpoint over TLS as REST shows it."""
    return {
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


def step_document(step: tuple[int, Traffic]) -> dict[str, Any]:
    """One step of traffic over time as REST shows it."""
    start_s, traffic = step
    return {
        "start": timestamp(start_s * SECOND_NS),
        "count": count(traffic.exchanges),
        "client_errors": count(traffic.client_errors),
        "server_errors": count(traffic.server_errors),
        "latency_ms": {
            f"p{share * 100:.0f}": latency_quantile(traffic.latency, share) for share in QUANTILES
        },
    }


_PLACE = ("organization", "environment", "application")
ENDPOINTS = Table(
    "endpoints",
    (
        *("id", *_PLACE, "host", "schemes", "authentication", "method", "path", "confidence", "count"),
        *("traces", "statuses", "status_classes", "first_seen", "last_seen"),
    ),
    endpoint_document,
)
SENSITIVE = Table(
    "sensitive",
    (
        *("endpoint", *_PLACE, "host", "method", "path"),
        *("kind", "category", "location", "direction", "confidence", "contained", "verdict"),
    ),
    sensitive_document,
)
CHANGES = Table(
    "changes",
    (
        *("time", "endpoint", "application", "environment", "method", "path"),
        *("kind", "detail", "may_break_clients"),
    ),
    change_document,
)
APPLICATIONS = Table(
    "applications", (*_PLACE, "endpoints", "count", "first_seen", "last_seen"), application_document
)
REFUSED = Table(
    "refused",
    (*_PLACE, "host", "method", "path", "count", "statuses", "first_seen", "last_seen"),
    refused_document,
)
SENSORS = Table(
    "sensors",
    (
        "organization",
        "sensor",
        "instance",
        "state",
        "started",
        "stopped",
        "first_seen",
        "last_seen",
        "clock_ahead_seconds",
        "series_left_out",
        "attributes",
        "metrics",
    ),
    sensor_document,
)
TRAFFIC = Table("traffic", ("start", "count", "client_errors", "server_errors", "latency_ms"), step_document)
ENCRYPTED = Table(
    "encrypted",
    (
        *("address", "port", "server_name", "protocol", "version", "certificate_names"),
        *("connections", "decrypted", "bytes"),
    ),
    encrypted_document,
)


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


def derived_routes(catalogs: Catalogs) -> list[Route]:
    """Return the routes of operations, sensitive data and changes over all applications."""

    def operation(request: Request) -> Response:
        parameters.only(request.query_params)
        row = catalogs.endpoint(request)
        derived = catalogs.derived(request)
        sensitive = [sensitive_document(item) for item in sensitive_of(catalogs.reader(request), row)]
        return etagged(request, {"openapi": derived.document_of([row]), "sensitive": sensitive})

    def sensitive(request: Request) -> Response:
        query = request.query_params
        parameters.only(query, *_PLACE, "kind", "endpoint", *parameters.TABLE)
        texts = {name: parameters.text(query, name) for name in (*_PLACE, "kind")}
        wanted = SensitiveFilter(**texts, endpoint=parameters.number(query, "endpoint", 0, 999_999_999))
        reader = catalogs.reader(request)

        def page(limit: int, offset: int) -> tuple[int, list[SensitiveItem]]:
            return reader.sensitive(wanted, limit=limit, offset=offset)

        def everything() -> Iterator[SensitiveItem]:
            if not reader.is_looked_at():
                text = "the fields of all endpoints have not been looked at yet; try again in a few seconds"
                raise HTTPException(503, text, {"retry-after": "5"})
            return reader.each_sensitive(wanted)

        return table_response(request, SENSITIVE, page, everything)

    def changes(request: Request) -> Response:
        query = request.query_params
        parameters.only(query, "kind", "endpoint", *parameters.TABLE)
        endpoint = parameters.number(query, "endpoint", 0, 999_999_999) or None
        kind = parameters.text(query, "kind")
        derived = catalogs.derived(request)
        return table_response(
            request,
            CHANGES,
            lambda limit, offset: derived.changes(endpoint=endpoint, kind=kind, limit=limit, offset=offset),
            lambda: derived.each_change(endpoint=endpoint, kind=kind),
        )

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
        Route("/api/sensitive", sensitive),
        Route("/api/changes", changes),
    ]


def rest_routes(catalogs: Catalogs, clock_ns: Callable[[], int] = time.time_ns) -> list[Route]:
    """Return the routes that answer from the catalog."""

    def endpoints(request: Request) -> Response:
        query = request.query_params
        parameters.only(query, *parameters.CATALOG, *parameters.TABLE)
        reader = catalogs.reader(request)
        wanted = parameters.endpoint_filter(query, time.time_ns(), catalogs.archive_ns)
        sort = parameters.sort_order(query)
        return table_response(
            request,
            ENDPOINTS,
            lambda limit, offset: reader.endpoints(wanted, sort=sort, limit=limit, offset=offset),
            lambda: reader.each_endpoint(wanted, sort=sort),
        )

    def endpoint(request: Request) -> Response:
        parameters.only(request.query_params)
        row = catalogs.endpoint(request)
        return etagged(request, endpoint_document(row))

    def traffic(request: Request) -> Response:
        query = request.query_params
        parameters.only(query, "range", "format")
        asked = request.path_params.get("identity")
        name = parameters.choice(query, "range", tuple(RANGES))
        form = parameters.choice(query, "format", parameters.FORMATS)
        reader = catalogs.reader(request)
        row = reader.endpoint(asked) if asked is not None else None
        if asked is not None and row is None:
            raise HTTPException(404, "no such endpoint")
        identity = WHOLE_CATALOG if row is None else row.id
        place = None if row is None else (row.organization, row.environment, row.application)
        first_s = reader.first_seen_ns(place) // SECOND_NS
        series = read_series(reader, name, time.time_ns() // SECOND_NS, first_s, identity)
        if "format" in query:
            return download(TRAFFIC, series.points, form)
        return etagged(
            request,
            {
                "range": name,
                "step_seconds": series.step_s,
                "observed_seconds": series.observed_s,
                "per_second": float(f"{series.rate:.6g}"),
                "steps": [step_document(step) for step in series.points],
            },
        )

    def encrypted(request: Request) -> Response:
        parameters.only(request.query_params, *parameters.TABLE)
        found = encrypted_endpoints(catalogs.reader(request).each_sensor())
        return table_response(
            request,
            ENCRYPTED,
            lambda limit, offset: (len(found), found[offset : offset + limit]),
            lambda: found,
        )

    def applications(request: Request) -> Response:
        parameters.only(request.query_params, *parameters.TABLE)
        reader = catalogs.reader(request)
        return table_response(
            request,
            APPLICATIONS,
            lambda limit, offset: reader.applications(limit=limit, offset=offset),
            reader.each_application,
        )

    def refused(request: Request) -> Response:
        parameters.only(request.query_params, *parameters.TABLE)
        reader = catalogs.reader(request)
        return table_response(
            request,
            REFUSED,
            lambda limit, offset: reader.refused(limit=limit, offset=offset),
            reader.each_refused,
        )

    def sensors(request: Request) -> Response:
        parameters.only(request.query_params, *parameters.TABLE)
        reader, now_ns = catalogs.reader(request), clock_ns()

        def page(limit: int, offset: int) -> tuple[int, list[SensorView]]:
            total, rows = reader.sensors(limit=limit, offset=offset)
            return total, [sensor_view(row, now_ns) for row in rows]

        return table_response(
            request, SENSORS, page, lambda: (sensor_view(row, now_ns) for row in reader.each_sensor())
        )

    def summary(request: Request) -> Response:
        parameters.only(request.query_params)
        reader = catalogs.reader(request)
        found = reader.summary()
        document: dict[str, Any] = {
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
        if not reader.organization:
            storage = reader.storage()
            document["storage"] = {
                "stored_bytes": storage.stored_bytes,
                "file_bytes": storage.file_bytes,
                "growth_bytes_a_day": round(storage.growth_bytes),
            }
        return etagged(request, document)

    return [
        Route("/api/endpoints", endpoints),
        Route("/api/endpoints/{identity:int}", endpoint),
        Route("/api/endpoints/{identity:int}/traffic", traffic),
        Route("/api/traffic", traffic),
        Route("/api/encrypted", encrypted),
        Route("/api/applications", applications),
        Route("/api/refused", refused),
        Route("/api/sensors", sensors),
        Route("/api/summary", summary),
        *document_routes(catalogs),
    ]
