"""What a receiver answers with: partial success, and ``google.rpc.Status`` with ``RetryInfo``.

Written by the Satellite and read by the sensor, without a protobuf library. Only what decides the fate of a
request is read: how many items a partial success rejected, and how long a ``RetryInfo`` asks to wait. Any
octets are safe: a malformed message reads as "says nothing".
"""

from __future__ import annotations

from levo.wire import schema
from levo.wire.protobuf import WireError, field, fields, number_field, signed

# google.rpc.Status and RetryInfo, google.protobuf.Any and Duration: not in the definitions of OTLP.
_STATUS_CODE, _STATUS_MESSAGE, _STATUS_DETAILS = 0x08, 0x12, 0x1A
_ANY_TYPE_URL, _ANY_CONTENT = 0x0A, 0x12
_RETRY_INFO_DELAY = 0x0A
_DURATION_SECONDS, _DURATION_NANOS = 0x08, 0x10
_RETRY_INFO = b"google.rpc.RetryInfo"
_MAX_DELAY_S = 315_576_000_000
"""The largest google.protobuf.Duration, 10,000 years; more is malformed."""


def status_message(code: int, text: str, retry_after_s: int | None = None) -> bytes:
    """Return a ``google.rpc.Status``; *retry_after_s* adds a ``RetryInfo``."""
    octets = number_field(_STATUS_CODE, code) if code else b""
    octets += field(_STATUS_MESSAGE, text.encode("utf-8", "replace"))
    if retry_after_s is None:
        return octets
    delay = field(_RETRY_INFO_DELAY, number_field(_DURATION_SECONDS, retry_after_s))
    details = field(_ANY_TYPE_URL, b"type.googleapis.com/" + _RETRY_INFO) + field(_ANY_CONTENT, delay)
    return octets + field(_STATUS_DETAILS, details)


def rejected_items(response: bytes) -> int:
    """Items rejected according to an ``Export{Trace,Metrics}ServiceResponse``; 0 when it says nothing.

    Both have the same tags, as a test checks.
    """
    rejected = 0
    try:
        for tag, value in fields(response):
            if tag == schema.EXPORT_TRACE_SERVICE_RESPONSE_PARTIAL_SUCCESS and isinstance(value, bytes):
                for inner, count in fields(value):
                    if inner == schema.EXPORT_TRACE_PARTIAL_SUCCESS_REJECTED_SPANS and isinstance(count, int):
                        rejected = signed(count)
    except WireError:
        return 0
    return max(rejected, 0)


def retry_delay_s(status: bytes) -> float | None:
    """Delay in seconds of the ``RetryInfo`` among the details of a ``google.rpc.Status``; None without one.

    A ``RetryInfo`` without ``retry_delay`` means "at once", 0.0.
    """
    try:
        for tag, value in fields(status):
            if tag == _STATUS_DETAILS and isinstance(value, bytes):
                delay = _retry_info_in_any(value)
                if delay is not None:
                    return delay
    except WireError:
        return None
    return None


def _retry_info_in_any(message: bytes) -> float | None:
    type_url, content = b"", b""
    for tag, value in fields(message):
        if isinstance(value, bytes) and tag == _ANY_TYPE_URL:
            type_url = value
        elif isinstance(value, bytes) and tag == _ANY_CONTENT:
            content = value
    if type_url.rpartition(b"/")[2] != _RETRY_INFO:
        return None
    seconds, nanos = 0, 0
    for tag, value in fields(content):
        if tag == _RETRY_INFO_DELAY and isinstance(value, bytes):
            for inner, part in fields(value):
                if inner == _DURATION_SECONDS and isinstance(part, int):
                    seconds = signed(part)
                elif inner == _DURATION_NANOS and isinstance(part, int):
                    nanos = signed(part)
    if not (0 <= seconds <= _MAX_DELAY_S and 0 <= nanos < 1_000_000_000):
        return 0.0
    return seconds + nanos / 1e9
