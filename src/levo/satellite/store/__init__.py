"""The embedded database: the only place with SQL.

One process writes, through :class:`CatalogWriter`; any number of threads read, through
:class:`CatalogReader`.
"""

from __future__ import annotations

from levo.satellite.store.reader import (
    ApplicationRow,
    CatalogReader,
    EndpointFilter,
    EndpointRow,
    FacetValue,
    RefusedRow,
    SensorRow,
    Summary,
)
from levo.satellite.store.schema import DATABASE_NAME
from levo.satellite.store.writer import CatalogWriter, Commit

__all__ = [
    "DATABASE_NAME",
    "ApplicationRow",
    "CatalogReader",
    "CatalogWriter",
    "Commit",
    "EndpointFilter",
    "EndpointRow",
    "FacetValue",
    "RefusedRow",
    "SensorRow",
    "Summary",
]
