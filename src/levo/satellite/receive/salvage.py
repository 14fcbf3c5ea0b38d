"""Keeps the good spans of a trace request that cannot be decoded as a whole.

Protobuf rejects a message for one string that is not UTF-8, and captured traffic is full of octets that
are not. The framing of the outer messages is walked here, and protobuf tries every span by itself. Only
requests that failed come this way.
"""

from __future__ import annotations

from google.protobuf.message import DecodeError
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

from levo.wire import schema
from levo.wire.protobuf import WireError, field, fields


def salvage_traces(octets: bytes) -> tuple[bytes, int] | None:
    """Return an ``ExportTraceServiceRequest`` with the decodable spans of *octets*, and how many are missing.

    None if the framing around the spans is broken, or nothing at all could be kept.
    """
    try:
        kept, rejected = _resource_spans_list(octets)
    except WireError:
        return None
    return (kept, rejected) if rejected and kept else None


def _resource_spans_list(octets: bytes) -> tuple[bytes, int]:
    parts: list[bytes] = []
    rejected = 0
    for tag, value in fields(octets):
        if tag == schema.EXPORT_TRACE_SERVICE_REQUEST_RESOURCE_SPANS and isinstance(value, bytes):
            inner, bad = _resource_spans(value)
            rejected += bad
            parts.append(field(tag, inner))
    return b"".join(parts), rejected


def _resource_spans(octets: bytes) -> tuple[bytes, int]:
    parts: list[bytes] = []
    rejected = 0
    for tag, value in fields(octets):
        if not isinstance(value, bytes):
            continue
        if tag == schema.RESOURCE_SPANS_RESOURCE and _decodes(Resource, value):
            parts.append(field(tag, value))
        elif tag == schema.RESOURCE_SPANS_SCOPE_SPANS:
            inner, bad = _scope_spans(value)
            rejected += bad
            parts.append(field(tag, inner))
    return b"".join(parts), rejected


def _scope_spans(octets: bytes) -> tuple[bytes, int]:
    parts: list[bytes] = []
    rejected = 0
    for tag, value in fields(octets):
        if not isinstance(value, bytes):
            continue
        if tag == schema.SCOPE_SPANS_SPANS:
            if _decodes(Span, value):
                parts.append(field(tag, value))
            else:
                rejected += 1
        elif _decodes(ScopeSpans, field(tag, value)):
            parts.append(field(tag, value))
    return b"".join(parts), rejected


def _decodes(kind: type[Resource] | type[Span] | type[ScopeSpans], octets: bytes) -> bool:
    try:
        kind.FromString(octets)
    except DecodeError:
        return False
    return True
