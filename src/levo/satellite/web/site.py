"""Puts routes together into the two ASGI applications: the site, and OTLP alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ExceptionHandler

from levo.satellite.access import Authenticator, AuthMiddleware
from levo.satellite.connections import ConnectionStatistics
from levo.satellite.readiness import Readiness
from levo.satellite.receive import Ingester, otlp_routes
from levo.satellite.store import CatalogReader
from levo.satellite.store.userdata import UserData
from levo.satellite.upkeep import UpkeepStatistics
from levo.satellite.web.account_pages import AccountPages
from levo.satellite.web.assets import Assets
from levo.satellite.web.backup import Backup
from levo.satellite.web.catalogs import Catalogs
from levo.satellite.web.connect import Connect
from levo.satellite.web.connect_page import ConnectPage
from levo.satellite.web.headers import SecurityHeaders
from levo.satellite.web.learned_pages import LearnedPages
from levo.satellite.web.live import LiveChannel
from levo.satellite.web.metrics import Snapshot, metrics_route
from levo.satellite.web.pages import Pages
from levo.satellite.web.posture_pages import PosturePages
from levo.satellite.web.problems import on_http_exception, on_site_exception, on_unexpected, problem
from levo.satellite.web.render import Renderer
from levo.satellite.web.rest import derived_routes, rest_routes
from levo.satellite.web.rest_decisions import decision_routes
from levo.satellite.web.rest_description import description_route
from levo.satellite.web.rest_findings import finding_routes
from levo.satellite.web.storage_faults import StorageFaults
from levo.satellite.web.triage import Triage


@dataclass(frozen=True, slots=True)
class SiteParts:
    """What the site is built over."""

    ingester: Ingester
    reader: CatalogReader
    userdata: UserData
    catalogs: Catalogs
    authenticator: Authenticator
    live: LiveChannel
    snapshot: Callable[[], Snapshot]
    readiness: Readiness
    connections: Callable[[], dict[str, ConnectionStatistics]]
    """By the name of the port."""
    backup: Backup
    satellite_url: str
    """What a sensor on this machine would be given as ``--satellite-url``."""
    connect: Connect
    loopback_only: bool
    webhook_link_local: bool
    upkeep: Callable[[], UpkeepStatistics | None] = lambda: None


def build_site(parts: SiteParts) -> Starlette:
    """Return the application of the main port: pages, REST, health, metrics, and OTLP as well."""
    catalogs, userdata = parts.catalogs, parts.userdata
    decisions, views, alerts = userdata.decisions, userdata.views, userdata.alerts
    assets = Assets()
    renderer = Renderer(parts.satellite_url, assets=assets, connect=parts.connect)
    triage = Triage(
        catalogs, decisions, views, userdata.removals, userdata.audit, renderer, userdata.findings
    )
    routes: list[BaseRoute] = [
        *Pages(catalogs, decisions, userdata.findings, views, renderer, parts.readiness).routes(),
        *LearnedPages(catalogs, renderer).routes(),
        *triage.routes(),
        *AccountPages(
            parts.authenticator,
            userdata.webhooks,
            alerts,
            renderer,
            parts.reader.storage,
            link_local=parts.webhook_link_local,
            upkeep=parts.upkeep,
        ).routes(),
        *ConnectPage(parts.authenticator, renderer).routes(),
        *rest_routes(catalogs, renderer.clock_ns),
        *derived_routes(catalogs),
        *PosturePages(catalogs, userdata.findings, userdata.audit, renderer).routes(),
        *finding_routes(userdata.findings, userdata.audit, renderer.clock_ns),
        *decision_routes(catalogs, decisions, views, userdata.audit, alerts, triage),
        description_route(),
        parts.backup.route(),
        parts.live.route(),
        metrics_route(parts.reader, parts.snapshot, parts.readiness.causes, parts.connections, parts.upkeep),
        *_health_routes(parts.readiness),
        *otlp_routes(parts.ingester),
        assets.route(),
    ]
    middleware = [
        Middleware(StorageFaults),
        Middleware(SecurityHeaders, loopback_only=parts.loopback_only),
        Middleware(AuthMiddleware, authenticator=parts.authenticator, problem=problem),
    ]
    return _application(routes, middleware, on_site_exception(renderer))


def build_otlp_app(*, ingester: Ingester, readiness: Readiness, loopback_only: bool) -> Starlette:
    """Return the application of the OTLP/HTTP port."""
    middleware = [
        Middleware(StorageFaults),
        Middleware(SecurityHeaders, loopback_only=loopback_only, setting="otlp-http"),
    ]
    return _application([*otlp_routes(ingester), *_health_routes(readiness)], middleware, on_http_exception)


def _application(
    routes: list[BaseRoute], middleware: list[Middleware], on_exception: ExceptionHandler
) -> Starlette:
    handlers: dict[Any, ExceptionHandler] = {HTTPException: on_exception, Exception: on_unexpected}
    return Starlette(routes=routes, middleware=middleware, exception_handlers=handlers)


def _health_routes(readiness: Readiness) -> list[Route]:
    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_request: Request) -> Response:
        causes = readiness.causes()
        if not causes:
            return PlainTextResponse("".join(f"{line}\n" for line in ("ready", *readiness.notes())))
        return PlainTextResponse("".join(f"not ready: {text}\n" for text in causes.values()), 503)

    return [Route("/healthz", healthz), Route("/readyz", readyz)]
