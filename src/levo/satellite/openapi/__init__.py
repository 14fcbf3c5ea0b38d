"""OpenAPI documents from what was learned, and the differences between two. Pure: no I/O, no clock."""

from __future__ import annotations

from levo.satellite.openapi.comparison import (
    Answer,
    Change,
    Coverage,
    Level,
    Statement,
    check,
    compare,
    diff,
    served_paths,
)
from levo.satellite.openapi.document import render_document
from levo.satellite.openapi.hosts import third_parties
from levo.satellite.openapi.operation import Operation
from levo.satellite.openapi.read import DocumentRefused, read_document
from levo.satellite.openapi.schema import FieldDetection, SchemaWriter
from levo.satellite.openapi.texts import keep_texts

__all__ = [
    "Answer",
    "Change",
    "Coverage",
    "DocumentRefused",
    "FieldDetection",
    "Level",
    "Operation",
    "SchemaWriter",
    "Statement",
    "check",
    "compare",
    "diff",
    "keep_texts",
    "read_document",
    "render_document",
    "served_paths",
    "third_parties",
]
