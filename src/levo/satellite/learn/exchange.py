"""API traces from exchanges and from HAR files, for learning without a Satellite."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from levo.model.exchange import Exchange, Message
from levo.satellite.learn.trace import DEFAULT_PORTS, METHODS, Fields, Origin, Trace, clean_host


def trace_of(exchange: Exchange, origin: Origin) -> Trace | None:
    """Return the trace of *exchange*, None if its request was not seen."""
    request, response = exchange.request, exchange.response
    if request is None:
        return None
    return Trace(
        origin,
        _host(request.host, request.scheme, exchange.server.address, exchange.server.port),
        request.method if request.method in METHODS else "_OTHER",
        request.path or "/",
        response.status if response is not None else 0,
        max(1.0, exchange.weight),
        exchange.start_ns,
        max(exchange.start_ns, exchange.end_ns),
        request.query,
        exchange.client.address,
        _fields(request),
        () if response is None else _fields(response),
        request.body,
        b"" if response is None else response.body,
        _is_whole(request),
        response is not None and _is_whole(response),
        exchange.grpc,
        -1 if response is None else _grpc_status(response),
    )


def read_har(document: Any, origin: Origin) -> Iterator[Trace]:
    """Yield the traces of a HAR 1.2 document (as parsed from JSON), those entries that can be read.

    Raises:
        ValueError: *document* is no HAR.
    """
    entries = document.get("log", {}).get("entries") if isinstance(document, Mapping) else None
    if not isinstance(entries, list):
        raise ValueError("no HAR: it has no log.entries")
    for entry in entries:
        try:
            trace = _har_trace(entry, origin)
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
        yield trace


def _har_trace(entry: Mapping[str, Any], origin: Origin) -> Trace:
    request, response = entry["request"], entry["response"]
    url = urlsplit(request["url"])
    started = datetime.fromisoformat(entry["startedDateTime"])
    if started.tzinfo is None:
        started = started.replace(tzinfo=UTC)
    start_ns = max(1, int(started.timestamp() * 1e9))
    method = str(request["method"]).upper()
    status = int(response.get("status") or 0)
    sent, sent_whole = _posted(request.get("postData"))
    received, received_whole = _content(response.get("content") or {})
    return Trace(
        origin,
        _host(url.netloc.rpartition("@")[2], url.scheme, "", 0),
        method if method in METHODS else "_OTHER",
        url.path or "/",
        status if 100 <= status <= 599 else 0,
        1.0,
        start_ns,
        start_ns + max(0, int(float(entry.get("time") or 0) * 1e6)),
        url.query,
        "",
        _har_fields(request.get("headers")),
        _har_fields(response.get("headers")),
        sent,
        received,
        sent_whole,
        received_whole,
    )


def _posted(data: Any) -> tuple[bytes, bool]:
    if not isinstance(data, Mapping):
        return b"", True
    if data.get("text"):
        return str(data["text"]).encode("utf-8", "replace"), True
    return b"", not data.get("params")


def _content(content: Mapping[str, Any]) -> tuple[bytes, bool]:
    text = content.get("text")
    if not isinstance(text, str):
        return b"", not content.get("size")
    if content.get("encoding") == "base64":
        return base64.b64decode(text), True
    return text.encode("utf-8", "replace"), True


def _har_fields(headers: Any) -> Fields:
    return tuple(
        (str(h["name"]).lower(), str(h["value"])) for h in headers or () if not h["name"].startswith(":")
    )


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
