"""What is known beyond counts: schemas, sensitive data, changes. Empty where nothing has been learned yet."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from levo.satellite.catalog.changes import Change, shown_change
from levo.satellite.catalog.operation import Operation, shown_operation
from levo.satellite.catalog.sensitive import (
    KnownField,
    SensitiveItem,
    Verdicts,
    known_fields,
    sensitive_items,
)
from levo.satellite.catalog.ttl_cache import TtlCache
from levo.satellite.openapi import Coverage, compare, render_document
from levo.satellite.store import CatalogReader, EndpointRow
from levo.satellite.store.userdata import Decisions


class DerivedCatalog:
    """Cached derived catalog data, refreshed as traffic grows."""

    def __init__(self, reader: CatalogReader, decisions: Decisions) -> None:
        self._reader = reader
        self._decisions = decisions
        self._looked = _Looked()

    def through(self, reader: CatalogReader) -> DerivedCatalog:
        """Return the same as *reader* may see it."""
        if reader is self._reader:
            return self
        part = DerivedCatalog(reader, self._decisions)
        part._looked = self._looked
        return part

    def refresh(self, budget_s: float = 0.5, stopwatch: Callable[[], float] = time.monotonic) -> bool:
        """Look again at endpoints that have learned much since the last look; return whether all were.

        An endpoint is looked at anew when it has a quarter more traces, so that all looks together cost
        little however long it runs.
        """
        with self._looked.lock:
            known_by_id = self._looked.known
            end = stopwatch() + budget_s
            traces = self._reader.trace_counts()
            for gone in known_by_id.keys() - traces.keys():
                del known_by_id[gone]
                self._looked.times += 1
            due = [
                identity
                for identity, count in traces.items()
                if (known := known_by_id.get(identity)) is None or count > known.traces * 1.25
            ]
            for at in range(0, len(due), _BATCH):
                if stopwatch() > end:
                    return False
                batch = due[at : at + _BATCH]
                found = dict(self._reader.operations_of(batch))
                for identity in batch:
                    operation = found.get(identity)
                    fields = known_fields(operation) if operation is not None else ()
                    known_by_id[identity] = _Known(traces[identity], fields)
                self._looked.times += 1
            self._looked.ready = True
            return True

    @property
    def ready(self) -> bool:
        """Whether all endpoints have been looked at for sensitive data."""
        return self._looked.ready

    def sensitive_fields(self) -> int | None:
        """Return how many fields hold sensitive data, None while that is not known yet."""
        if not self.ready:
            return None
        mine = self._reader.trace_counts()
        return sum(len(known.fields) for at, known in list(self._looked.known.items()) if at in mine)

    def all_sensitive(self) -> Sequence[SensitiveItem]:
        """Return the sensitive data of all endpoints, by kind, then surest first.

        Worked out once for each state of the catalog, however many look.
        """
        looked, verdicts = self._looked, self._verdicts()
        state = looked.times, self._reader.revision(), frozenset(verdicts.items())
        known = looked.sensitive.get(self._reader.organization)
        if known is None or known[0] != state:
            known = state, self._find_all(verdicts)
            if len(looked.sensitive) >= _MAX_PARTS:
                looked.sensitive.clear()
            looked.sensitive[self._reader.organization] = known
        return known[1]

    def _find_all(self, verdicts: Verdicts) -> Sequence[SensitiveItem]:
        fields = {at: known.fields for at, known in list(self._looked.known.items()) if known.fields}
        found = [
            item
            for row in self._reader.endpoints_by_id(list(fields))
            for item in sensitive_items(row, fields[row.id], verdicts)
        ]
        found.sort(key=lambda f: (f.kind, -f.confidence, f.path, f.location))
        return tuple(found)

    def operation(self, row: EndpointRow) -> Operation:
        """Return what *row* accepts and returns."""
        found = dict(self._reader.operations_of([row.id])).get(row.id)
        if found is None:
            return Operation()
        document = render_document("", [found], annotate=False, shared=False)
        written = next((o for item in document["paths"].values() for o in item.values()), None)
        return Operation() if written is None else shown_operation(written)

    def sensitive(self, row: EndpointRow) -> list[SensitiveItem]:
        """Return the sensitive data of one endpoint, surest first."""
        operation = dict(self._reader.operations_of([row.id])).get(row.id)
        if operation is None:
            return []
        verdicts = self._verdicts()
        found = sensitive_items(row, known_fields(operation), verdicts)
        return sorted(found, key=lambda f: (-f.confidence, f.location))

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

        return self._looked.coverages.get((*place, str(uploaded_ns)), make)

    def _verdicts(self) -> Verdicts:
        decisions = self._decisions.in_force("confirm", "reject")
        return {(decision.endpoint, decision.detail): decision.kind for decision in decisions}


_BATCH = 20
_MAX_PARTS = 16
"""Organizations whose sensitive are kept."""


class _Looked:
    """What was found in the whole catalog, by endpoint."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.known: dict[int, _Known] = {}
        self.ready = False
        self.coverages: TtlCache[Coverage] = TtlCache()
        self.times = 0
        """Grows after each change of ``known``: what was worked out from half of one is worked out again."""
        self.sensitive: dict[str, tuple[object, Sequence[SensitiveItem]]] = {}
        """By organization: the state of everything that they were worked out from, and the sensitive."""


@dataclass(frozen=True, slots=True)
class _Known:
    traces: int
    fields: tuple[KnownField, ...]
