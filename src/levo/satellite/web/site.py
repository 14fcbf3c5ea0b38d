"""Puts routes together into the two ASGI applications: the site, and OTLP alone."""

from __future__ import annotations

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from levo.satellite.receive import Intake, otlp_routes
from levo.satellite.store import CatalogReader
from levo.satellite.web.guard import Guard
from levo.satellite.web.live import LiveChannel
from levo.satellite.web.metrics import Snapshot, metrics_route
from levo.satellite.web.pages import FOLDER, Pages
from levo.satellite.web.problems import on_http_exception, on_unexpected
from levo.satellite.web.rest import rest_routes


def build_site(
    *,
    intake: Intake,
    reader: CatalogReader,
    live: LiveChannel,
    snapshot: Callable[[], Snapshot],
    ready: Callable[[], bool],
    satellite_url: str,
    loopback_only: bool,
) -> Starlette:
    """Return the application of the main port: pages, REST, health, metrics, and OTLP as well."""
    routes: list[BaseRoute] = [
        *Pages(reader, satellite_url).routes(),
        *rest_routes(reader),
        live.route(),
        metrics_route(reader, snapshot),
        *_health_routes(ready),
        *otlp_routes(intake),
        Mount("/static", StaticFiles(directory=FOLDER / "static")),
    ]
    return _application(routes, [Middleware(Guard, loopback_only=loopback_only)])


def build_otlp_app(*, intake: Intake, ready: Callable[[], bool]) -> Starlette:
    """Return the application of the OTLP/HTTP port."""
    return _application([*otlp_routes(intake), *_health_routes(ready)], [])


def _application(routes: list[BaseRoute], middleware: list[Middleware]) -> Starlette:
    handlers = {HTTPException: on_http_exception, Exception: on_unexpected}
    return Starlette(routes=routes, middleware=middleware, exception_handlers=handlers)


def _health_routes(ready: Callable[[], bool]) -> list[Route]:
    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_request: Request) -> Response:
        return PlainTextResponse("ready\n") if ready() else PlainTextResponse("not ready\n", 503)

    return [Route("/healthz", healthz), Route("/readyz", readyz)]
