"""The filter language: one grammar and one table of fields, for the catalog and for findings."""

from __future__ import annotations

from levo.satellite.query.evaluate import passes
from levo.satellite.query.expression import EVERYTHING, Expression
from levo.satellite.query.fields import ENDPOINTS, FINDINGS, Field, Fields, Kind
from levo.satellite.query.parse import FilterError, parse

__all__ = [
    "ENDPOINTS",
    "EVERYTHING",
    "FINDINGS",
    "Expression",
    "Field",
    "Fields",
    "FilterError",
    "Kind",
    "parse",
    "passes",
]
