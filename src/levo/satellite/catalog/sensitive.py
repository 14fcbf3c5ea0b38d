"""Sensitive data in the fields of endpoints, with the verdicts of users."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from levo.satellite.catalog.place import place_of
from levo.satellite.openapi import Operation
from levo.satellite.openapi.document import SensitiveField, sensitive_fields
from levo.satellite.store import EndpointRow
from levo.satellite.store.userdata import EndpointPlace

Verdicts = Mapping[tuple[EndpointPlace, str], str]
"""``confirm`` or ``reject`` by (endpoint, ``location kind``)."""


class SensitiveItem(msgspec.Struct, frozen=True):
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
    contained: bool
    """Inside longer texts rather than the whole value."""
    verdict: str
    """``confirm`` or ``reject`` by a user, else empty."""


class KnownField(NamedTuple):
    """A field with sensitive data, without its endpoint."""

    kind: str
    category: str
    location: str
    direction: str
    confidence: float
    contained: bool


def location_of(field: SensitiveField) -> str:
    """Return where *field* is, in one word: ``response-body:200:items/*/email``."""
    where = f"{field.position}:{field.status}" if field.status else field.position
    return f"{where}:{field.pointer or '(whole)'}".replace(" ", "_")


def known_fields(operation: Operation) -> tuple[KnownField, ...]:
    """Return the sensitive fields of *operation*."""
    return tuple(
        KnownField(
            field.detection.kind,
            str(field.detection.category),
            location_of(field),
            field.direction,
            field.detection.confidence,
            field.detection.contained,
        )
        for field in sensitive_fields(operation)
    )


def sensitive_items(
    row: EndpointRow, fields: Sequence[KnownField], verdicts: Verdicts
) -> list[SensitiveItem]:
    """Return the sensitive data in *fields* of *row*."""
    place = place_of(row) if verdicts else None
    names = row.id, row.organization, row.environment, row.application, row.host, row.method, row.path
    return [
        SensitiveItem(
            *names,
            kind,
            category,
            location,
            direction,
            confidence,
            contained,
            verdicts.get((place, f"{location} {kind}"), "") if place else "",
        )
        for kind, category, location, direction, confidence, contained in fields
    ]


MAX_APPLICATIONS = 12
"""Columns of the table."""


class SensitiveRow(NamedTuple):
    """One kind of sensitive data."""

    kind: str
    category: str
    in_requests: int
    in_responses: int
    cells: tuple[tuple[str, int], ...]
    """(application, number of fields)."""


class SensitiveTable(NamedTuple):
    """Kinds against applications."""

    applications: tuple[str, ...]
    rows: tuple[SensitiveRow, ...]


def table_of(items: Sequence[SensitiveItem]) -> SensitiveTable:
    """Return how many fields of which kind each application has; those that a user rejected are left out."""
    cells: Counter[tuple[str, str]] = Counter()
    directions: dict[str, Counter[str]] = defaultdict(Counter)
    categories: dict[str, str] = {}
    for item in items:
        if item.verdict != "reject":
            cells[item.kind, item.application] += 1
            directions[item.kind][item.direction] += 1
            categories[item.kind] = item.category
    applications = sorted({application for _, application in cells})[:MAX_APPLICATIONS]
    rows = tuple(
        SensitiveRow(
            kind,
            categories[kind],
            directions[kind]["request"],
            directions[kind]["response"],
            tuple((application, cells[kind, application]) for application in applications),
        )
        for kind in sorted(categories, key=lambda k: (categories[k], -sum(directions[k].values()), k))
    )
    return SensitiveTable(tuple(applications), rows)
