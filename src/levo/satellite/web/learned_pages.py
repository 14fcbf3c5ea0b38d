"""Pages about what was learned: sensitive data, changes, encrypted traffic, API reference."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from levo.satellite.catalog.encrypted import encrypted_traffic
from levo.satellite.catalog.operation import shown_operation
from levo.satellite.catalog.sensitive import table_of
from levo.satellite.learn.trace import status_name
from levo.satellite.openapi.comparison import Answer, Description
from levo.satellite.store import ApplicationRow, EndpointFilter
from levo.satellite.store.sensitive import SensitiveFilter
from levo.satellite.web import parameters
from levo.satellite.web.catalogs import CatalogPages
from levo.satellite.web.problems import BadParameter
from levo.satellite.web.render import link

FIELD_ROWS = 100
CHANGE_ROWS = 100
ENCRYPTED_ROWS = 200
REFUSED_ROWS = 100
OPERATION_ROWS = 15
"""In full, so fewer than elsewhere."""
CHANGE_KINDS = (
    "endpoint",
    "property",
    "status",
    "authentication",
    "request-media-type",
    "response-media-type",
)


class LearnedPages(CatalogPages):
    """Sensitive data, changes, encrypted traffic, API reference."""

    def routes(self) -> list[Route]:
        """Return the routes of the pages."""
        return [
            self._live("/sensitive", self._sensitive),
            self._live("/changes", self._changes),
            self._live("/encrypted", self._encrypted),
            self._live("/refused", self._refused),
            self._live("/reference", self._reference),
        ]

    def _sensitive(self, request: Request) -> Response:
        query = request.query_params
        parameters.only(query, "kind", "application", "offset", "said")
        reader = self._catalogs.reader(request)
        kind = parameters.text(query, "kind")
        application = parameters.text(query, "application")
        offset = parameters.number(query, "offset", 0, parameters.MAX_OFFSET)
        wanted = SensitiveFilter(application=application, kind=kind)
        chosen, fields = reader.sensitive(wanted, limit=FIELD_ROWS, offset=offset)
        kept = {name: value for name, value in (("kind", kind), ("application", application)) if value}
        return self._renderer.page(
            request,
            "sensitive.html",
            ready=reader.is_looked_at(),
            total=reader.count_sensitive(),
            table=table_of(reader.sensitive_by_kind()),
            fields=fields,
            chosen=chosen,
            offset=offset,
            step=FIELD_ROWS,
            kept=kept,
            link=lambda **changes: link(kept, **changes),
            here="/sensitive" + (link(kept) if kept else ""),
            with_endpoint=True,
        )

    def _changes(self, request: Request) -> Response:
        query = request.query_params
        parameters.only(query, "kind", "offset", "said")
        kind = parameters.text(query, "kind")
        if kind and kind not in CHANGE_KINDS:
            raise BadParameter("kind", f"must be one of {', '.join(CHANGE_KINDS)}")
        offset = parameters.number(query, "offset", 0, parameters.MAX_OFFSET)
        total, changes = self._catalogs.derived(request).changes(kind=kind, limit=CHANGE_ROWS, offset=offset)
        days: dict[int, list[Any]] = defaultdict(list)
        for change in changes:
            days[change.time_ns // (86_400 * 1_000_000_000)].append(change)
        kept = {"kind": kind} if kind else {}
        return self._renderer.page(
            request,
            "changes.html",
            kind=kind,
            kinds=CHANGE_KINDS,
            days=sorted(days.items(), reverse=True),
            kept=kept,
            total=total,
            offset=offset,
            shown=len(changes),
            step=CHANGE_ROWS,
            link=lambda **changed: link(kept, **changed),
        )

    def _encrypted(self, request: Request) -> Response:
        query = request.query_params
        parameters.only(query, "offset", "said")
        offset, now_ns = (
            parameters.number(query, "offset", 0, parameters.MAX_OFFSET),
            self._renderer.clock_ns(),
        )
        found = encrypted_traffic(self._catalogs.reader(request).each_sensor(), now_ns)
        return self._renderer.page(
            request,
            "encrypted.html",
            sensors=found.sensors,
            seen=found.seen,
            more=found.more,
            endpoints=found.endpoints[offset : offset + ENCRYPTED_ROWS],
            total=len(found.endpoints),
            offset=offset,
            step=ENCRYPTED_ROWS,
            link=lambda **changes: link({}, **changes),
            opaque=found.opaque,
        )

    def _refused(self, request: Request) -> Response:
        query = request.query_params
        parameters.only(query, "offset", "said")
        offset = parameters.number(query, "offset", 0, parameters.MAX_OFFSET)
        total, rows = self._catalogs.reader(request).refused(limit=REFUSED_ROWS, offset=offset)
        return self._renderer.page(
            request,
            "refused.html",
            rows=rows,
            total=total,
            offset=offset,
            step=REFUSED_ROWS,
            link=lambda **changes: link({}, **changes),
            status_name=status_name,
        )

    def _reference(self, request: Request) -> Response:
        query = request.query_params
        parameters.only(query, "organization", "environment", "application", "q", "offset", "said")
        reader, derived = self._catalogs.reader(request), self._catalogs.derived(request)
        applications = list(reader.each_application())
        names = ("organization", "environment", "application")
        asked = tuple(parameters.text(query, name) for name in names)
        chosen = _chosen(applications, asked)
        if chosen is None and any(asked):
            raise HTTPException(404, "no such application")
        place = (chosen.organization, chosen.environment, chosen.application) if chosen else ("", "", "")
        search = parameters.text(query, "q").strip()
        offset = parameters.number(query, "offset", 0, parameters.MAX_OFFSET)
        total, groups = 0, []
        if chosen:
            wanted = EndpointFilter(*place, search=search)
            total, rows = reader.endpoints(wanted, limit=OPERATION_ROWS, offset=offset)
            groups = _groups(derived.document_of(rows))
        uploaded = reader.description(place) if chosen else None
        coverage = None
        if uploaded is not None:
            coverage = derived.coverage(place, *uploaded)
        kept = dict(zip(names, place, strict=True))
        return self._renderer.page(
            request,
            "reference.html",
            applications=applications,
            chosen=chosen,
            kept=kept,
            search=search,
            total=total,
            offset=offset,
            step=OPERATION_ROWS,
            last=min(offset + OPERATION_ROWS, total),
            link=lambda **changed: link({**kept, **({"q": search} if search else {})}, **changed),
            groups=groups,
            uploaded=uploaded,
            coverage=coverage,
            answers={each.name.lower(): coverage.count(each) for each in Answer} if coverage else {},
        )


def _chosen(applications: list[ApplicationRow], asked: tuple[str, ...]) -> ApplicationRow | None:
    for row in applications:
        have = (row.organization, row.environment, row.application)
        if all(want in ("", found) for want, found in zip(asked, have, strict=True)):
            return row
    return None


def _groups(document: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return the operations by their first tag, as the page shows them."""
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for described in sorted(
        Description(document).operations.values(), key=lambda each: (each.path, each.method)
    ):
        operation = described.operation
        shown = shown_operation(operation)
        groups[next(iter(operation.get("tags") or ()), "other")].append(
            {
                "method": described.method,
                "path": described.path,
                "id": operation.get("operationId", ""),
                "parameters": shown.parameters,
                "messages": shown.messages,
                "sensitive": operation.get("x-levo-sensitive") or [],
                "security": [list(each) for each in operation.get("security") or ()],
            }
        )
    return sorted(groups.items())
