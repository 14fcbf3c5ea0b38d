"""``--output har[:PATH]``: HTTP Archive 1.2, streamed entry by entry.

The file becomes valid JSON at ``close``. Fields that HAR does not know begin with an underscore, as it asks.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, unquote_plus

from levo import __version__
from levo.model.exchange import Exchange, Message, Request, Response
from levo.sensor.export.batch import EncodedRequest, ExportBatch
from levo.sensor.export.destination import Receipt
from levo.sensor.export.files import FileSink

_URL_SAFE = "!#$%&'()*+,/:;=?@[]~-._"
_PART_BYTES = 1024 * 1024
"""Entries are written in parts of about this size, so that a large batch is never text as a whole."""
_LAST_NS = 253_402_300_799 * 10**9
"""The end of the year 9999, past which ISO 8601 needs a fifth digit."""


class HarFile:
    """One ``log`` object. Nothing is sorted: entries come in order of completion."""

    consumes = False

    def __init__(
        self, path: Path | None, stdout: BinaryIO | None = None, owner: tuple[int, int] | None = None
    ) -> None:
        """*owner*: user and group of a file that is made."""
        self._sink = FileSink(path, stdout, owner=owner)
        self._opened = False
        self._entries = 0

    def encode(self, batch: ExportBatch, resource: bytes) -> Iterator[EncodedRequest]:
        texts: list[bytes] = []
        size = 0
        for exchange in batch.exchanges():
            text = json.dumps(har_entry(exchange), ensure_ascii=False, separators=(",", ":")).encode()
            texts.append(text)
            size += len(text)
            if size >= _PART_BYTES:
                yield EncodedRequest(len(texts), b",\n".join(texts))
                texts, size = [], 0
        if texts:
            yield EncodedRequest(len(texts), b",\n".join(texts))

    def send(self, request: EncodedRequest, timeout_s: float | None = None) -> Receipt:
        data = (b",\n" if self._entries else b"\n") + request.body
        if not self._opened:
            data = _prologue() + data
        self._sink.write(data)
        self._opened = True
        self._entries += request.traces
        return Receipt(bytes_sent=len(data))

    def send_metrics(self, encoded: bytes, timeout_s: float | None = None) -> Receipt:
        return Receipt()

    def close(self) -> None:
        """Make the file valid; without entries it is an empty archive."""
        try:
            self._sink.write((b"" if self._opened else _prologue()) + b"\n]}}\n")
        finally:
            self._sink.close()

    def abandon(self) -> None:
        """A blocked write cannot be cancelled."""


def har_entry(exchange: Exchange) -> dict[str, object]:
    """One member of ``log.entries``."""
    timings = _timings(exchange)
    entry: dict[str, object] = {
        "startedDateTime": _timestamp(exchange.start_ns),
        "time": round(sum(value for value in timings.values() if value > 0), 6),
        "request": _request(exchange),
        "response": _response(exchange.response),
        "cache": {},
        "timings": timings,
    }
    if exchange.server.address:
        entry["serverIPAddress"] = exchange.server.address
    if exchange.client.port:
        entry["connection"] = str(exchange.client.port)
    entry["_weight"] = exchange.weight
    if exchange.incomplete is not None:
        entry["_incomplete"] = exchange.incomplete
    return entry


def _request(exchange: Exchange) -> dict[str, object]:
    request = exchange.request
    if request is None:
        return {
            "method": "",
            "url": quote(f"http://{_authority(exchange)}/", safe=_URL_SAFE),
            "httpVersion": "",
            "cookies": [],
            "headers": [],
            "queryString": [],
            "headersSize": -1,
            "bodySize": -1,
            "comment": "the request was not captured",
        }
    out: dict[str, object] = {
        "method": request.method,
        "url": _url(exchange, request),
        "httpVersion": _http_version(request),
        "cookies": _request_cookies(request),
        "headers": _headers(request),
        "queryString": _query_string(request.query),
        "headersSize": -1,
        "bodySize": request.wire_body_size,
    }
    if request.body:
        text = request.body_text
        posted: dict[str, object] = {"mimeType": request.header("content-type") or "", "params": []}
        if text is not None:
            posted["text"] = text
        else:
            posted |= {"text": base64.b64encode(request.body).decode("ascii"), "_encoding": "base64"}
        out["postData"] = posted
    return out | _damage(request)


def _response(response: Response | None) -> dict[str, object]:
    if response is None:
        return {
            "status": 0,
            "statusText": "",
            "httpVersion": "",
            "cookies": [],
            "headers": [],
            "content": {"size": 0, "mimeType": "x-unknown"},
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": -1,
            "comment": "the response was not captured",
        }
    content: dict[str, object] = {
        "size": response.body_size,
        "mimeType": response.header("content-type") or "x-unknown",
    }
    if response.decoded:
        content["compression"] = response.body_size - response.wire_body_size
    if response.body:
        text = response.body_text
        if text is not None:
            content["text"] = text
        else:
            content |= {"text": base64.b64encode(response.body).decode("ascii"), "encoding": "base64"}
    return {
        "status": response.status,
        "statusText": response.reason,
        "httpVersion": _http_version(response),
        "cookies": [_set_cookie(value) for name, value in response.headers if name.lower() == "set-cookie"],
        "headers": _headers(response),
        "content": content,
        "redirectURL": response.header("location") or "",
        "headersSize": -1,
        "bodySize": response.wire_body_size,
    } | _damage(response)


def _damage(message: Message) -> dict[str, object]:
    out: dict[str, object] = {}
    if message.truncated:
        out["_truncated"] = True
    if message.missing_bytes:
        out["_missingBytes"] = message.missing_bytes
    if message.anomalies:
        out["_anomalies"] = list(message.anomalies)
    return out


def _headers(message: Message) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in message.headers]


def _request_cookies(request: Request) -> list[dict[str, str]]:
    cookies = []
    for name, value in request.headers:
        if name.lower() == "cookie":
            for pair in value.split(";"):
                key, _, text = pair.strip().partition("=")
                if key:
                    cookies.append({"name": key, "value": text})
    return cookies


def _set_cookie(line: str) -> dict[str, object]:
    """A Set-Cookie value as a HAR cookie (RFC 6265 section 5.2)."""
    pair, *attributes = line.split(";")
    name, _, value = pair.strip().partition("=")
    cookie: dict[str, object] = {"name": name, "value": value}
    for attribute in attributes:
        key, _, text = attribute.strip().partition("=")
        match key.lower():
            case "path" | "domain" as known:
                cookie[known] = text
            case "expires":
                try:
                    cookie["expires"] = parsedate_to_datetime(text).astimezone(UTC).isoformat()
                except (ValueError, TypeError, IndexError, OverflowError):
                    continue
            case "httponly":
                cookie["httpOnly"] = True
            case "secure":
                cookie["secure"] = True
            case "samesite":
                cookie["sameSite"] = text
    return cookie


def _query_string(query: str) -> list[dict[str, str]]:
    pairs = []
    for part in query.split("&") if query else ():
        if part:
            name, _, value = part.partition("=")
            pairs.append({"name": unquote_plus(name), "value": unquote_plus(value)})
    return pairs


def _url(exchange: Exchange, request: Request) -> str:
    """Absolute, without fragment or characters that a URI cannot hold (RFC 3986)."""
    authority = request.host or _authority(exchange)
    path = request.path if request.path.startswith("/") or not request.path else "/" + request.path
    query = f"?{request.query}" if request.query else ""
    return quote(f"{request.scheme or 'http'}://{authority}{path}{query}", safe=_URL_SAFE)


def _authority(exchange: Exchange) -> str:
    address = exchange.server.address or "unknown"
    host = f"[{address}]" if ":" in address else address
    return f"{host}:{exchange.server.port}" if exchange.server.port else host


def _http_version(message: Message) -> str:
    return f"HTTP/{message.version}" if message.version else ""


def _timings(exchange: Exchange) -> dict[str, float]:
    """Milliseconds. What a passive observer cannot know is -1."""
    request, response = exchange.request, exchange.response
    send = wait = receive = 0
    if request is not None and request.end_ns:
        send = max(0, request.end_ns - request.start_ns)
    if response is not None and response.end_ns:
        receive = max(0, response.end_ns - response.start_ns)
        if request is not None and request.end_ns:
            wait = max(0, response.start_ns - request.end_ns)
    return {
        "blocked": -1,
        "dns": -1,
        "connect": -1,
        "send": send / 1e6,
        "wait": wait / 1e6,
        "receive": receive / 1e6,
        "ssl": -1,
    }


def _timestamp(time_ns: int) -> str:
    seconds, rest_ns = divmod(min(max(time_ns, 0), _LAST_NS), 10**9)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest_ns // 1000)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _prologue() -> bytes:
    creator = json.dumps({"name": "levo-sensor", "version": __version__})
    return b'{"log":{"version":"1.2","creator":' + creator.encode() + b',"entries":['
