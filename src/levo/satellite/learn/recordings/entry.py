"""Messages as HAR 1.2 has them, from octets and header fields."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import brotli  # type: ignore[import-untyped]  # it has no types
import zstandard

Entry = dict[str, Any]
Headers = Sequence[tuple[str, str]]
MAX_DECODED = 64 << 20
"""Octets of one body with its codings undone; what would be larger stays as it is."""


def entry(request: Entry, response: Entry | None, started: float | None = None) -> Entry:
    """Return an entry; *started* in seconds since the Unix epoch."""
    found: Entry = {"request": request}
    if response is not None:
        found["response"] = response
    if started is not None:
        with suppress(ValueError, OverflowError, OSError):
            found["startedDateTime"] = datetime.fromtimestamp(started, UTC).isoformat()
    return found


def request_of(method: str, url: str, headers: Headers, body: bytes) -> Entry:
    """Return a request as HAR has it."""
    found: Entry = {"method": method, "url": url, "headers": _listed(headers)}
    if body:
        found["postData"] = _content(headers, body)
    return found


def response_of(status: int, headers: Headers, body: bytes) -> Entry:
    """Return a response as HAR has it."""
    return {"status": status, "headers": _listed(headers), "content": _content(headers, body)}


def _listed(headers: Headers) -> list[Entry]:
    return [{"name": name, "value": value} for name, value in headers]


def _content(headers: Headers, body: bytes) -> Entry:
    media = next((value for name, value in headers if name.lower() == "content-type"), "")
    codings = [
        coding.strip().lower()
        for name, value in headers
        if name.lower() == "content-encoding"
        for coding in value.split(",")
    ]
    text = base64.b64encode(decoded(body, codings)).decode()
    return {"mimeType": media, "text": text, "encoding": "base64", "size": len(body)}


def decoded(body: bytes, codings: Sequence[str]) -> bytes:
    """Return *body* with its content codings undone (RFC 9110 section 8.4); as it is where one is wrong."""
    for coding in reversed(codings):
        try:
            body = _decoded(body, coding)
        except (zlib.error, brotli.error, zstandard.ZstdError, ValueError):
            return body
    return body


def _decoded(body: bytes, coding: str) -> bytes:
    if coding in ("gzip", "x-gzip", "deflate"):
        raw = body[:2] != b"\x1f\x8b" and body[:1] != b"\x78"
        inflater = zlib.decompressobj(-zlib.MAX_WBITS if raw else zlib.MAX_WBITS | 32)
        found = inflater.decompress(body, MAX_DECODED)
        if inflater.unconsumed_tail or (raw and not inflater.eof):
            raise ValueError("too large, or not of this coding")
        return found
    if coding == "br":
        whole = bytearray()
        reader = brotli.Decompressor()
        for at in range(0, len(body), 4096):
            whole += reader.process(body[at : at + 4096])
            if len(whole) > MAX_DECODED:
                raise ValueError("too large")
        return bytes(whole)
    if coding == "zstd":
        found = zstandard.ZstdDecompressor().stream_reader(body).read(MAX_DECODED + 1)
        if len(found) > MAX_DECODED:
            raise ValueError("too large")
        return found
    return body
