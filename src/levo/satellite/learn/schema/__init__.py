"""Schemas as mergeable state: what was seen at each place of a message."""

from __future__ import annotations

from levo.satellite.learn.schema.body import MAX_BODY_BYTES, media_kind, observe_body, read_body
from levo.satellite.learn.schema.merging import absorb, merge
from levo.satellite.learn.schema.messages import MATRIX, Body, Knowledge, Response
from levo.satellite.learn.schema.node import Check, Node, Variant
from levo.satellite.learn.schema.observe import Observer
from levo.satellite.learn.schema.packing import (
    DamagedKnowledge,
    pack_knowledge,
    pack_node,
    unpack_knowledge,
    unpack_node,
)
from levo.satellite.learn.schema.text import BINARY, MIXED, Text, is_name

__all__ = [
    "BINARY",
    "MATRIX",
    "MAX_BODY_BYTES",
    "MIXED",
    "Body",
    "Check",
    "DamagedKnowledge",
    "Knowledge",
    "Node",
    "Observer",
    "Response",
    "Text",
    "Variant",
    "absorb",
    "is_name",
    "media_kind",
    "merge",
    "observe_body",
    "pack_knowledge",
    "pack_node",
    "read_body",
    "unpack_knowledge",
    "unpack_node",
]
