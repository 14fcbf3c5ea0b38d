"""Triage: decisions about endpoints and sensitive data. All can be taken back, and are audited."""

from __future__ import annotations

import re
from typing import cast
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from levo.satellite.access import Identity
from levo.satellite.catalog.place import place_of
from levo.satellite.learn.paths.known import anonymous_pattern
from levo.satellite.store import EndpointRow
from levo.satellite.store.descriptions import store_description
from levo.satellite.store.userdata import AuditLog, DecisionKind, Decisions, Findings, Removals, Views
from levo.satellite.web.catalogs import CatalogPages, Catalogs
from levo.satellite.web.documents import MAX_DESCRIPTION_BYTES, read_uploaded
from levo.satellite.web.forms import Form, back, field, form_route, html_or_json
from levo.satellite.web.render import Renderer

_PLACE = ("organization", "environment", "application")
ENDPOINT_KINDS = ("accept", "ignore", "rename", "split", "merge")
VERDICT_KINDS = ("confirm", "reject")
_SEGMENT = re.compile(r"[^/{}\s]*(?:\{[A-Za-z_][A-Za-z0-9_]{0,60}\+?\}[^/{}\s]*)?")
_VERDICT_DETAIL = re.compile(r"\S{1,400} [a-z0-9.-]{1,60}")


class Triage(CatalogPages):
    """Routes that take decisions."""

    def __init__(
        self,
        catalogs: Catalogs,
        decisions: Decisions,
        views: Views,
        removals: Removals,
        audit: AuditLog,
        renderer: Renderer,
        findings: Findings | None = None,
    ) -> None:
        super().__init__(catalogs, renderer)
        self._decisions = decisions
        self._views = views
        self._removals = removals
        self._audit = audit
        self._findings = findings

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            form_route("/endpoints/{identity:int}/decide", self._decide, role="editor"),
            form_route("/endpoints/{identity:int}/delete", self._delete, role="editor"),
            form_route("/decisions/{identity:int}/undo", self._undo, role="editor"),
            form_route("/views", self._save_view, role="editor"),
            form_route(
                "/reference/description", self._describe, role="editor", max_bytes=MAX_DESCRIPTION_BYTES
            ),
            form_route("/views/{identity:int}/remove", self._remove_view, role="editor"),
        ]

    def decide(self, identity: Identity, row: EndpointRow, form: Form) -> int:
        """Take the decision in *form* about *row*; return its number.

        Raises:
            HTTPException: it cannot be decided.
        """
        kind, detail = form.get("kind", ""), field(form, "detail", 500, required=False)
        check_decision(kind, detail, row)
        if kind in ("accept", "ignore"):
            detail = ""
        with self._decisions.change():
            made = self._decisions.decide(
                cast(DecisionKind, kind), place_of(row), detail, identity.name, self._renderer.clock_ns()
            )
            self._record(identity, kind, f"{row.method} {row.path}", detail)
        self._catalogs.on_decided()
        return made

    def delete(self, identity: Identity, row: EndpointRow, what: str) -> None:
        """Delete *row* from the catalog, or its whole host; *what* is ``endpoint`` or ``host``.

        Raises:
            HTTPException: *what* is neither.
        """
        if what not in ("endpoint", "host"):
            raise HTTPException(400, "what: must be endpoint or host")
        place = place_of(row)
        host = (place.organization, place.environment, place.application, place.host)
        method, template = (place.method, place.template) if what == "endpoint" else ("", "")
        with self._removals.change():
            self._removals.remove(host, method, template, self._renderer.clock_ns())
            if self._findings is not None:
                self._findings.forget(host, method, template)
            self._record(identity, f"delete {what}", f"{method} {template}".strip() or place.host, row.host)
        self._catalogs.on_decided()

    def undo(self, identity: Identity, number: int) -> int:
        """Take a decision back; return its number.

        Raises:
            HTTPException: there is none, or it was taken back already.
        """
        with self._decisions.change():
            taken = self._decisions.undo(number, self._renderer.clock_ns(), identity.organization)
            if taken is None:
                raise HTTPException(404, "no such decision, or it was taken back already")
            self._record(identity, f"undo {taken.kind}", f"{taken.method} {taken.template}", taken.detail)
        self._catalogs.on_decided()
        return taken.id

    def save_view(self, identity: Identity, form: Form) -> tuple[str, str]:
        """Keep the view in *form*; return its name and query.

        Raises:
            HTTPException: they cannot be used.
        """
        name, query = field(form, "name", 60), field(form, "query", 2000)
        if not name.isprintable() or not re.fullmatch(r"[\w.~%&=+*-]*", query, re.ASCII):
            raise HTTPException(400, "name or query cannot be used")
        self._views.save(name, query, identity.name, self._renderer.clock_ns(), identity.organization)
        self._record(identity, "save view", name, query)
        return name, query

    def remove_view(self, identity: Identity, number: int) -> None:
        """Forget a view.

        Raises:
            HTTPException: there is none.
        """
        if not self._views.remove(number, identity.organization):
            raise HTTPException(404, "no such view")
        self._record(identity, "remove view", str(number))

    def _decide(self, request: Request, identity: Identity, form: Form) -> Response:
        row = self._catalogs.endpoint(request)
        made = self.decide(identity, row, form)
        return html_or_json(request, back(form, f"/endpoints/{row.id}", "saved"), {"decision": made})

    def _delete(self, request: Request, identity: Identity, form: Form) -> Response:
        row = self._catalogs.endpoint(request)
        what = form.get("what", "endpoint")
        self.delete(identity, row, what)
        return html_or_json(request, back(form, "/catalog", "deleted"), {"deleted": what})

    def _undo(self, request: Request, identity: Identity, form: Form) -> Response:
        taken = self.undo(identity, request.path_params["identity"])
        return html_or_json(request, back(form, "/catalog", "undone"), {"undone": taken})

    def _save_view(self, request: Request, identity: Identity, form: Form) -> Response:
        name, query = self.save_view(identity, form)
        return html_or_json(request, back(form, f"/catalog?{query}", "saved"), {"saved": name})

    def _describe(self, request: Request, identity: Identity, form: Form) -> Response:
        place = (
            field(form, "organization", 200),
            field(form, "environment", 200),
            field(form, "application", 200),
        )
        kept = read_uploaded(form.get("document", "").encode(errors="replace"))
        reader = self._catalogs.reader(request)
        if not any(
            (row.organization, row.environment, row.application) == place for row in reader.each_application()
        ):
            raise HTTPException(404, "no such application")
        store_description(reader.path, place, self._renderer.clock_ns(), kept)
        self._catalogs.on_decided()
        self._record(identity, "upload description", "/".join(place))
        return back(form, f"/reference?{urlencode(dict(zip(_PLACE, place, strict=True)))}", "uploaded")

    def _remove_view(self, request: Request, identity: Identity, form: Form) -> Response:
        number = request.path_params["identity"]
        self.remove_view(identity, number)
        return html_or_json(request, back(form, "/catalog", "removed"), {"removed": number})

    def _record(self, identity: Identity, action: str, subject: str, detail: str = "") -> None:
        self._audit.record(identity.name, action, subject, detail, self._renderer.clock_ns())


def check_decision(kind: str, detail: str, row: EndpointRow) -> None:
    """Refuse what cannot be decided about *row*.

    Raises:
        HTTPException: saying why.
    """
    if kind in ("accept", "ignore"):
        return
    if kind in VERDICT_KINDS:
        if not _VERDICT_DETAIL.fullmatch(detail):
            raise HTTPException(400, "detail: must be a location and a kind")
        return
    if kind not in ENDPOINT_KINDS:
        raise HTTPException(400, f"kind: must be one of {', '.join((*ENDPOINT_KINDS, *VERDICT_KINDS))}")
    if not detail.startswith("/") or not all(_SEGMENT.fullmatch(s) for s in detail.split("/")[1:]):
        raise HTTPException(400, "detail: must be a path such as /users/{userId}")
    same = anonymous_pattern(detail) == anonymous_pattern(row.path)
    if kind == "rename" and not same:
        raise HTTPException(400, "detail: a rename changes the names of parameters only; use split or merge")
    if kind in ("split", "merge") and same:
        raise HTTPException(400, "detail: this is the template as it is")
