"""Flows that mitmproxy saved: typed netstrings, one dictionary after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from levo.satellite.learn.recordings.entry import Entry, Headers, entry, request_of, response_of

_MOST_DIGITS = 12
_DEEPEST = 50


def mitmproxy_entries(octets: bytes) -> Iterator[Entry]:
    """Yield an entry for each HTTP flow; flows of other protocols are passed over.

    Raises:
        ValueError: the octets are no flows, or break off.
    """
    at = 0
    while at < len(octets):
        flow, at = _read(octets, at, 0)
        if not isinstance(flow, dict):
            raise ValueError("a flow is a dictionary")
        if isinstance(flow.get("request"), dict) and flow.get("type", "http") == "http":
            yield _entry(flow)


def _entry(flow: dict[str, Any]) -> Entry:
    request, response = flow["request"], flow.get("response")
    scheme, host = _text(request.get("scheme")) or "http", _text(request.get("host"))
    headers = _headers(request)
    named = _text(request.get("authority")) or next((v for n, v in headers if n.lower() == "host"), "")
    port = request.get("port")
    if not named:
        named = f"[{host}]" if ":" in host else host
        if isinstance(port, int) and port != {"https": 443, "http": 80}.get(scheme):
            named += f":{port}"
    url = f"{scheme}://{named}{_text(request.get('path'))}"
    asked = request_of(_text(request.get("method")), url, headers, _body(request))
    started = request.get("timestamp_start")
    answered = None
    if isinstance(response, dict):
        status = response.get("status_code")
        answered = response_of(status if isinstance(status, int) else 0, _headers(response), _body(response))
    return entry(asked, answered, started if isinstance(started, (int, float)) else None)


def _headers(message: dict[str, Any]) -> Headers:
    return [
        (_text(each[0]), _text(each[1]))
        for each in message.get("headers") or ()
        if isinstance(each, list) and len(each) == 2
    ]


def _body(message: dict[str, Any]) -> bytes:
    content = message.get("content")
    return content if isinstance(content, bytes) else b""


def _text(value: Any) -> str:
    return (
        value.decode("utf-8", "replace")
        if isinstance(value, bytes)
        else value
        if isinstance(value, str)
        else ""
    )


def _read(octets: bytes, at: int, depth: int) -> tuple[Any, int]:
    """Return the value that starts at *at*, and where the next one does: ``LENGTH:PAYLOADTYPE``."""
    colon = octets.find(b":", at, at + _MOST_DIGITS)
    digits = octets[at:colon]
    if colon < 0 or not digits.isdigit() or depth > _DEEPEST:
        raise ValueError("not a typed netstring")
    start, end = colon + 1, colon + 1 + int(digits)
    if end >= len(octets):
        raise ValueError("a flow breaks off")
    payload, kind = octets[start:end], octets[end : end + 1]
    if kind == b",":
        value: Any = payload
    elif kind == b";":
        value = payload.decode("utf-8", "replace")
    elif kind == b"#":
        value = int(payload)
    elif kind == b"^":
        value = float(payload)
    elif kind == b"!":
        value = payload == b"true"
    elif kind == b"~":
        value = None
    elif kind in (b"]", b"}"):
        parts = []
        inside = start
        while inside < end:
            part, inside = _read(octets, inside, depth + 1)
            parts.append(part)
        value = parts if kind == b"]" else _dictionary(parts)
    else:
        raise ValueError("a value of an unknown type")
    return value, end + 1


def _dictionary(parts: list[Any]) -> dict[str, Any]:
    return {_text(name): value for name, value in zip(parts[::2], parts[1::2], strict=False)}
