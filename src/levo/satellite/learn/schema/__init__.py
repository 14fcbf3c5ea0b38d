"""Schemas as mergeable state: what was seen at each place of a message."""

from __future__ import annotations

from levo.satellite.learn.schema.body import MAX_BODY_BYTES, Body, media_kind, observe_body, read_body
from levo.satellite.learn.schema.merging import absorb, merge
from levo.satellite.learn.schema.node import Check, Node, Variant
from levo.satellite.learn.schema.observe import Observer
from levo.satellite.learn.schema.text import BINARY, MIXED, Text, is_name

__all__ = [
    "BINARY",
    "MAX_BODY_BYTES",
    "MIXED",
    "Body",
    "Check",
    "Node",
    "Observer",
    "Text",
    "Variant",
    "absorb",
    "is_name",
    "media_kind",
    "merge",
    "observe_body",
    "read_body",
]
