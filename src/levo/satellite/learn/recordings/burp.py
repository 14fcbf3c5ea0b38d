"""Items that Burp Suite saved: XML with the octets of each request and response."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from xml.parsers import expat

from levo.satellite.learn.recordings.entry import Entry, Headers, entry, request_of, response_of

_PIECE = 1 << 16
_SPACE = " \t"
"""Around a field value (RFC 9110, section 5.6.3)."""
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_CHUNK = re.compile(rb"\s*([0-9A-Fa-f]{1,8})[^\r\n]*\r?\n")
_TIME = "%a %b %d %H:%M:%S %Z %Y"


def burp_entries(octets: bytes) -> Iterator[Entry]:
    """Yield an entry for each item.

    Raises:
        ValueError: this is no such file, or declares entities.
    """
    items: list[dict[str, str | bytes]] = []
    inside: dict[str, str | bytes] | None = None
    text: list[str] = []
    packed = False

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal inside, packed
        if name == "item":
            inside = {}
        text.clear()
        packed = attributes.get("base64") == "true"

    def end(name: str) -> None:
        nonlocal inside
        if inside is None:
            return
        if name == "item":
            items.append(inside)
            inside = None
            return
        value = "".join(text)
        inside[name] = _unpacked(value) if packed else value

    def refuse(*_: Any) -> None:
        raise ValueError("entities are not accepted")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = text.append
    parser.EntityDeclHandler = refuse
    try:
        for at in range(0, len(octets), _PIECE):
            parser.Parse(octets[at : at + _PIECE], at + _PIECE >= len(octets))
            for item in items:
                yield _entry(item)
            items.clear()
    except expat.ExpatError as error:
        raise ValueError("not XML") from error


def _unpacked(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except binascii.Error:
        return text.encode()


def _entry(item: dict[str, str | bytes]) -> Entry:
    sent, received = _octets(item.get("request")), _octets(item.get("response"))
    line, headers, body = _message(sent)
    method = str(item.get("method") or line.partition(" ")[0])
    request = request_of(method, str(item.get("url", "")), headers, body)
    if not received:
        return entry(request, None, _time(item.get("time")))
    line, headers, body = _message(received)
    code = line.split(" ")[1:2] or [str(item.get("status", ""))]
    status = int(code[0]) if code[0].isdigit() else 0
    return entry(request, response_of(status, headers, body), _time(item.get("time")))


def _octets(value: str | bytes | None) -> bytes:
    return value if isinstance(value, bytes) else (value or "").encode()


def _message(octets: bytes) -> tuple[str, Headers, bytes]:
    """Return start line, header fields and body of a message as it was on the wire."""
    found = _BLANK_LINE.search(octets)
    head, body = (octets, b"") if found is None else (octets[: found.start()], octets[found.end() :])
    # Not splitlines() and strip(): they also take 0x85 and 0xA0, which stand within UTF-8, for white space.
    line, *lines = [each.rstrip("\r") for each in head.decode("latin-1").split("\n")]
    headers = [
        (name.strip(_SPACE), value.strip(_SPACE))
        for name, colon, value in (each.partition(":") for each in lines)
        if colon
    ]
    if any(name.lower() == "transfer-encoding" and "chunked" in value.lower() for name, value in headers):
        body = _whole(body)
    return line, headers, body


def _whole(body: bytes) -> bytes:
    """Return a chunked body in one piece; as it is where it is not chunked, since Burp may have undone it."""
    found, at = bytearray(), 0
    while True:
        size = _CHUNK.match(body, at)
        if size is None:
            return bytes(found) or body
        length = int(size[1], 16)
        if not length:
            return bytes(found)
        if size.end() + length > len(body):
            return bytes(found) or body
        found += body[size.end() : size.end() + length]
        at = size.end() + length


def _time(value: str | bytes | None) -> float | None:
    """Return a time such as ``Fri May 17 09:30:00 CEST 2024``, whose zone is taken for UTC."""
    if not isinstance(value, str):
        return None
    words = value.split()
    if len(words) == 6:
        words[4] = "UTC"
    try:
        return datetime.strptime(" ".join(words), _TIME).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
