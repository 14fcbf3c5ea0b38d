"""What is known beyond counts: schemas, sensitive data, changes. Empty where nothing has been learned yet."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import orjson

from levo.satellite.catalog.ttl_cache import TtlCache
from levo.satellite.openapi import Coverage, compare, render_document
from levo.satellite.openapi import Operation as StoredOperation
from levo.satellite.openapi.document import SensitiveField, sensitive_fields
from levo.satellite.store import CatalogReader, EndpointRow
from levo.satellite.store.desk import Desk, EndpointPlace, NewAlert
from levo.satellite.store.learned import EventRow
from levo.satellite.store.schema import anonymous_template


def place_of(row: EndpointRow) -> EndpointPlace:
    """Return how decisions name this endpoint."""
    return EndpointPlace(
        row.organization, row.environment, row.application, row.host, row.method, anonymous_template(row.path)
    )


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an operation."""

    name: str
    place: str
    """``path``, ``query``, ``header`` or ``cookie``."""
    required: bool
    schema: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Content:
    """One media type of a message."""

    media: str
    schema: dict[str, Any]
    example: str
    """JSON, made up; empty if there is none."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What one endpoint accepts and returns, for the page."""

    parameters: tuple[Parameter, ...] = ()
    messages: tuple[tuple[str, tuple[Content, ...]], ...] = ()
    """(title, contents) of the request body and of each answer."""


class Finding(msgspec.Struct, frozen=True):
    """Sensitive data in one field of one endpoint."""

    endpoint: int
    organization: str
    environment: str
    application: str
    host: str
    method: str
    path: str
    kind: str
    category: str
    location: str
    direction: str
    """``request`` or ``response``."""
    confidence: float
    verdict: str
    """``confirm`` or ``reject`` by a user, else empty."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that is new about an endpoint."""

    time_ns: int
    endpoint: int
    organization: str
    environment: str
    application: str
    method: str
    path: str
    kind: str
    title: str
    detail: str
    style: str
    """Badge: ``bad`` when it breaks clients, else ``warn`` or ``info``."""


class DerivedCatalog:
    """Reads through the catalog's reader. What is dear to work out is kept, and renewed as traffic grows."""

    def __init__(self, reader: CatalogReader, desk: Desk) -> None:
        self._reader = reader
        self._desk = desk
        self._looked = _Looked()

    def through(self, reader: CatalogReader) -> DerivedCatalog:
        """Return the same as *reader* may see it."""
        if reader is self._reader:
            return self
        part = DerivedCatalog(reader, self._desk)
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
                    fields = _known_fields(operation) if operation is not None else ()
                    known_by_id[identity] = _Known(traces[identity], fields)
                self._looked.times += 1
            self._looked.ready = True
            return True

    def sensitive_fields(self) -> int | None:
        """Return how many fields hold sensitive data, None while that is not known yet."""
        if not self._looked.ready:
            return None
        mine = self._reader.trace_counts()
        return sum(len(known.fields) for at, known in list(self._looked.known.items()) if at in mine)

    def all_findings(self) -> Sequence[Finding]:
        """Return the sensitive data of all endpoints, by kind, then surest first.

        Worked out once for each state of the catalog, however many look.
        """
        looked, verdicts = self._looked, self._verdicts()
        state = looked.times, self._reader.revision(), frozenset(verdicts.items())
        known = looked.findings.get(self._reader.organization)
        if known is None or known[0] != state:
            known = state, self._find_all(verdicts)
            if len(looked.findings) >= _MAX_PARTS:
                looked.findings.clear()
            looked.findings[self._reader.organization] = known
        return known[1]

    def _find_all(self, verdicts: Mapping[tuple[object, str], str]) -> Sequence[Finding]:
        fields = {at: known.fields for at, known in list(self._looked.known.items()) if known.fields}
        found = [
            finding
            for row in self._reader.endpoints_by_id(list(fields))
            for finding in _findings(row, fields[row.id], verdicts)
        ]
        found.sort(key=lambda f: (f.kind, -f.confidence, f.path, f.location))
        return tuple(found)

    def operation(self, row: EndpointRow) -> Operation:
        """Return what *row* accepts and returns."""
        found = dict(self._reader.operations_of([row.id])).get(row.id)
        if found is None:
            return Operation()
        document = render_document("", [found], annotate=False)
        written = next((o for item in document["paths"].values() for o in item.values()), None)
        return Operation() if written is None else shown_operation(written)

    def findings(self, row: EndpointRow) -> list[Finding]:
        """Return the sensitive data of one endpoint, surest first."""
        operation = dict(self._reader.operations_of([row.id])).get(row.id)
        if operation is None:
            return []
        verdicts = self._verdicts()
        found = _findings(row, _known_fields(operation), verdicts)
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
        return render_document("", [operation for _, operation in found], annotate=False)

    def coverage(self, place: tuple[str, str, str], uploaded_ns: int, description: str) -> Coverage:
        """Return an uploaded description (JSON) compared with traffic, up to a minute old if that is dear."""

        def make() -> Coverage:
            return compare(orjson.loads(description), self._reader.operations(place))

        return self._looked.coverages.get((*place, str(uploaded_ns)), make)

    def alerts(self, since_ns: int) -> list[NewAlert]:
        """Return what is worth an alert since a time."""
        found = []
        for row in self._reader.events(since_ns=since_ns, limit=200)[1]:
            change = shown_change(row)
            if change.style == "bad":
                subject = f"{row.endpoint} {row.kind} {row.detail}"
                text = f"{change.title}: {row.detail} at {row.method} {row.path} of {row.application}"
                found.append(NewAlert("breaking-change", subject, text, row.endpoint))
        if self._looked.ready:
            found += [
                NewAlert(
                    "new-sensitive-field",
                    f"{f.endpoint} {f.location} {f.kind}",
                    f"Sensitive data: {f.kind} in {f.location} of {f.method} {f.path} ({f.application})",
                    f.endpoint,
                )
                for f in self.all_findings()
                if f.confidence >= _SURE and f.verdict != "reject"
            ]
        return found

    def _verdicts(self) -> dict[tuple[object, str], str]:
        decisions = self._desk.decisions_in_force("confirm", "reject")
        return {(decision.endpoint, decision.detail): decision.kind for decision in decisions}


_BATCH = 20
_MAX_PARTS = 16
"""Organisations whose findings are kept."""
_SURE = 0.6


class _Looked:
    """What was found in the whole catalog, by endpoint."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.known: dict[int, _Known] = {}
        self.ready = False
        self.coverages: TtlCache[Coverage] = TtlCache()
        self.times = 0
        """Grows after each change of ``known``: what was worked out from half of one is worked out again."""
        self.findings: dict[str, tuple[object, Sequence[Finding]]] = {}
        """By organisation: the state of everything that they were worked out from, and the findings."""


class _Field(NamedTuple):
    kind: str
    category: str
    location: str
    direction: str
    confidence: float


@dataclass(frozen=True, slots=True)
class _Known:
    traces: int
    fields: tuple[_Field, ...]


def location_of(field: SensitiveField) -> str:
    """Return where *field* is, in one word: ``response-body:200:items/*/email``."""
    where = f"{field.position}:{field.status}" if field.status else field.position
    return f"{where}:{field.pointer or '(whole)'}".replace(" ", "_")


def _known_fields(operation: StoredOperation) -> tuple[_Field, ...]:
    return tuple(
        _Field(
            field.finding.kind,
            str(field.finding.category),
            location_of(field),
            field.direction,
            field.finding.confidence,
        )
        for field in sensitive_fields(operation)
    )


def _findings(
    row: EndpointRow, fields: Sequence[_Field], verdicts: Mapping[tuple[object, str], str]
) -> list[Finding]:
    place = place_of(row) if verdicts else None
    names = row.id, row.organization, row.environment, row.application, row.host, row.method, row.path
    return [
        Finding(
            *names,
            kind,
            category,
            location,
            direction,
            confidence,
            verdicts.get((place, f"{location} {kind}"), "") if verdicts else "",
        )
        for kind, category, location, direction, confidence in fields
    ]


def shown_operation(written: Mapping[str, Any]) -> Operation:
    """Return an operation of an OpenAPI document, which may be anybody's, for the page."""
    parameters = tuple(
        Parameter(
            str(each.get("name", "")),
            str(each.get("in", "")),
            bool(each.get("required")),
            _schema(each.get("schema")),
        )
        for each in written.get("parameters") or ()
        if isinstance(each, Mapping)
    )
    messages = []
    body = written.get("requestBody")
    if isinstance(body, Mapping) and body.get("content"):
        messages.append(("Request body", _contents(body)))
    for status, response in (written.get("responses") or {}).items():
        if isinstance(response, Mapping) and (status != "default" or response.get("content")):
            text = str(response.get("description", ""))
            messages.append((f"Answer {status} {text}".strip(), _contents(response)))
    return Operation(parameters, tuple(messages))


def _contents(holder: Mapping[str, Any]) -> tuple[Content, ...]:
    content = holder.get("content")
    if not isinstance(content, Mapping):
        return ()
    return tuple(
        Content(str(media), _schema(each.get("schema")), _example(each.get("example")))
        for media, each in content.items()
        if isinstance(each, Mapping)
    )


def _schema(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _example(value: Any) -> str:
    return "" if value is None else orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()[:20_000]


_TITLES = {
    "endpoint": ("New endpoint", "info"),
    "property": ("New property", "info"),
    "status": ("New status", "warn"),
    "authentication": ("New authentication", "bad"),
    "request-media-type": ("New request format", "info"),
    "response-media-type": ("New response format", "bad"),
}


def shown_change(row: EventRow) -> Change:
    """Return an event for people."""
    title, style = _TITLES.get(row.kind, (row.kind.replace("-", " ").capitalize(), "warn"))
    if row.kind == "status" and row.detail.startswith("5"):
        style = "bad"
    return Change(
        row.time_ns,
        row.endpoint,
        row.organization,
        row.environment,
        row.application,
        row.method,
        row.path,
        row.kind,
        title,
        row.detail,
        style,
    )
