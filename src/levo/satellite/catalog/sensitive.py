"""Sensitive data in the fields of endpoints, as a table of kinds and applications."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from levo.satellite.store import CatalogReader, EndpointRow
from levo.satellite.store.sensitive import SensitiveCount, SensitiveFilter, SensitiveItem


def sensitive_of(reader: CatalogReader, row: EndpointRow) -> list[SensitiveItem]:
    """Return the sensitive data of one endpoint, surest first."""
    _, found = reader.sensitive(SensitiveFilter(endpoint=row.id), limit=-1)
    return sorted(found, key=lambda item: (-item.confidence, item.location))


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


def table_of(counts: Iterable[SensitiveCount]) -> SensitiveTable:
    """Return how many fields of which kind each application has."""
    cells: Counter[tuple[str, str]] = Counter()
    directions: dict[str, Counter[str]] = defaultdict(Counter)
    categories: dict[str, str] = {}
    for kind, category, direction, application, fields in counts:
        cells[kind, application] += fields
        directions[kind][direction] += fields
        categories[kind] = category
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
