"""What the messages of an endpoint show besides sensitive data: names and counts that rules look at.

Worked out when an endpoint is looked at, and stored beside it, so that judging a whole catalog reads no
messages.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from levo.satellite.learn.schema import Knowledge

MAX_SIGNS = 64
"""Of one endpoint; those with most exchanges are kept."""


class Sign(msgspec.Struct, frozen=True, array_like=True, order=True):
    """One thing that messages show: *count* of *of* that were looked into."""

    name: str
    """What it is, such as ``scheme``."""
    subject: str
    """Which one: a name, never a value."""
    count: int
    of: int


def signs_of(known: Knowledge) -> tuple[Sign, ...]:
    """Return the signs in *known*, in a fixed order."""
    found = sorted(_signs(known))
    if len(found) > MAX_SIGNS:
        found = sorted(sorted(found, key=lambda sign: (-sign.count, sign))[:MAX_SIGNS])
    return tuple(found)


def _signs(known: Knowledge) -> Iterator[Sign]:
    for scheme, count in known.auth.items():
        yield Sign("scheme", scheme, count, known.accepted)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[Sign, ...]).decode


def pack_signs(signs: tuple[Sign, ...]) -> bytes:
    """Return the stored form."""
    return _encode(signs) if signs else b""


def unpack_signs(octets: bytes) -> tuple[Sign, ...]:
    """Return what was stored.

    Raises:
        ValueError: it is something else.
    """
    return _decode(octets) if octets else ()
