"""Sensitive data in the fields of endpoints, with the verdicts of users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from levo.satellite.catalog.place import place_of
from levo.satellite.openapi import Operation
from levo.satellite.openapi.document import SensitiveField, sensitive_fields
from levo.satellite.store import EndpointRow
from levo.satellite.store.desk import EndpointPlace

Verdicts = Mapping[tuple[EndpointPlace, str], str]
"""``confirm`` or ``reject`` by (endpoint, ``location kind``)."""


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


class KnownField(NamedTuple):
    """A field with sensitive data, without its endpoint."""

    kind: str
    category: str
    location: str
    direction: str
    confidence: float


def location_of(field: SensitiveField) -> str:
    """Return where *field* is, in one word: ``response-body:200:items/*/email``."""
    where = f"{field.position}:{field.status}" if field.status else field.position
    return f"{where}:{field.pointer or '(whole)'}".replace(" ", "_")


def known_fields(operation: Operation) -> tuple[KnownField, ...]:
    """Return the sensitive fields of *operation*."""
    return tuple(
        KnownField(
            field.finding.kind,
            str(field.finding.category),
            location_of(field),
            field.direction,
            field.finding.confidence,
        )
        for field in sensitive_fields(operation)
    )


def findings_of(row: EndpointRow, fields: Sequence[KnownField], verdicts: Verdicts) -> list[Finding]:
    """Return the findings in *fields* of *row*."""
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
            verdicts.get((place, f"{location} {kind}"), "") if place else "",
        )
        for kind, category, location, direction, confidence in fields
    ]
