"""API traces from exchanges, for learning without a Satellite."""

from __future__ import annotations

from levo.model.exchange import Exchange, Message, Response
from levo.satellite.learn.trace import (
    BAD_STATUS,
    DEFAULT_PORTS,
    HALF_READ,
    HEAD_CUT,
    INVALID_STATUS,
    METHODS,
    Fields,
    Origin,
    Trace,
    clean_host,
    scheme_of,
    status_of,
)


def trace_of(exchange: Exchange, origin: Origin) -> Trace | None:
    """Return the trace of *exchange*, None if its request was not seen."""
    request, response = exchange.request, exchange.response
    if request is None:
        return None
    scheme = scheme_of(request.scheme)
    incomplete = exchange.incomplete or ""
    return Trace(
        origin,
        _host(request.host, scheme, exchange.server.address, exchange.server.port),
        request.method if request.method in METHODS else "_OTHER",
        # As of a span: http://host and http://host/ are the same; without a target, nothing is known.
        request.path or ("/" if request.target else ""),
        _status(response),
        max(1.0, exchange.weight) if exchange.weight else 0.0,
        exchange.start_ns,
        max(exchange.start_ns, exchange.end_ns),
        request.query,
        exchange.client.address,
        _fields(request),
        () if response is None else _fields(response),
        request.body,
        b"" if response is None else response.body,
        _is_whole(request) and incomplete.removeprefix("request_") not in HALF_READ,
        response is not None
        and _is_whole(response)
        and incomplete.removeprefix("response_") not in HALF_READ,
        exchange.grpc,
        -1 if response is None else _grpc_status(response),
        scheme=scheme,
        request_head_whole=HEAD_CUT not in request.anomalies,
        response_head_whole=response is None or HEAD_CUT not in response.anomalies,
    )


def _status(response: Response | None) -> int:
    if response is None:
        return 0
    is_bad = BAD_STATUS.removeprefix("response.") in response.anomalies
    return INVALID_STATUS if is_bad else status_of(response.status)


def _host(named: str, scheme: str, address: str, port: int) -> str:
    host = clean_host(named)
    if not host and address:
        host = f"[{address}]" if ":" in address else address
        return host if port == DEFAULT_PORTS.get(scheme) else f"{host}:{port}"
    default = DEFAULT_PORTS.get(scheme)
    return host.removesuffix(f":{default}") if default else host


def _fields(message: Message) -> Fields:
    return tuple((name.lower(), value) for name, value in message.headers)


def _grpc_status(message: Message) -> int:
    for name, value in (*message.trailers, *message.headers):
        if name.lower() == "grpc-status":
            return int(value) if value.isascii() and value.isdigit() else -1
    return -1


def _is_whole(message: Message) -> bool:
    return message.complete and not message.truncated and not message.missing_bytes
