"""The catalog as whoever asks may see it. Nothing else in ``web`` decides whose rows are shown."""

from __future__ import annotations

from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from levo.satellite.access import identity_of
from levo.satellite.catalog.derived import DerivedCatalog
from levo.satellite.store import CatalogReader, EndpointRow
from levo.satellite.web.render import Renderer


class Catalogs:
    """Gives each request the reader of its organization, or of everything to those who may see it."""

    def __init__(
        self,
        reader: CatalogReader,
        on_decided: Callable[[], None] = lambda: None,
        archive_ns: int = 90 * 86_400 * 1_000_000_000,
    ) -> None:
        """*on_decided* is to be called, from any thread, after people said something about paths.

        Endpoints not seen for *archive_ns* are archived.
        """
        self._reader = reader
        self.archive_ns = archive_ns
        self.on_decided = on_decided
        self._whole = DerivedCatalog(reader)

    def reader(self, request: Request) -> CatalogReader:
        """Return the reader for *request*."""
        return self._reader.within(identity_of(request).organization)

    def endpoint(self, request: Request) -> EndpointRow:
        """Return the endpoint whose number is in the path of *request*.

        Raises:
            HTTPException: there is none that it may see.
        """
        row = self.reader(request).endpoint(request.path_params["identity"])
        if row is None:
            raise HTTPException(404, "no such endpoint")
        return row

    def derived(self, request: Request) -> DerivedCatalog:
        """Return what is derived from the catalog, for *request*."""
        return self._whole.through(self.reader(request))

    def revision(self, organization: str) -> int:
        """Return the number that grows with every change that *organization* can see."""
        return self._reader.within(organization).revision()


class CatalogPages:
    """What all pages over the catalog are built from."""

    def __init__(self, catalogs: Catalogs, renderer: Renderer) -> None:
        self._catalogs = catalogs
        self._renderer = renderer

    def _live(self, path: str, page: Callable[[Request], Response]) -> Route:
        """Return the route of a *page* that tells which state of the catalog it shows, or an earlier one."""

        def answer(request: Request) -> Response:
            request.scope["levo.revision"] = self._catalogs.reader(request).revision()
            return page(request)

        return Route(path, answer)
