"""What an export request must be to be taken in, in protobuf and in JSON."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import Any

import orjson
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from levo.satellite.queue import RecordKind
from levo.satellite.receive.salvage import salvage_traces
from levo.wire.validation import count_spans, holds_more_messages

Request = ExportTraceServiceRequest | ExportMetricsServiceRequest
_TYPES: dict[RecordKind, type[Request]] = {
    RecordKind.TRACES: ExportTraceServiceRequest,
    RecordKind.METRICS: ExportMetricsServiceRequest,
}
_TRACE_ID_BYTES, _SPAN_ID_BYTES = 16, 8
MAX_MESSAGES = 200_000
"""Of one request that must be decoded into objects: two octets on the wire become two hundred in memory."""
MAX_JSON_MARKS = 800_000
"""Commas and opening brackets of one JSON request: each may begin a value, that is an object."""


class BadRequest(Exception):
    """The octets are no export request. The text holds nothing of them."""


class TooMany(BadRequest):
    """The request holds more than may be decoded at once, however few octets it takes."""


@dataclass(frozen=True, slots=True)
class Checked:
    """An export request that will be handed over."""

    payload: bytes = field(repr=False)
    """Serialized, without what was rejected."""
    items: int
    """Spans, or metrics."""
    rejected: int
    """Spans that cannot be used: not decodable, or with ids of the wrong length."""


def check_protobuf(kind: RecordKind, octets: bytes) -> Checked:
    """Decode *octets* once to see that the learner can, and count.

    Raises:
        BadRequest: they are no protobuf message of *kind*, or :class:`TooMany`.
    """
    rejected = 0
    if kind is RecordKind.TRACES:
        spans = count_spans(octets)
        if spans is not None:
            return Checked(octets, spans, 0)
    if holds_more_messages(octets, MAX_MESSAGES, kind is RecordKind.METRICS):
        raise TooMany(f"the body holds more than {MAX_MESSAGES} messages")
    try:
        request = _TYPES[kind].FromString(octets)
    except DecodeError:
        # One string that is not UTF-8 makes the whole message undecodable: keep the other spans.
        salvaged = salvage_traces(octets) if kind is RecordKind.TRACES else None
        if salvaged is None:
            raise BadRequest("the body is not a protobuf message of this kind") from None
        octets, rejected = salvaged
        request = ExportTraceServiceRequest.FromString(octets)
    return _checked(request, octets, rejected)


def check_json(kind: RecordKind, octets: bytes) -> Checked:
    """Decode the JSON form (OTLP/JSON: ids in hexadecimal, enums as numbers, unknown fields ignored).

    Raises:
        BadRequest: *octets* are no JSON of this form, or :class:`TooMany` values.
    """
    if octets.count(b",") + octets.count(b"{") + octets.count(b"[") > MAX_JSON_MARKS:
        raise TooMany(f"the body holds more than {MAX_JSON_MARKS} values")
    try:
        value = orjson.loads(octets)
        if not isinstance(value, dict):
            raise BadRequest("the body is not a JSON object")
        if kind is RecordKind.TRACES:
            _ids_to_base64(value)
        request = json_format.ParseDict(value, _TYPES[kind](), ignore_unknown_fields=True)
    except (
        orjson.JSONDecodeError,
        json_format.ParseError,
        TypeError,
        AttributeError,
        ValueError,
        RecursionError,
    ):
        raise BadRequest("the body is not JSON of this kind") from None
    return _checked(request, request.SerializeToString(), 0)


def _checked(request: Request, octets: bytes, rejected: int) -> Checked:
    if isinstance(request, ExportMetricsServiceRequest):
        metrics = sum(len(s.metrics) for r in request.resource_metrics for s in r.scope_metrics)
        return Checked(octets, metrics, rejected)
    items = wrong = 0
    for resource_spans in request.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            spans = scope_spans.spans
            items += len(spans)
            bad = [
                index
                for index, span in enumerate(spans)
                if len(span.trace_id) != _TRACE_ID_BYTES or len(span.span_id) != _SPAN_ID_BYTES
            ]
            for index in reversed(bad):
                del spans[index]
            wrong += len(bad)
    if wrong:
        octets = request.SerializeToString()
    return Checked(octets, items - wrong, rejected + wrong)


def _ids_to_base64(value: dict[str, Any]) -> None:
    """Turn the hexadecimal ids of OTLP/JSON into the base64 of protobuf's JSON. A bad id becomes empty."""
    for resource_spans in _objects(value, "resourceSpans", "resource_spans"):
        for scope_spans in _objects(resource_spans, "scopeSpans", "scope_spans"):
            for span in _objects(scope_spans, "spans"):
                _convert_ids(span)
                for link in _objects(span, "links"):
                    _convert_ids(link)


def _convert_ids(holder: dict[str, Any]) -> None:
    for name in ("traceId", "trace_id", "spanId", "span_id", "parentSpanId", "parent_span_id"):
        if name in holder:
            try:
                holder[name] = base64.b64encode(bytes.fromhex(holder[name])).decode()
            except (ValueError, TypeError, binascii.Error):
                holder[name] = ""


def _objects(holder: dict[str, Any], *names: str) -> list[dict[str, Any]]:
    for name in names:
        if isinstance(found := holder.get(name), list):
            return [item for item in found if isinstance(item, dict)]
    return []
