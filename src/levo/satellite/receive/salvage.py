"""Keeps the good spans of a trace request that cannot be decoded as a whole.

Protobuf rejects a message for one string that is not UTF-8, and captured traffic is full of octets that
are not. The framing of the outer messages is walked by hand here, and every span is tried by itself. Only
requests that failed come this way.
"""

from __future__ import annotations

from google.protobuf.message import DecodeError
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

_LENGTH_DELIMITED = 2
_MAX_VARINT_BYTES = 10


class _Malformed(Exception):
    """The framing itself is broken: nothing after it can be trusted."""


def salvage_traces(octets: bytes) -> tuple[bytes, int] | None:
    """Return an ``ExportTraceServiceRequest`` with the decodable spans of *octets*, and how many are missing.

    None if the framing around the spans is broken, or nothing at all could be kept.
    """
    try:
        kept, rejected = _resource_spans_list(octets)
    except _Malformed:
        return None
    return (kept, rejected) if rejected and kept else None


def _resource_spans_list(octets: bytes) -> tuple[bytes, int]:
    parts: list[bytes] = []
    rejected = 0
    for number, value in _fields(octets):
        if number != 1:
            continue
        inner: list[bytes] = []
        for field, content in _fields(value):
            if field == 1 and _decodes(Resource, content):
                inner.append(encode_field(1, content))
            elif field == 2:
                scope, bad = _scope_spans(content)
                rejected += bad
                inner.append(encode_field(2, scope))
        parts.append(encode_field(1, b"".join(inner)))
    return b"".join(parts), rejected


def _scope_spans(octets: bytes) -> tuple[bytes, int]:
    parts: list[bytes] = []
    rejected = 0
    for field, content in _fields(octets):
        if field == 2:
            if _decodes(Span, content):
                parts.append(encode_field(2, content))
            else:
                rejected += 1
        elif _decodes(ScopeSpans, encode_field(field, content)):
            parts.append(encode_field(field, content))
    return b"".join(parts), rejected


def _decodes(kind: type[Resource] | type[Span] | type[ScopeSpans], octets: bytes) -> bool:
    try:
        kind.FromString(octets)
    except DecodeError:
        return False
    return True


def _fields(octets: bytes) -> list[tuple[int, bytes]]:
    """The length-delimited fields of a message, in order; the messages walked here have no others."""
    found: list[tuple[int, bytes]] = []
    at = 0
    while at < len(octets):
        tag, at = _varint(octets, at)
        if tag & 7 != _LENGTH_DELIMITED or not tag >> 3:
            raise _Malformed
        size, at = _varint(octets, at)
        if size > len(octets) - at:
            raise _Malformed
        found.append((tag >> 3, octets[at : at + size]))
        at += size
    return found


def _varint(octets: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index, octet in enumerate(octets[at : at + _MAX_VARINT_BYTES]):
        value |= (octet & 0x7F) << (7 * index)
        if octet < 0x80:
            return value, at + index + 1
    raise _Malformed


def encode_field(number: int, content: bytes) -> bytes:
    return encode_varint(number << 3 | _LENGTH_DELIMITED) + encode_varint(len(content)) + content


def encode_varint(value: int) -> bytes:
    octets = bytearray()
    while value > 0x7F:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    octets.append(value)
    return bytes(octets)
