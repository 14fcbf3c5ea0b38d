"""The three small protobuf messages that a receiver answers with, decoded without a protobuf library.

Only what decides the fate of a request is read: how many items a partial success rejected, and how long a
``RetryInfo`` asks to wait. Any octets are safe: a malformed message reads as "says nothing".
"""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_RETRY_INFO = b"google.rpc.RetryInfo"
_MAX_DELAY_S = 315_576_000_000
"""The largest google.protobuf.Duration, 10,000 years; more is malformed."""


class WireError(ValueError):
    """The octets are not a protobuf message."""


def rejected_items(response: bytes) -> int:
    """Items rejected according to an ``Export{Trace,Metrics}ServiceResponse``; 0 when it says nothing.

    ``partial_success`` is field 1, and in it ``rejected_spans`` (or ``rejected_data_points``) field 1.
    """
    rejected = 0
    try:
        for number, value in _fields(response):
            if number == 1 and isinstance(value, bytes):
                for inner, count in _fields(value):
                    if inner == 1 and isinstance(count, int):
                        rejected = _signed(count)
    except WireError:
        return 0
    return max(rejected, 0)


def retry_delay_s(status: bytes) -> float | None:
    """Delay in seconds of the ``RetryInfo`` among the details of a ``google.rpc.Status``; None without one.

    A ``RetryInfo`` without ``retry_delay`` means "at once", 0.0.
    """
    try:
        for number, value in _fields(status):
            if number == 3 and isinstance(value, bytes):
                delay = _retry_info_in_any(value)
                if delay is not None:
                    return delay
    except WireError:
        return None
    return None


def _retry_info_in_any(message: bytes) -> float | None:
    type_url, payload = b"", b""
    for number, value in _fields(message):
        if isinstance(value, bytes) and number == 1:
            type_url = value
        elif isinstance(value, bytes) and number == 2:
            payload = value
    if type_url.rpartition(b"/")[2] != _RETRY_INFO:
        return None
    seconds, nanos = 0, 0
    for number, value in _fields(payload):
        if number == 1 and isinstance(value, bytes):
            for inner, part in _fields(value):
                if inner == 1 and isinstance(part, int):
                    seconds = _signed(part)
                elif inner == 2 and isinstance(part, int):
                    nanos = _signed(part)
    if not (0 <= seconds <= _MAX_DELAY_S and 0 <= nanos < 1_000_000_000):
        return 0.0
    return seconds + nanos / 1e9


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Walk the fields of *message* in wire order; raises WireError where it stops being one."""
    at, end = 0, len(message)
    while at < end:
        key, at = _varint(message, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if kind == _LENGTH:
            size, at = _varint(message, at)
        elif kind == _FIXED64:
            size = 8
        elif kind == _FIXED32:
            size = 4
        else:
            raise WireError(f"wire type {kind} at octet {at}")
        if size > end - at:
            raise WireError(f"field of {size} octets, {end - at} left")
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise WireError("message ends inside a varint")
        octet = message[at]
        at += 1
        value |= (octet & 0x7F) << shift
        if octet < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
    raise WireError("varint of more than ten octets")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value
