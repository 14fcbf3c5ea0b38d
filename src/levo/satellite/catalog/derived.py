"""What is known beyond counts: schemas and changes. Empty where nothing has been learned yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import orjson

from levo.satellite.catalog.changes import Change, shown_change
from levo.satellite.catalog.operation import Operation, shown_operation
from levo.satellite.catalog.ttl_cache import TtlCache
from levo.satellite.openapi import Coverage, compare, render_document
from levo.satellite.store import CatalogReader, EndpointRow


class DerivedCatalog:
    """What is worked out from the catalog when it is asked for; what is dear is kept for a while."""

    def __init__(self, reader: CatalogReader) -> None:
        self._reader = reader
        self._coverages: TtlCache[Coverage] = TtlCache()

    def through(self, reader: CatalogReader) -> DerivedCatalog:
        """Return the same as *reader* may see it."""
        if reader is self._reader:
            return self
        part = DerivedCatalog(reader)
        part._coverages = self._coverages
        return part

    def operation(self, row: EndpointRow) -> Operation:
        """Return what *row* accepts and returns."""
        found = dict(self._reader.operations_of([row.id])).get(row.id)
        if found is None:
            return Operation()
        document = render_document("", [found], annotate=False, shared=False)
        written = next((o for item in document["paths"].values() for o in item.values()), None)
        shown = Operation() if written is None else shown_operation(written)
        return replace(shown, unproven=found.unnamed)

    def changes(
        self, *, endpoint: int | None = None, kind: str = "", limit: int = 100, offset: int = 0
    ) -> tuple[int, list[Change]]:
        """Return how many changes there are, and some of them, newest first."""
        total, rows = self._reader.events(endpoint=endpoint, kind=kind, limit=limit, offset=offset)
        return total, [shown_change(row) for row in rows]

    def each_change(self, *, endpoint: int | None = None, kind: str = "") -> Iterator[Change]:
        """Yield all changes that there are now, newest first."""
        for row in self._reader.each_event(endpoint=endpoint, kind=kind):
            yield shown_change(row)

    def document(self, place: tuple[str, str, str], version: str = "3.1") -> dict[str, Any] | None:
        """Return the OpenAPI document of (organization, environment, application), None if there is none."""
        operations = self._reader.operations(place)
        return render_document(place[2], operations, version=version) if operations else None

    def document_of(self, rows: Sequence[EndpointRow]) -> dict[str, Any]:
        """Return the OpenAPI document of these endpoints only."""
        found = self._reader.operations_of([row.id for row in rows])
        return render_document("", [operation for _, operation in found], annotate=False, shared=False)

    def coverage(self, place: tuple[str, str, str], uploaded_ns: int, description: str) -> Coverage:
        """Return an uploaded description (JSON) compared with traffic, up to a minute old if that is dear."""

        def make() -> Coverage:
            return compare(orjson.loads(description), self._reader.operations(place))

        return self._coverages.get((*place, str(uploaded_ns)), make)
