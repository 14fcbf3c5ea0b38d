"""The pages, rendered at the server. The URL is the state."""

from __future__ import annotations

from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from levo.satellite.access import identity_of
from levo.satellite.catalog.fleet import Fleet, fleet_of
from levo.satellite.catalog.place import place_of
from levo.satellite.catalog.sensitive import sensitive_of
from levo.satellite.catalog.sensors import sensor_view
from levo.satellite.catalog.series import EVERYTHING, RANGES, TrafficSeries, read_series
from levo.satellite.catalog.ttl_cache import TtlCache
from levo.satellite.learn.authentication import authentication_of
from levo.satellite.learn.paths.explain import explain
from levo.satellite.query import ENDPOINTS
from levo.satellite.query.fields import SEVERITIES
from levo.satellite.readiness import Cause, Readiness
from levo.satellite.store import CatalogReader, EndpointFilter
from levo.satellite.store.traffic import WHOLE_CATALOG
from levo.satellite.store.userdata import Decisions, Findings, Views
from levo.satellite.web import parameters
from levo.satellite.web.catalogs import CatalogPages, Catalogs
from levo.satellite.web.charts import chart
from levo.satellite.web.posture_pages import look_at_first, open_findings_of
from levo.satellite.web.problems import BadParameter
from levo.satellite.web.render import SECOND_NS, Renderer, link

PAGE_ROWS = 100
DAY_NS = 86_400 * SECOND_NS
_YOUNG_S = 3 * 3600
"""A catalog younger than this is shown by the minute."""


class Pages(CatalogPages):
    """Overview, catalog, endpoints, sensors."""

    def __init__(
        self,
        catalogs: Catalogs,
        decisions: Decisions,
        findings: Findings,
        views: Views,
        renderer: Renderer,
        readiness: Readiness,
    ) -> None:
        super().__init__(catalogs, renderer)
        self._readiness = readiness
        self._decisions = decisions
        self._findings = findings
        self._views = views
        self._fleets: TtlCache[Fleet] = TtlCache()

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
        size_s, _ = RANGES[chosen]
        new_total, newest = reader.endpoints(
            EndpointFilter(new_since_ns=now_ns - DAY_NS), sort="first_seen", limit=6
        )
        series = self._series(reader, chosen, summary.first_seen_ns)
        worth, first = look_at_first(self._findings, reader.organization)
        fleet = self._fleets.get((reader.organization,), lambda: fleet_of(reader.each_sensor(), now_ns))
        return self._renderer.page(
            request,
            "overview.html",
            summary=summary,
            worth=worth,
            first=first,
            severities=SEVERITIES,
            now_ns=now_ns,
            unknown_paths=summary.counters.get("unknown_path_exchanges", 0),
            chart=chart(series),
            ranges=list(RANGES),
            chosen=chosen,
            link=lambda **changes: link({}, **changes),
            new_total=new_total,
            newest=newest or reader.endpoints(EndpointFilter(), sort="first_seen", limit=6)[1],
            failing=reader.most_errors(size_s, 0 if chosen == EVERYTHING else series.start_s),
            applications=reader.applications(limit=8)[1],
            sensors=fleet.latest,
            sensor_count=fleet.sensors,
            silent=fleet.silent,
            lost=fleet.lost,
            hidden=fleet.hidden,
            unread=fleet.unread,
            sensitive=reader.count_sensitive() if reader.is_looked_at() else None,
        )

    def _catalog(self, request: Request) -> Response:
        query = request.query_params
        parameters.only(query, *parameters.CATALOG, "offset", "said")
        now_ns = self._renderer.clock_ns()
        archive_ns = self._catalogs.archive_ns
        box, wrong = parameters.filter_box(query, ENDPOINTS)
        if wrong:
            query = QueryParams({name: value for name, value in query.items() if name != "filter"})
        wanted = parameters.endpoint_filter(query, now_ns, archive_ns, hide_archived=True)
        offset = parameters.number(query, "offset", 0, parameters.MAX_OFFSET)
        sort = parameters.sort_order(query)
        reader = self._catalogs.reader(request)
        total, rows = (
            (0, []) if wrong else reader.endpoints(wanted, sort=sort, limit=PAGE_ROWS, offset=offset)
        )
        renamed = self._decisions.renamed()
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
            box=box,
            wrong=wrong,
            authentication=lambda row: authentication_of(row.access),
            kept=kept,
            query=link(kept)[1:],
            filtered=wanted != EndpointFilter(seen_ns=archive_ns),
            archived=reader.count_endpoints(EndpointFilter(unseen_ns=archive_ns)),
            summary=reader.summary(),
            facets=reader.facets(wanted),
            views=self._views.all(identity_of(request).organization),
            is_new=lambda row: now_ns - row.first_seen_ns < DAY_NS,
            shown=(lambda row: renamed.get(place_of(row), row.path)) if renamed else (lambda row: row.path),
            link=lambda **changes: link(kept, **changes),
        )

    def _endpoint(self, request: Request) -> Response:
        query = request.query_params
        parameters.only(query, "range", "said")
        identity = request.path_params["identity"]
        reader, derived = self._catalogs.reader(request), self._catalogs.derived(request)
        row = reader.endpoint(identity)
        if row is None:
            raise HTTPException(404, "no such endpoint; it may have been merged into another")
        if row.id != identity:
            return RedirectResponse(f"/endpoints/{row.id}", 301)
        place = place_of(row)
        state, path = self._decisions.triage(place)
        decisions = self._decisions.of(place)
        chosen = self._range(request, row.first_seen_ns)
        application = (row.organization, row.environment, row.application)
        operation = derived.operation(row)
        return self._renderer.page(
            request,
            "endpoint.html",
            row=row,
            path=path or row.path,
            state=state,
            decisions=decisions,
            chart=chart(self._series(reader, chosen, reader.first_seen_ns(application), row.id)),
            ranges=list(RANGES),
            chosen=chosen,
            link=lambda **changes: link({}, **changes),
            parameters=operation.parameters,
            operation=operation.messages,
            unproven=operation.unproven,
            fields=sensitive_of(reader, row),
            changes=derived.changes(endpoint=row.id, limit=20)[1],
            here=f"/endpoints/{row.id}",
            authentication=authentication_of(row.access),
            matrix=(("without a credential", row.access.anonymous), ("with one", row.access.credential)),
            classes=("2xx", "3xx", "401, 403", "other 4xx", "5xx"),
            findings=open_findings_of(self._findings, row.id, self._renderer.clock_ns()),
            severities=SEVERITIES,
            now_ns=self._renderer.clock_ns(),
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
        query = request.query_params
        parameters.only(query, "offset", "said")
        offset, now_ns = (
            parameters.number(query, "offset", 0, parameters.MAX_OFFSET),
            self._renderer.clock_ns(),
        )
        total, rows = self._catalogs.reader(request).sensors(limit=PAGE_ROWS, offset=offset)
        return self._renderer.page(
            request,
            "sensors.html",
            sensors=[sensor_view(row, now_ns) for row in rows],
            total=total,
            offset=offset,
            step=PAGE_ROWS,
            link=lambda **changes: link({}, **changes),
            troubles=self._troubles(identity_of(request).organization),
        )

    def _troubles(self, organization: str) -> list[str]:
        """What keeps this Satellite from learning, or did; who sees one organization gets no numbers."""
        causes, notes = self._readiness.causes(), self._readiness.notes()
        if organization:
            return ["This Satellite is not ready; its admin sees why."] if causes else []
        lines = [text for cause, text in causes.items() if cause is not Cause.RECORDS_LOST]
        return [f"not ready: {text}" for text in lines] + notes

    def _range(self, request: Request, first_seen_ns: int) -> str:
        now_s = self._renderer.clock_ns() // SECOND_NS
        young = now_s - first_seen_ns // SECOND_NS < _YOUNG_S
        chosen = request.query_params.get("range", "1h" if young else "24h")
        if chosen not in RANGES:
            raise BadParameter("range", f"must be one of {', '.join(RANGES)}")
        return chosen

    def _series(
        self, reader: CatalogReader, chosen: str, first_ns: int, endpoint: int = WHOLE_CATALOG
    ) -> TrafficSeries:
        now_s = self._renderer.clock_ns() // SECOND_NS
        return read_series(reader, chosen, now_s, first_ns // SECOND_NS, endpoint)
