"""The pages, rendered at the server. The URL is the state."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from levo import __version__
from levo.satellite.store import CatalogReader, EndpointFilter, EndpointRow
from levo.satellite.store.reader import STATUS_CLASSES
from levo.satellite.web import parameters
from levo.satellite.web.json_body import timestamp

FOLDER = Path(__file__).parent
PAGE_ROWS = 200
_DAY_NS = 86_400 * 1_000_000_000


class Pages:
    """Renders the catalog. Values from traffic pass through autoescape, always."""

    def __init__(
        self, reader: CatalogReader, satellite_url: str, clock_ns: Callable[[], int] = time.time_ns
    ) -> None:
        """*satellite_url* is what a sensor on this machine would be given as ``--satellite-url``."""
        self._reader = reader
        self._satellite_url = satellite_url
        self._clock_ns = clock_ns
        self._templates = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {
            "amount": amount,
            "timestamp": timestamp,
            "ago": self._ago,
            "path_parts": path_parts,
        }
        self._templates.globals |= {"version": __version__, "satellite_url": satellite_url}

    def routes(self) -> list[Route]:
        """Return the routes of the pages and of their live parts."""
        return [Route("/", self._catalog_page), Route("/parts/catalog", self._catalog_part)]

    def _catalog_page(self, request: Request) -> Response:
        return self._render("catalog.html", request)

    def _catalog_part(self, request: Request) -> Response:
        return self._render("catalog_part.html", request)

    def _render(self, template: str, request: Request) -> Response:
        query = request.query_params
        parameters.only(query, *parameters.FILTERS, "q", "sort", "offset")
        wanted = parameters.endpoint_filter(query)
        offset = parameters.number(query, "offset", 0, parameters.MAX_OFFSET)
        sort = parameters.sort_order(query)
        total, rows = self._reader.endpoints(wanted, sort=sort, limit=PAGE_ROWS, offset=offset)
        kept = {name: value for name, value in query.items() if value and name != "offset"}
        html = self._templates.get_template(template).render(
            rows=rows,
            total=total,
            offset=offset,
            last=offset + len(rows),
            sort=sort,
            wanted=wanted,
            filtered=wanted != EndpointFilter(),
            summary=self._reader.summary(),
            environments=self._reader.names("environment"),
            applications=self._reader.names("application"),
            methods=self._reader.names("method"),
            status_classes=list(STATUS_CLASSES),
            is_new=self._is_new,
            link=lambda **changes: _link(kept, changes),
        )
        return HTMLResponse(html, headers={"cache-control": "no-store"})

    def _is_new(self, row: EndpointRow) -> bool:
        return self._clock_ns() - row.first_seen_ns < 60 * 1_000_000_000

    def _ago(self, time_ns: int) -> str:
        return ago(time_ns, self._clock_ns())


def _link(kept: dict[str, str], changes: dict[str, str | int]) -> str:
    query = urlencode({name: value for name, value in {**kept, **changes}.items() if value not in ("", 0)})
    return f"?{query}" if query else "/"


def amount(value: float) -> str:
    """A count for people: grouped in thousands, from a million on rounded."""
    for size, unit in ((1e12, " T"), (1e9, " G"), (1e6, " M")):
        if value >= size:
            return f"{value / size:.1f}{unit}"
    return f"{value:,.0f}"


def ago(time_ns: int, now_ns: int) -> str:
    """How long ago, for people; a date after a week."""
    seconds = max(0, now_ns - time_ns) // 1_000_000_000
    if seconds < 5:
        return "now"
    for size, unit in ((60, "s"), (60, "min"), (24, "h"), (7, "d")):
        if seconds < size:
            return f"{seconds} {unit} ago"
        seconds //= size
    return datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).strftime("%Y-%m-%d")


def path_parts(template: str) -> list[tuple[str, bool]]:
    """Split a template into (text, whether it is a parameter), to be shown differently."""
    parts: list[tuple[str, bool]] = []
    for segment in template.split("/")[1:]:
        parts.append(("/", False))
        if segment:
            parts.append((segment, segment.startswith("{") and segment.endswith("}")))
    return parts
