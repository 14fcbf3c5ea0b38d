"""The protobuf wire format (protobuf.dev/programming-guides/encoding) for Python.

``protobuf.pxd`` is the same for compiled code.
A tag is the number of a field with its wire type, as :mod:`levo.wire.schema` names them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
"""Wire types. The two others, for groups, are in no message of OTLP."""
_MASK_64 = 0xFFFF_FFFF_FFFF_FFFF
_LONGEST, _LONGEST_SHORT = 10, 5
"""Octets of a varint: of a number, and of a tag or a length, where protobuf takes no more either."""


class WireError(ValueError):
    """The octets are not a protobuf message. The text holds none of them."""


def varint(number: int) -> bytes:
    """Encode *number*, 64 bits; a negative one as its two's complement, as in ``int32`` and ``int64``."""
    number &= _MASK_64
    octets = bytearray()
    while number > 0x7F:
        octets.append(number & 0x7F | 0x80)
        number >>= 7
    octets.append(number)
    return bytes(octets)


def number_field(tag: int, number: int) -> bytes:
    """A field of a varint: a number, an enum or a truth value."""
    return varint(tag) + varint(number)


def field(tag: int, content: bytes) -> bytes:
    """A field with a length: text, octets or a message."""
    return varint(tag) + varint(len(content)) + content


def fixed64(tag: int, number: int) -> bytes:
    """A field of eight octets; *number* is signed or not."""
    return varint(tag) + struct.pack("<Q", number & _MASK_64)


def double(tag: int, number: float) -> bytes:
    return varint(tag) + struct.pack("<d", number)


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield tag and value of each field of *message*, in order: a number, or what stands after a length.

    Raises:
        WireError: from here on *message* is no protobuf message, or has a group.
    """
    at, end = 0, len(message)
    while at < end:
        tag, at = _read_varint(message, at, _LONGEST_SHORT)
        if tag < 8 or tag >> 32:
            raise WireError(f"tag {tag} before octet {at}")
        wire_type = tag & 7
        if wire_type == VARINT:
            number, at = _read_varint(message, at, _LONGEST)
            yield tag, number
            continue
        if wire_type == LENGTH:
            size, at = _read_varint(message, at, _LONGEST_SHORT)
        elif wire_type in (FIXED64, FIXED32):
            size = 8 if wire_type == FIXED64 else 4
        else:
            raise WireError(f"wire type {wire_type} before octet {at}")
        if size > end - at:
            raise WireError(f"field of {size} octets, {end - at} left")
        content = message[at : at + size]
        yield tag, content if wire_type == LENGTH else int.from_bytes(content, "little")
        at += size


def signed(number: int) -> int:
    """*number*, 64 bits as a varint has them, as ``int32`` and ``int64`` mean it."""
    return number - (1 << 64) if number >> 63 else number


def _read_varint(message: bytes, at: int, longest: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 7 * longest, 7):
        if at >= len(message):
            raise WireError("message ends inside a varint")
        octet = message[at]
        at += 1
        value |= (octet & 0x7F) << shift
        if octet < 0x80:
            return value & _MASK_64, at
    raise WireError(f"varint of more than {longest} octets before octet {at}")
