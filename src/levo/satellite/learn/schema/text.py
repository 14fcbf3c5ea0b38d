"""What kind of text a string is: formats, and scalars that travel as text (query, headers, forms)."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

MIXED = "*"
"""Strings of different formats, or of none: the top of the lattice."""

_EMAIL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@"
                    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}")  # fmt: skip
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,15}://[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_IPV6 = re.compile(r"(?=.*:.*:)[0-9A-Fa-f:]{2,39}")
_JWT = re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*")

_INTEGER = re.compile(r"-?(?:0|[1-9]\d{0,17})", re.ASCII)
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,17})(?:\.\d{1,18})?(?:[eE][+-]?\d{1,3})?", re.ASCII)


def rare_format(value: str) -> str:
    """Return the format of an ASCII text that has an ``@``, a ``:`` or a ``.``, as ``text_format`` does."""
    if "@" in value:
        return "email" if _EMAIL.fullmatch(value) else "uri" if _URI.fullmatch(value) else MIXED
    if ":" in value:
        if "://" in value:
            return "uri" if _URI.fullmatch(value) else MIXED
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


def scalar(text: str) -> str | int | float | bool:
    """Return what *text* stands for: a boolean, a number, or itself. Leading zeros make it a text."""
    if text == "true" or text == "false":
        return text == "true"
    if len(text) <= 40 and text[:1] in "-0123456789":
        if _INTEGER.fullmatch(text):
            return int(text)
        if _NUMBER.fullmatch(text):
            return float(text)
    return str(text)


_PLAIN_NAME = re.compile(r"[A-Za-z_$@#.\-][A-Za-z0-9_$@#:.\-\[\]/ ]{0,63}")
_DIGIT_RUN = re.compile(r"[0-9]+")
_LONG_RUN = re.compile(r"[A-Za-z0-9]{12,}")
_VALUE_LIKE = re.compile(
    # An e-mail address, but no annotation of OData (JSON Format 4.01, section 4.6): ``items@odata.count``.
    r".+@(?-i:(?!odata\.|Org\.OData\.|Microsoft\.)).*\..*"
    r"|.*\d{4,}.*|.*[0-9a-f]{3,8}-[0-9a-f]{4}-.*|[a-z]{1,8}[-_]?\d{3,}|.*\.(?:com|net|org|io|de|uk)",
    re.IGNORECASE | re.DOTALL,
)


@lru_cache(maxsize=1 << 14)
def is_name(key: str) -> bool:
    """Whether a property name was chosen by a programmer; else it is a value, and its object a map.

    Numbers, UUIDs, dates, addresses, hosts, what is long or looks random, and what is no plain ASCII are
    values; their text is not kept.
    """
    if not _PLAIN_NAME.fullmatch(key) or _VALUE_LIKE.fullmatch(key):
        return False
    if key.isalpha() and len(key) <= 24:
        return True
    if key.count(" ") > 1 or (len(_DIGIT_RUN.findall(key)) > 1 and sum(map(str.isdigit, key)) > 2):
        return False
    return not any(_looks_random(run) for run in _LONG_RUN.findall(key))


def _looks_random(run: str) -> bool:
    digits = sum(map(str.isdigit, run))
    switches = sum((a.isdigit() != b.isdigit()) or (a.islower() and b.isupper()) for a, b in pairwise(run))
    return digits * 4 >= len(run) or (digits > 0 and switches * 4 >= len(run)) or switches * 3 >= len(run)
