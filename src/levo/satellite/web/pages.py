"""The pages, rendered at the server. The URL is the state."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from levo.satellite.access import identity_of
from levo.satellite.learn.paths.explain import explain
from levo.satellite.store import CatalogReader, EndpointFilter
from levo.satellite.store.traffic import WHOLE_CATALOG
from levo.satellite.web import parameters
from levo.satellite.web.catalogs import CatalogPages
from levo.satellite.web.charts import RANGES, Chart, chart, range_start
from levo.satellite.web.insight import place_of
from levo.satellite.web.problems import BadParameter
from levo.satellite.web.render import SECOND_NS, link
from levo.satellite.web.sensor_view import encrypted_endpoints, sensor_view

PAGE_ROWS = 100
DAY_NS = 86_400 * SECOND_NS
_YOUNG_S = 3 * 3600
"""A catalog younger than this is shown by the minute."""


class Pages(CatalogPages):
    """Overview, catalog, endpoints, sensors."""

    def routes(self) -> list[Route]:
        """Return the routes of the pages."""
        return [
            self._live("/", self._overview),
            self._live("/catalog", self._catalog),
            self._live("/endpoints/{identity:int}", self._endpoint),
            Route("/endpoints/{identity:int}/evidence", self._evidence),
            self._live("/sensors", self._sensors),
        ]

    def _overview(self, request: Request) -> Response:
        query = request.query_params
        parameters.only(query, "range", "said")
        reader = self._catalogs.reader(request)
        summary = reader.summary()
        now_ns = self._renderer.clock_ns()
        chosen = self._range(request, summary.first_seen_ns)
        new_total, newest = reader.endpoints(
            EndpointFilter(new_since_ns=now_ns - DAY_NS), sort="first_seen", limit=6
        )
        sensors = reader.sensors(limit=100)[1]
        views = [sensor_view(row, now_ns) for row in sensors]
        hidden = [each for each in encrypted_endpoints(sensors) if each.unread]
        return self._renderer.page(
            request,
            "overview.html",
            summary=summary,
            chart=self._chart(reader, chosen),
            ranges=list(RANGES),
            chosen=chosen,
            link=lambda **changes: link({}, **changes),
            new_total=new_total,
            newest=newest or reader.endpoints(EndpointFilter(), sort="first_seen", limit=6)[1],
            failing=reader.most_errors(),
            applications=reader.applications(limit=8)[1],
            sensors=views,
            silent=sum(view.silent for view in views),
            lost=sum(view.lost for view in views),
            hidden=len(hidden),
            unread=sum(each.unread for each in hidden) or sum(view.encrypted for view in views),
            sensitive=self._catalogs.insight(request).sensitive_fields(),
        )

    def _catalog(self, request: Request) -> Response:
        query = request.query_params
        parameters.only(query, *parameters.FILTERS, "q", "sort", "offset", "new", "review", "said")
        now_ns = self._renderer.clock_ns()
        wanted = parameters.endpoint_filter(query, now_ns)
        offset = parameters.number(query, "offset", 0, parameters.MAX_OFFSET)
        sort = parameters.sort_order(query)
        reader = self._catalogs.reader(request)
        total, rows = reader.endpoints(wanted, sort=sort, limit=PAGE_ROWS, offset=offset)
        renamed = self._desk.renamed()
        kept = {name: value for name, value in query.items() if value and name not in ("offset", "said")}
        return self._renderer.page(
            request,
            "catalog.html",
            rows=rows,
            total=total,
            offset=offset,
            last=offset + len(rows),
            page_rows=PAGE_ROWS,
            sort=sort,
            wanted=wanted,
            kept=kept,
            query=link(kept)[1:],
            api_query=link(kept)[1:],
            filtered=wanted != EndpointFilter(),
            summary=reader.summary(),
            facets=reader.facets(wanted),
            views=self._desk.views(identity_of(request).organization),
            is_new=lambda row: now_ns - row.first_seen_ns < DAY_NS,
            shown=(lambda row: renamed.get(place_of(row), row.path)) if renamed else (lambda row: row.path),
            link=lambda **changes: link(kept, **changes),
        )

    def _endpoint(self, request: Request) -> Response:
        query = request.query_params
        parameters.only(query, "range", "said")
        identity = request.path_params["identity"]
        reader, insight = self._catalogs.reader(request), self._catalogs.insight(request)
        row = reader.endpoint(identity)
        if row is None:
            raise HTTPException(404, "no such endpoint; it may have been merged into another")
        if row.id != identity:
            return RedirectResponse(f"/endpoints/{row.id}", 301)
        place = place_of(row)
        state, path = self._desk.standing(place)
        decisions = self._desk.decisions(place)
        chosen = self._range(request, row.first_seen_ns)
        operation = insight.operation(row)
        return self._renderer.page(
            request,
            "endpoint.html",
            row=row,
            path=path or row.path,
            state=state,
            decisions=decisions,
            chart=self._chart(reader, chosen, row.id),
            ranges=list(RANGES),
            chosen=chosen,
            link=lambda **changes: link({}, **changes),
            server_errors=row.status_classes.get("5xx", 0.0),
            parameters=operation.parameters,
            operation=operation.messages,
            findings=insight.findings(row),
            changes=insight.changes(endpoint=row.id, limit=20)[1],
            here=f"/endpoints/{row.id}",
        )

    def _evidence(self, request: Request) -> Response:
        parameters.only(request.query_params)
        reader, identity = self._catalogs.reader(request), request.path_params["identity"]
        row = reader.endpoint(identity)
        if row is None:
            raise HTTPException(404, "no such endpoint; it may have been merged into another")
        decided = reader.template(identity)
        segments = explain(decided) if decided else ()
        return self._renderer.page(request, "evidence.html", row=row, segments=segments)

    def _sensors(self, request: Request) -> Response:
        parameters.only(request.query_params, "said")
        rows, now_ns = self._catalogs.reader(request).sensors(limit=100)[1], self._renderer.clock_ns()
        return self._renderer.page(request, "sensors.html", sensors=[sensor_view(r, now_ns) for r in rows])

    def _range(self, request: Request, first_seen_ns: int) -> str:
        now_s = self._renderer.clock_ns() // SECOND_NS
        young = now_s - first_seen_ns // SECOND_NS < _YOUNG_S
        chosen = request.query_params.get("range", "1h" if young else "24h")
        if chosen not in RANGES:
            raise BadParameter("range", f"must be one of {', '.join(RANGES)}")
        return chosen

    def _chart(self, reader: CatalogReader, chosen: str, endpoint: int = WHOLE_CATALOG) -> Chart:
        now_s = self._renderer.clock_ns() // SECOND_NS
        size, _ = RANGES[chosen]
        return chart(reader.traffic(size, range_start(chosen, now_s), endpoint), chosen, now_s)
