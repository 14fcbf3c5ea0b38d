"""One engine that compares descriptions: with each other (contract), and with traffic (containment)."""

from __future__ import annotations

from levo.satellite.openapi.comparison.checking import check
from levo.satellite.openapi.comparison.contract import diff
from levo.satellite.openapi.comparison.description import Description, served_paths
from levo.satellite.openapi.comparison.statement import Answer, Statement
from levo.satellite.openapi.comparison.traffic import Coverage, compare
from levo.satellite.openapi.comparison.verdict import Change, Level

__all__ = [
    "Answer",
    "Change",
    "Coverage",
    "Description",
    "Level",
    "Statement",
    "check",
    "compare",
    "diff",
    "served_paths",
]
