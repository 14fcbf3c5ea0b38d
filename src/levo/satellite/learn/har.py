"""API traces from HAR 1.2 documents as exporters write them; what cannot be used is counted by reason."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

from levo.satellite.learn.trace import (
    METHODS,
    Fields,
    Origin,
    Trace,
    clean_host,
    host_of,
    scheme_of,
    status_of,
)

_OTHER_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_TEXT_BASE64 = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")
_SPACES = re.compile(r"\s+")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FORM = "application/x-www-form-urlencoded"
_LAST_S = 253_402_300_799
"""The end of the year 9999."""
_MILLISECONDS_FROM = 100_000_000_000
"""A number above it counts milliseconds, not seconds, since the Unix epoch."""


class Skipped(StrEnum):
    """Why an entry was not used at all."""

    NO_OBJECT = "not an object"
    NO_REQUEST = "no request"
    NO_METHOD = "no method"
    BAD_URL = "no absolute URL"
    VARIABLE = "a variable without a value in its URL"
    OTHER_SCHEME = "URL of another scheme than HTTP (data:, blob:, chrome-extension: ...)"


class Partly(StrEnum):
    """What was missing from an entry, or wrong with it, that was used all the same."""

    NO_RESPONSE = "no response"
    NO_TIME = "no valid startedDateTime, learned as of the entry before or the file's time"
    NOT_BASE64 = "text marked as base64 that is not, learned as it is"
    NO_BODY = "no text of the response body"
    BAD_STATUS = "a response without a valid status code"
    BAD_FIELD = "header fields without name or value, left out"


@dataclass(slots=True)
class HarReport:
    """What became of the entries of one document: each was used or skipped for one reason."""

    used: int = 0
    skipped: Counter[Skipped] = field(default_factory=Counter)
    partly: Counter[Partly] = field(default_factory=Counter)
    """Of those that were used; one entry may have several."""

    def lines(self) -> Iterator[str]:
        """Yield one line for each reason that occurred."""
        for skipped in Skipped:
            if count := self.skipped[skipped]:
                yield f"{_entries(count)} skipped: {skipped}"
        for partly in Partly:
            if count := self.partly[partly]:
                yield f"{_entries(count)} with {partly}"


class _Unusable(Exception):
    def __init__(self, reason: Skipped) -> None:
        super().__init__(reason)
        self.reason = reason


def read_har(
    document: Any, origin: Origin, report: HarReport | None = None, default_ns: int = 1
) -> Iterator[Trace]:
    """Yield the traces of a HAR document (as parsed from JSON), and count its entries in *report*.

    *default_ns* stands in for the time of entries that have none and follow none that has.

    Raises:
        ValueError: *document* is not a HAR.
    """
    log = document.get("log") if isinstance(document, Mapping) else None
    entries = log.get("entries") if isinstance(log, Mapping) else None
    if not isinstance(entries, list):
        raise ValueError("not a HAR: it has no list log.entries")
    report = HarReport() if report is None else report
    time_ns = default_ns
    for entry in entries:
        try:
            trace, faults = _read_entry(entry, origin, time_ns)
        except _Unusable as unusable:
            report.skipped[unusable.reason] += 1
            continue
        report.used += 1
        report.partly.update(faults)
        time_ns = trace.start_ns
        yield trace


def _read_entry(entry: Any, origin: Origin, default_ns: int) -> tuple[Trace, set[Partly]]:
    if not isinstance(entry, Mapping):
        raise _Unusable(Skipped.NO_OBJECT)
    request = entry.get("request")
    if not isinstance(request, Mapping) or not request:
        raise _Unusable(Skipped.NO_REQUEST)
    faults: set[Partly] = set()
    fields = _fields(request.get("headers"), faults)
    url, scheme = _url(request.get("url"))
    method = _text(request.get("method")).strip().upper()
    if not method:
        raise _Unusable(Skipped.NO_METHOD)
    body, fields = _posted(request.get("postData"), fields, faults)
    status, answer, answered, whole = _response(entry.get("response"), faults)
    start_ns = _time_ns(entry.get("startedDateTime"))
    if start_ns is None:
        faults.add(Partly.NO_TIME)
        start_ns = default_ns
    trace = Trace(
        origin,
        host_of(clean_host(url.hostname or ""), _port(url), scheme),
        method if method in METHODS else "_OTHER",
        url.path or "/",
        status,
        1.0,
        start_ns,
        start_ns + _duration_ns(entry.get("time")),
        url.query,
        "",
        fields,
        answered,
        body,
        answer,
        _is_whole(request),
        whole,
        scheme=scheme,
    )
    return trace, faults


def _url(value: Any) -> tuple[SplitResult, str]:
    text = _text(value).strip()
    if "{{" in text.partition("?")[0]:
        raise _Unusable(Skipped.VARIABLE)
    try:
        url = urlsplit(text)
        if not url.hostname:
            known = not url.scheme or scheme_of(url.scheme) or not _OTHER_SCHEME.match(text)
            raise _Unusable(Skipped.BAD_URL if known else Skipped.OTHER_SCHEME)
        _ = url.port
    except ValueError as error:
        raise _Unusable(Skipped.BAD_URL) from error
    scheme = scheme_of(url.scheme)
    if not scheme:
        raise _Unusable(Skipped.OTHER_SCHEME if url.scheme else Skipped.BAD_URL)
    return url, scheme


def _port(url: SplitResult) -> int:
    return url.port or 0


def _posted(data: Any, fields: Fields, faults: set[Partly]) -> tuple[bytes, Fields]:
    """Return the request's body, and its fields with the content type that the body has."""
    if not isinstance(data, Mapping):
        return b"", fields
    media = _text(data.get("mimeType")).strip()
    text = data.get("text")
    if isinstance(text, str) and text:
        encoding = data.get("encoding", data.get("_encoding"))
        return _octets(text, encoding, faults), _with_type(fields, media)
    params = data.get("params")
    pairs = [
        (_text(each["name"]), _text(each.get("value")))
        for each in (params if isinstance(params, list) else ())
        if isinstance(each, Mapping) and each.get("name")
    ]
    if not pairs:
        return b"", _with_type(fields, media)
    declared = next((value for name, value in fields if name == "content-type"), media)
    if declared.lower().startswith("multipart/"):
        # The parts' own boundary is lost with the text: one that no value holds does as well.
        number = 0
        while any(f"levo{number}" in value for _, value in pairs):
            number += 1
        others = tuple(each for each in fields if each[0] != "content-type")
        content_type = f"multipart/form-data; boundary=levo{number}"
        return _parts(pairs, f"levo{number}"), (*others, ("content-type", content_type))
    return urlencode(pairs).encode(), _with_type(fields, media or _FORM)


def _parts(pairs: list[tuple[str, str]], boundary: str) -> bytes:
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{_SPACES.sub(" ", name)}"\r\n\r\n{value}\r\n'
        for name, value in pairs
    ]
    return f"{''.join(parts)}--{boundary}--\r\n".encode()


def _response(value: Any, faults: set[Partly]) -> tuple[int, bytes, Fields, bool]:
    """Return status, body, fields, and whether the body is whole."""
    nothing: tuple[int, bytes, Fields, bool] = (0, b"", (), True)
    if not isinstance(value, Mapping):
        faults.add(Partly.NO_RESPONSE)
        return nothing
    status = status_of(value.get("status"))
    if not status:
        faults.add(Partly.NO_RESPONSE)
        return nothing
    if status < 0:
        faults.add(Partly.BAD_STATUS)
    fields = _fields(value.get("headers"), faults)
    content = value.get("content")
    if not isinstance(content, Mapping):
        return status, b"", fields, True
    fields = _with_type(fields, _text(content.get("mimeType")).strip())
    text = content.get("text")
    if isinstance(text, str):
        return status, _octets(text, content.get("encoding"), faults), fields, _is_whole(value)
    if _number(content.get("size")) > 0:
        faults.add(Partly.NO_BODY)
        return status, b"", fields, False
    return status, b"", fields, True


def _octets(text: str, encoding: Any, faults: set[Partly]) -> bytes:
    if isinstance(encoding, str) and encoding.strip().lower() == "base64":
        packed = _SPACES.sub("", text)
        if _TEXT_BASE64.fullmatch(packed):
            packed = packed.rstrip("=").translate({ord("-"): "+", ord("_"): "/"})
            try:
                return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
            except binascii.Error:
                pass
        faults.add(Partly.NOT_BASE64)
    return text.encode("utf-8", "replace")


def _fields(headers: Any, faults: set[Partly]) -> Fields:
    """Return header fields; some exporters write an object instead of a list."""
    if isinstance(headers, Mapping):
        headers = [{"name": name, "value": value} for name, value in headers.items()]
    found = []
    for each in headers if isinstance(headers, list) else ():
        name = _text(each.get("name")).strip() if isinstance(each, Mapping) else ""
        if name.startswith(":"):
            continue
        if _TOKEN.fullmatch(name) and isinstance(each.get("value"), str | int | float):
            found.append((name.lower(), _text(each["value"])))
        else:
            faults.add(Partly.BAD_FIELD)
    return tuple(found)


def _with_type(fields: Fields, media: str) -> Fields:
    """Return *fields* with a content type, if they have none and *media* is one."""
    if "/" not in media or any(name == "content-type" for name, _ in fields):
        return fields
    return (*fields, ("content-type", media))


def _text(value: Any) -> str:
    """Return a member as text that can be encoded; what is neither text nor a number is empty."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    text = str(value)
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _number(value: Any) -> float:
    try:
        found = float(value) if isinstance(value, str | int | float) else 0.0
    except (ValueError, OverflowError):
        return 0.0
    return found if math.isfinite(found) else 0.0


def _time_ns(value: Any) -> int | None:
    """Return an ISO 8601 text, or a number of seconds or milliseconds, as nanoseconds."""
    try:
        if isinstance(value, str) and not value.strip().replace(".", "", 1).isdigit():
            started = datetime.fromisoformat(value.strip())
            seconds = started.replace(tzinfo=started.tzinfo or UTC).timestamp()
        else:
            seconds = _number(value)
            seconds = seconds / 1000 if seconds > _MILLISECONDS_FROM else seconds
    except (ValueError, OverflowError, OSError):
        return None
    return int(seconds * 1e9) if 0 < seconds <= _LAST_S else None


def _duration_ns(value: Any) -> int:
    return int(min(max(_number(value), 0.0), 86_400_000.0) * 1e6)


def _is_whole(message: Mapping[str, Any]) -> bool:
    """Whether the sensor's own HAR does not say that octets of the body are missing."""
    return not (message.get("_truncated") or message.get("_missingBytes"))


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"
