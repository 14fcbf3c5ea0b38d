"""API traces out of OTLP: what the learner needs of a span, and nothing else."""

from __future__ import annotations

from functools import lru_cache

import msgspec
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from levo.satellite.learn.paths.segments import segment_key
from levo.satellite.learn.spans import SpanReader, read_spans

MAX_NAME_CHARACTERS = 200
"""Bound on names that become part of the catalog's keys (organization, application, host …)."""
MAX_WEIGHT = 1e9
_MAX_DIGITS = 9
CLOCK_TOLERANCE_NS = 300 * 1_000_000_000
EARLIEST_NS = 631_152_000 * 1_000_000_000
"""1990. No HTTP is older; a clock that says so was never set."""
NOT_SET_NS = 1_577_836_800 * 1_000_000_000
"""2020. A clock of a Satellite that is behind it was never set: there was none then."""
LONGEST_NS = 7 * 86_400 * 1_000_000_000
"""An exchange that took longer is one during which the clock was set."""
DEFAULT_PORTS = {"http": 80, "https": 443, "": 80}
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
"""WebSocket connections begin as HTTP (RFC 6455 section 1.3)."""
SCHEME_BITS = {"http": 1, "https": 2}
INVALID_STATUS = -1
"""Stands for a status code: there is a response, and it has no code from 100 to 599."""
INVALID = "invalid"
BAD_STATUS = "response.bad_status"
"""The sensor's anomaly for such a response."""
HEAD_CUT = "head_cut"
"""The sensor's anomaly for a message whose head was not captured whole, without its prefix."""
METHODS = frozenset(["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"])
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
    """Empty when unknown, as in an HTTP/2 connection that was joined late."""
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
    request_head_whole: bool = True
    """Every header field is there. Where not, nothing follows from a field that is absent."""
    response_head_whole: bool = True

    def __repr__(self) -> str:
        return f"Trace({self.method}, path of {len(self.path)} characters, status {self.status})"


def read_delivery(
    octets: bytes, organization: str, received_ns: int, latest_ns: int | None = None
) -> tuple[list[Resource], list[Trace | None]]:
    """Return the resources of an encoded trace request, and one item per span, in order.

    An item is an API trace, or None for a span that is no HTTP server exchange.

    Args:
        organization: what the sender's header said; it wins over the resource's attribute.
        received_ns: stands in for times that are absent, lie in the future, or are older than HTTP.
        latest_ns: what is later lies in the future; None: soon after *received_ns*.

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
            HALF_READ,
            received_ns,
            EARLIEST_NS,
            received_ns + CLOCK_TOLERANCE_NS if latest_ns is None else latest_ns,
            LONGEST_NS,
        )

    resources: list[Resource] = []
    try:
        traces: list[Trace | None] | None = read_spans(octets, reader_of)
        if traces is None:
            resources.clear()
            traces = read_spans(_rewritten(octets), reader_of)
    except DecodeError as error:
        raise ValueError("not a trace request") from error
    if traces is None:
        raise ValueError("protobuf wrote what cannot be read")
    return resources, traces


def _rewritten(octets: bytes) -> bytes:
    """Return the same request as protobuf writes it: each message in one piece, and nothing unknown."""
    request = ExportTraceServiceRequest.FromString(octets)
    request.DiscardUnknownFields()
    return request.SerializeToString()


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


HALF_READ = frozenset(("gap", "cut", "evicted", "unsampled_body", "mid_stream", "reset_stream", "still_open"))


@lru_cache(maxsize=4096)
def host_of(address: str, port: int, scheme: str) -> str:
    """Return how the catalog names a server: *port* is left out if it is the default of *scheme*."""
    host = clean_host(address)
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    default = DEFAULT_PORTS.get(scheme)
    return f"{host}:{port}" if 0 < port < 65536 and port != default else host


def _text(value: AnyValue) -> str:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return value.string_value
    return str(value.int_value) if kind == "int_value" else ""
