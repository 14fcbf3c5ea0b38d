"""What kind of text a string is: formats, and scalars that travel as text (query, headers, forms)."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

MIXED = "*"
"""Strings of different formats, or of none: the top of the lattice."""

_IPV6 = re.compile(r"(?=.*:.*:)[0-9A-Fa-f:]{2,39}")
_JWT = re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*")


def rare_format(value: str) -> str:
    """Return the format of *value*, which is ``ipv6`` if it has colons, else ``jwt``, or it has none."""
    if ":" in value:
        return "ipv6" if len(value) <= 39 and _IPV6.fullmatch(value) and _is_ipv6(value) else MIXED
    return "jwt" if value.startswith("eyJ") and _JWT.fullmatch(value) else MIXED


def _is_ipv6(value: str) -> bool:
    import ipaddress

    try:
        ipaddress.IPv6Address(value)
    except ValueError:
        return False
    return True


class Text(str):
    """A scalar that traveled as text and may stand for a number or a boolean."""

    __slots__ = ()


class Binary:
    """Content that is no text; only that it was there is learned."""

    __slots__ = ()


BINARY = Binary()


_LONGEST_NAME = 64
_MOST_NUMBERS = 3
"""Numbers in one name."""
_NUMERIC = re.compile(r"(?![+-]\d$)[\W\d_]*\d[\W\d_]*")
"""Digits without a letter, but not a vote (``+1``)."""
_LONG_RUN = re.compile(r"[^\W_]{8,}")
_DIGITS = re.compile(r"\d+")
_VALUE_LIKE = re.compile(
    # An e-mail address, but no annotation of OData (JSON Format 4.01, section 4.6): ``items@odata.count``.
    r".+@(?-i:(?!odata\.|Org\.OData\.|Microsoft\.)).*\..*"
    # Only a year stands in a name (``total2024``); longer numbers, and numbers beside it, are values.
    r"|.*\d{5,}.*|(?!\D+(?:19|20)\d\d\D*$).*\d{4}.*"
    r"|.*[0-9a-f]{3,8}-[0-9a-f]{4}-.*"
    r"|.*\.(?:com|net|org|io|de|uk)|.*://.*",
    re.IGNORECASE | re.DOTALL,
)


@lru_cache(maxsize=1 << 14)
def is_name(key: str) -> bool:
    """Whether *key* may be the name of a property; else it is a value, and its object a map.

    Values are what nobody calls a property: numbers, UUIDs, dates, addresses, hosts, hashes, what is long or
    looks random; their text is not kept. Anything else, in whatever script, is a name if it recurs
    (``names.pyx``), and one of a map if there are many of its kind (``levo.satellite.openapi.schema``).
    """
    if key.isascii() and key.isalpha() and len(key) <= 24:
        return True
    if not 0 < len(key) <= _LONGEST_NAME or not key.isprintable() or _NUMERIC.fullmatch(key):
        return False
    if _VALUE_LIKE.fullmatch(key) or len(_DIGITS.findall(key)) > _MOST_NUMBERS:
        return False
    return not any(map(_looks_random, _LONG_RUN.findall(key)))


def _looks_random(run: str) -> bool:
    """Whether letters and digits in a row, eight at least, look drawn rather than spelt."""
    digits = sum(map(str.isdigit, run))
    switches = sum((a.isdigit() != b.isdigit()) or (a.islower() and b.isupper()) for a, b in pairwise(run))
    if digits and (len(_DIGITS.findall(run)) > 1 or switches * 3 >= len(run)):
        return True
    return len(run) >= 12 and (
        digits * 4 >= len(run) or (digits > 0 and switches * 4 >= len(run)) or switches * 3 >= len(run)
    )
