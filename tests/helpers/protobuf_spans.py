"""The oracle of ``learn/spans.pyx``: API traces out of the message objects of protobuf.

Slow and plain. How a host, a scheme or a status is named is the product's; what a span says is read anew.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from levo.satellite.learn.trace import (
    BAD_STATUS,
    CLOCK_TOLERANCE_NS,
    EARLIEST_NS,
    HALF_READ,
    HEAD_CUT,
    INVALID_STATUS,
    LONGEST_NS,
    MAX_WEIGHT,
    METHODS,
    Origin,
    Trace,
    host_of,
    read_origin,
    scheme_of,
    status_of,
)

_WANTED = frozenset(
    (
        "http.request.method",
        "url.scheme",
        "url.path",
        "server.address",
        "server.port",
        "http.response.status_code",
        "levo.anomalies",
        "levo.findings",
        "levo.sample.weight",
        "url.query",
        "client.address",
        "levo.http.request.body",
        "levo.http.request.body.truncated",
        "levo.http.request.body.missing_bytes",
        "levo.http.response.body",
        "levo.http.response.body.truncated",
        "levo.http.response.body.missing_bytes",
        "levo.exchange.incomplete",
        "rpc.system",
        "rpc.grpc.status_code",
        "levo.http.request.target",
    )
)
_REQUEST_HEADER, _RESPONSE_HEADER = "http.request.header.", "http.response.header."


def read_traces(
    request: ExportTraceServiceRequest, organization: str, received_ns: int
) -> Iterator[Trace | None]:
    """Yield one item per span in order: an API trace, or None for a span that is no HTTP server exchange.

    Args:
        organization: what the sender's header said; it wins over the resource's attribute.
        received_ns: stands in for times that are absent or lie in the future.
    """
    for resource_spans in request.resource_spans:
        origin = read_origin(resource_spans.resource, organization)
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield _read_span(span, origin, received_ns)


def _read_span(span: Span, origin: Origin, received_ns: int) -> Trace | None:
    if span.kind != Span.SPAN_KIND_SERVER:
        return None
    values: dict[str, AnyValue] = {}
    request_headers: list[tuple[str, str]] = []
    response_headers: list[tuple[str, str]] = []
    for attribute in span.attributes:
        key = attribute.key
        if key in _WANTED:
            values[key] = attribute.value
        elif key.startswith(_REQUEST_HEADER):
            _read_fields(request_headers, key[len(_REQUEST_HEADER) :], attribute.value)
        elif key.startswith(_RESPONSE_HEADER):
            _read_fields(response_headers, key[len(_RESPONSE_HEADER) :], attribute.value)
    method = _text_of(values, "http.request.method")
    if not method:
        return None
    if method not in METHODS:
        method = "_OTHER"
    end_ns = span.end_time_unix_nano or span.start_time_unix_nano
    took_ns = max(0, end_ns - (span.start_time_unix_nano or end_ns))
    if took_ns > LONGEST_NS:
        took_ns = 0
    if not EARLIEST_NS <= end_ns <= received_ns + CLOCK_TOLERANCE_NS:
        end_ns = received_ns
    return Trace(
        origin,
        _host(values),
        method,
        _text_of(values, "url.path") or ("/" if "levo.http.request.target" in values else ""),
        _status(values),
        _weight(values.get("levo.sample.weight")),
        end_ns - took_ns,
        end_ns,
        _text_of(values, "url.query"),
        _text_of(values, "client.address"),
        tuple(request_headers),
        tuple(response_headers),
        _octets_of(values, "levo.http.request.body"),
        _octets_of(values, "levo.http.response.body"),
        _is_whole(values, "request") and not _has_anomaly(values, f"request.{HEAD_CUT}"),
        _is_whole(values, "response") and not _has_anomaly(values, f"response.{HEAD_CUT}"),
        _text_of(values, "rpc.system") == "grpc",
        _int_of(values, "rpc.grpc.status_code") if "rpc.grpc.status_code" in values else -1,
        span.trace_id + span.span_id,
        scheme_of(_text_of(values, "url.scheme")),
        not _has_anomaly(values, f"request.{HEAD_CUT}"),
        not _has_anomaly(values, f"response.{HEAD_CUT}"),
    )


def _status(values: dict[str, AnyValue]) -> int:
    value = values.get("http.response.status_code")
    kind = None if value is None else value.WhichOneof("value")
    if value is None or kind is None:
        status = 0
    elif kind == "int_value":
        status = status_of(value.int_value)
    elif kind == "string_value":
        status = status_of(value.string_value)
    else:
        status = status_of(value.double_value) if kind == "double_value" else INVALID_STATUS
    bad = _has_anomaly(values, BAD_STATUS) or _has_anomaly(values, BAD_STATUS, "levo.findings")
    return INVALID_STATUS if not status and bad else status


def _has_anomaly(values: dict[str, AnyValue], name: str, key: str = "levo.anomalies") -> bool:
    anomalies = values.get(key)
    return anomalies is not None and any(each.string_value == name for each in anomalies.array_value.values)


def _read_fields(fields: list[tuple[str, str]], name: str, value: AnyValue) -> None:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        fields.extend((name, each.string_value) for each in value.array_value.values)
    elif kind == "string_value":
        fields.append((name, value.string_value))


def _octets_of(values: dict[str, AnyValue], key: str) -> bytes:
    value = values.get(key)
    if value is None:
        return b""
    return value.string_value.encode() if value.WhichOneof("value") == "string_value" else value.bytes_value


def _is_whole(values: dict[str, AnyValue], side: str) -> bool:
    """Whether nothing of the body of *side* (``request``, ``response``) is known to be missing."""
    truncated = values.get(f"levo.http.{side}.body.truncated")
    incomplete = _text_of(values, "levo.exchange.incomplete")
    return not (
        (truncated is not None and truncated.bool_value)
        or _int_of(values, f"levo.http.{side}.body.missing_bytes")
        or incomplete.removeprefix(f"{side}_") in HALF_READ
    )


def _host(values: dict[str, AnyValue]) -> str:
    scheme = scheme_of(_text_of(values, "url.scheme"))
    return host_of(_text_of(values, "server.address"), _int_of(values, "server.port"), scheme)


def _weight(value: AnyValue | None) -> float:
    if value is None:
        return 1.0
    kind = value.WhichOneof("value")
    weight = float(value.int_value if kind == "int_value" else value.double_value)
    return min(weight, MAX_WEIGHT) if math.isfinite(weight) and weight >= 1.0 else 1.0


def _text_of(values: dict[str, AnyValue], key: str) -> str:
    value = values.get(key)
    return "" if value is None else value.string_value


def _int_of(values: dict[str, AnyValue], key: str) -> int:
    value = values.get(key)
    return 0 if value is None else value.int_value
