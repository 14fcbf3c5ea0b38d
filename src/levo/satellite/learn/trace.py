"""API traces out of OTLP: what the learner needs of a span, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

import msgspec
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from levo.satellite.learn.paths.segments import segment_key
from levo.satellite.learn.spans import (  # type: ignore[import-not-found,import-untyped,unused-ignore]
    SpanReader,
    read_spans,
)

MAX_NAME_CHARACTERS = 200
"""Bound on names that become part of the catalog's keys (organization, application, host …)."""
MAX_WEIGHT = 1e9
_MAX_DIGITS = 9
_CLOCK_TOLERANCE_NS = 300 * 1_000_000_000
DEFAULT_PORTS = {"http": 80, "https": 443, "": 80}
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
"""WebSocket connections begin as HTTP (RFC 6455 section 1.3)."""
SCHEME_BITS = {"http": 1, "https": 2}
INVALID_STATUS = -1
"""Stands for a status code: there is a response, and it has no code from 100 to 599."""
INVALID = "invalid"
BAD_STATUS = "response.bad_status"
"""The sensor's finding for such a response."""
METHODS = frozenset(["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"])
_WANTED = frozenset(
    (
        "http.request.method",
        "url.scheme",
        "url.path",
        "server.address",
        "server.port",
        "http.response.status_code",
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
    )
)
_REQUEST_HEADER, _RESPONSE_HEADER = "http.request.header.", "http.response.header."
Fields = tuple[tuple[str, str], ...]
"""(lower-case name, value) of header fields; those that came more than once, more than once."""


class Origin(msgspec.Struct, frozen=True, gc=False):
    """What a resource says about all of its spans. Empty means: it does not say."""

    organization: str
    environment: str
    application: str
    sensor: str


class Trace(msgspec.Struct, frozen=True, gc=False):
    """One API trace, reduced to what is learned from in this form. Lives in memory only."""

    origin: Origin
    host: str
    """``server.address``, lower case, with ``server.port`` unless it is the default of the scheme."""
    method: str
    path: str
    status: int
    """100 to 599, 0 when no response was seen, or :data:`INVALID_STATUS`."""
    weight: float
    """How many exchanges this trace stands for; at least 1."""
    start_ns: int
    end_ns: int
    query: str = ""
    """As sent, without the ``?``."""
    client: str = ""
    """``client.address``."""
    request_headers: Fields = ()
    response_headers: Fields = ()
    request_body: bytes = b""
    response_body: bytes = b""
    request_whole: bool = True
    """The body is all there; learned from only then."""
    response_whole: bool = True
    grpc: bool = False
    """A gRPC call."""
    grpc_status: int = -1
    """``grpc-status``; -1 when unknown."""
    identity: bytes = b""
    """Trace and span id; empty when there is none. Deliveries of the same span have the same."""
    scheme: str = ""
    """``http`` or ``https``; empty when unknown."""

    def __repr__(self) -> str:
        return f"Trace({self.method}, path of {len(self.path)} characters, status {self.status})"


def read_delivery(
    octets: bytes, organization: str, received_ns: int
) -> tuple[list[Resource], list[Trace | None]]:
    """Return the resources of an encoded trace request, and one item per span as ``read_traces`` yields them.

    Raises:
        ValueError: *octets* are no such request.
    """

    def reader_of(encoded: bytes) -> SpanReader:
        resource = Resource.FromString(encoded)
        resources.append(resource)
        origin = read_origin(resource, organization)
        return SpanReader(
            Trace,
            origin,
            METHODS,
            host_of,
            scheme_of,
            status_of,
            _HALF_READ,
            received_ns,
            _CLOCK_TOLERANCE_NS,
        )

    resources: list[Resource] = []
    traces: list[Trace | None] | None
    try:
        traces = read_spans(octets, reader_of)
        if traces is None:
            request = ExportTraceServiceRequest.FromString(octets)
            resources = [each.resource for each in request.resource_spans]
            traces = list(read_traces(request, organization, received_ns))
    except DecodeError as error:
        raise ValueError("not a trace request") from error
    return resources, traces


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


def read_origin(resource: Resource, organization: str) -> Origin:
    """Return who sent *resource*; *organization* is what the sender's header said."""
    values = {attribute.key: attribute.value for attribute in resource.attributes}

    def text(*keys: str, default: str = "") -> str:
        for key in keys:
            value = values.get(key)
            if value is not None and (found := _text(value)):
                return clean_name(found)
        return default

    return Origin(
        clean_name(organization) or text("levo.organization.id", default="default"),
        text("deployment.environment.name", "deployment.environment", default="default"),
        text("service.name", default="unknown"),
        text("levo.sensor.id"),
    )


def clean_name(name: str) -> str:
    """Return *name* without what is not printable, not longer than names may be."""
    name = name[:MAX_NAME_CHARACTERS].strip()
    if not name.isprintable():
        name = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
    return name


_MIN_TOKEN_CHARACTERS = 16
_TOKEN_KINDS = ("{hex}", "{integer}", "{long}", "{token}", "{uuid}")


def clean_host(host: str) -> str:
    """Return *host* as the catalog names it: lower case, and ``*`` for labels that are random tokens.

    A host name is part of the catalog, but a label that nobody chose (a UUID, a key, a session) is a value.
    """
    host = clean_name(host).lower().rstrip(".")
    if len(host) < _MIN_TOKEN_CHARACTERS or host.startswith("["):
        return host
    return ".".join(
        "*" if len(label) >= _MIN_TOKEN_CHARACTERS and segment_key(label, False) in _TOKEN_KINDS else label
        for label in host.split(".")
    )


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
    if not 0 < end_ns <= received_ns + _CLOCK_TOLERANCE_NS:
        end_ns = received_ns
    return Trace(
        origin,
        _host(values),
        method,
        _text_of(values, "url.path") or "/",
        _status(values),
        _weight(values.get("levo.sample.weight")),
        min(span.start_time_unix_nano or end_ns, end_ns),
        end_ns,
        _text_of(values, "url.query"),
        _text_of(values, "client.address"),
        tuple(request_headers),
        tuple(response_headers),
        _octets_of(values, "levo.http.request.body"),
        _octets_of(values, "levo.http.response.body"),
        _is_whole(values, "request"),
        _is_whole(values, "response"),
        _text_of(values, "rpc.system") == "grpc",
        _int_of(values, "rpc.grpc.status_code") if "rpc.grpc.status_code" in values else -1,
        span.trace_id + span.span_id,
        scheme_of(_text_of(values, "url.scheme")),
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
    findings = values.get("levo.findings")
    if status or findings is None:
        return status
    bad = any(each.string_value == BAD_STATUS for each in findings.array_value.values)
    return INVALID_STATUS if bad else 0


def status_of(code: object) -> int:
    """Return *code* as a trace has it; text and whole floating-point numbers are read, 0 is "no response"."""
    if isinstance(code, str):
        code = code.strip()
        if not code:
            return 0
        code = int(code) if len(code) <= _MAX_DIGITS and code.isascii() and code.isdigit() else INVALID_STATUS
    if isinstance(code, bool) or not isinstance(code, int | float):
        return 0 if code is None else INVALID_STATUS
    return int(code) if code == 0 or (100 <= code <= 599 and code == int(code)) else INVALID_STATUS


def status_name(status: int) -> str:
    """Return how a trace's status is shown: ``"0"`` is "no response seen", ``"invalid"`` no status code."""
    return str(status) if status == 0 or 100 <= status <= 599 else INVALID


@lru_cache(maxsize=64)
def scheme_of(named: str) -> str:
    """Return ``http`` or ``https`` for a URL's scheme, empty for others."""
    return _SCHEMES.get(named.lower(), "")


def schemes_of(bits: int) -> tuple[str, ...]:
    """Return the schemes of a union of :data:`SCHEME_BITS`."""
    return tuple(scheme for scheme, bit in SCHEME_BITS.items() if bits & bit)


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


_HALF_READ = frozenset(
    ("gap", "cut", "evicted", "unsampled_body", "mid_stream", "reset_stream", "still_open")
)


def _is_whole(values: dict[str, AnyValue], side: str) -> bool:
    """Whether nothing of the body of *side* (``request``, ``response``) is known to be missing."""
    truncated = values.get(f"levo.http.{side}.body.truncated")
    incomplete = _text_of(values, "levo.exchange.incomplete")
    return not (
        (truncated is not None and truncated.bool_value)
        or _int_of(values, f"levo.http.{side}.body.missing_bytes")
        or incomplete.removeprefix(f"{side}_") in _HALF_READ
    )


def _host(values: dict[str, AnyValue]) -> str:
    scheme = scheme_of(_text_of(values, "url.scheme"))
    return host_of(_text_of(values, "server.address"), _int_of(values, "server.port"), scheme)


@lru_cache(maxsize=4096)
def host_of(address: str, port: int, scheme: str) -> str:
    """Return how the catalog names a server: *port* is left out if it is the default of *scheme*."""
    host = clean_host(address)
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    default = DEFAULT_PORTS.get(scheme)
    return f"{host}:{port}" if 0 < port < 65536 and port != default else host


def _weight(value: AnyValue | None) -> float:
    if value is None:
        return 1.0
    kind = value.WhichOneof("value")
    weight = float(value.int_value if kind == "int_value" else value.double_value)
    return min(weight, MAX_WEIGHT) if math.isfinite(weight) and weight >= 1.0 else 1.0


def _text(value: AnyValue) -> str:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return value.string_value
    return str(value.int_value) if kind == "int_value" else ""


def _text_of(values: dict[str, AnyValue], key: str) -> str:
    value = values.get(key)
    return "" if value is None else value.string_value


def _int_of(values: dict[str, AnyValue], key: str) -> int:
    value = values.get(key)
    return 0 if value is None else value.int_value
