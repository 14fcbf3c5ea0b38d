"""``/api/…`` of what users decide and keep: decisions, saved views, the audit log."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from levo.satellite.access import Identity, identity_of
from levo.satellite.alerts.kinds import page_of
from levo.satellite.catalog.place import place_of
from levo.satellite.rfc3339 import timestamp
from levo.satellite.store.userdata import Alert, Alerts, AuditEntry, AuditLog, Decision, Decisions, Views
from levo.satellite.web import parameters
from levo.satellite.web.catalogs import Catalogs
from levo.satellite.web.exports import Table, table_response
from levo.satellite.web.forms import Form, form_route
from levo.satellite.web.json_body import JsonResponse, etagged
from levo.satellite.web.triage import Triage


def decision_document(decision: Decision) -> dict[str, Any]:
    """One decision as REST shows it."""
    return {
        "id": decision.id,
        "time": timestamp(decision.time_ns),
        "by": decision.actor,
        "kind": decision.kind,
        "detail": decision.detail,
        "undone": timestamp(decision.undone_ns) if decision.undone_ns else None,
    }


def audit_document(entry: AuditEntry) -> dict[str, Any]:
    """One entry of the audit log as REST shows it."""
    return {
        "id": entry.id,
        "time": timestamp(entry.time_ns),
        "by": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "detail": entry.detail,
    }


def alert_document(alert: Alert) -> dict[str, Any]:
    """One alert as REST shows it."""
    return {
        "id": alert.id,
        "time": timestamp(alert.time_ns),
        "kind": alert.kind,
        "subject": alert.subject,
        "text": alert.text,
        "sent": bool(alert.sent),
        "ended": timestamp(alert.ended_ns) if alert.ended_ns else None,
        "page": page_of(alert),
    }


AUDIT = Table("audit", ("id", "time", "by", "action", "subject", "detail"), audit_document)
ALERTS = Table("alerts", ("id", "time", "kind", "subject", "text", "sent", "ended", "page"), alert_document)


def _for_admins(request: Request) -> None:
    if not identity_of(request).may("admin"):
        raise HTTPException(403, "this needs the role admin")


def decision_routes(
    catalogs: Catalogs, decisions: Decisions, views: Views, audit: AuditLog, alerts: Alerts, triage: Triage
) -> list[Route]:
    """Return the routes; *triage* holds the rules, which are those of the pages."""

    def list_decisions(request: Request) -> Response:
        parameters.only(request.query_params)
        found = decisions.of(place_of(catalogs.endpoint(request)))
        return etagged(request, {"decisions": [decision_document(each) for each in found]})

    def decide(request: Request, identity: Identity, form: Form) -> Response:
        parameters.only(request.query_params)
        made = triage.decide(identity, catalogs.endpoint(request), form)
        return JsonResponse({"decision": made}, 201)

    def delete(request: Request) -> Response:
        parameters.only(request.query_params, "what")
        what = parameters.text(request.query_params, "what") or "endpoint"
        triage.delete(identity_of(request), catalogs.endpoint(request), what)
        return Response(status_code=204)

    def undo(request: Request) -> Response:
        parameters.only(request.query_params)
        triage.undo(identity_of(request), request.path_params["identity"])
        return Response(status_code=204)

    def list_views(request: Request) -> Response:
        parameters.only(request.query_params)
        found = [
            {"id": view.id, "name": view.name, "query": view.query, "by": view.created_by}
            for view in views.all(identity_of(request).organization)
        ]
        return etagged(request, {"views": found})

    def save_view(request: Request, identity: Identity, form: Form) -> Response:
        parameters.only(request.query_params)
        name, _ = triage.save_view(identity, form)
        return JsonResponse({"saved": name}, 201)

    def remove_view(request: Request) -> Response:
        parameters.only(request.query_params)
        triage.remove_view(identity_of(request), request.path_params["identity"])
        return Response(status_code=204)

    def list_audit(request: Request) -> Response:
        parameters.only(request.query_params, *parameters.TABLE)
        _for_admins(request)
        return table_response(request, AUDIT, audit.page, audit.each)

    def list_alerts(request: Request) -> Response:
        parameters.only(request.query_params, *parameters.TABLE)
        _for_admins(request)
        return table_response(request, ALERTS, alerts.page, alerts.each)

    return [
        Route("/api/endpoints/{identity:int}/decisions", list_decisions, methods=["GET"]),
        form_route("/api/endpoints/{identity:int}/decisions", decide, role="editor"),
        Route("/api/endpoints/{identity:int}", delete, methods=["DELETE"]),
        Route("/api/decisions/{identity:int}", undo, methods=["DELETE"]),
        Route("/api/views", list_views, methods=["GET"]),
        form_route("/api/views", save_view, role="editor"),
        Route("/api/views/{identity:int}", remove_view, methods=["DELETE"]),
        Route("/api/audit", list_audit),
        Route("/api/alerts", list_alerts),
    ]
