"""Path templates from the shape of single segments.

A segment whose form gives it away as a value (a number, a UUID, a hash, a date, an e-mail address, something
long and random) becomes a parameter; all others are literal. It looks at one path at a time, so it is a pure
function of the path; evidence over many paths is another matter.
"""

from __future__ import annotations

import re
from itertools import pairwise
from urllib.parse import unquote

MAX_SEGMENTS = 24
"""Segments past this are folded into one ``{rest}``."""
MAX_LITERAL_CHARACTERS = 64
"""No name that a person gave to a resource is longer."""

_TYPED = re.compile(
    r"""
    (?P<version> v\d{1,3}(?:\.\d{1,3}){0,2} | \d{1,2}\.\d{1,2} )
  | (?P<date> (?:19|20)\d\d-?(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12]\d|3[01])
        (?:[T_ ]\d\d:?\d\d(?::?\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)? )
  | (?P<number> [+-]?\d+(?:[.,]\d+)? )
  | (?P<uuid> \{?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}? )
  | (?P<hex> (?:0x[0-9a-f]{2,}|(?=[a-f]*\d)[0-9a-f]{8,}) )
  | (?P<email> [^@\s]{1,64}@[^@\s]+\.[^@\s]+ )
  | (?P<address> \d{1,3}(?:\.\d{1,3}){3} | [0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7} )
  | (?P<numbers> \d+(?:[-_.:,]\d+)+ )
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_NAMES = {"date": "{date}", "email": "{email}", "address": "{ip}"}
_PREFIXED = re.compile(r"[A-Za-z]{1,8}[-_:]?\d{3,}|[A-Za-z]{2,6}_[0-9A-Za-z]{10,}", re.ASCII)
_WORDS = re.compile(r"[A-Za-z]+|\d+", re.ASCII)


def path_template(path: str) -> str:
    """Return *path* (as sent, without query) with the segments that are values replaced by parameters.

    Percent-encoding is undone once, ``;`` parameters are dropped, and what is not printable is replaced, so
    the result is fit to be shown. An empty path is ``/``.
    """
    segments = path.split("/")
    rest = segments[:1] == [""]
    parts = [_segment_template(segment) for segment in segments[rest : MAX_SEGMENTS + 1]]
    if len(segments) > MAX_SEGMENTS + 1:
        parts.append("{rest}")
    return "/" + "/".join(parts)


def _segment_template(segment: str) -> str:
    if segment.isalpha() and len(segment) < 16 and segment.isascii():
        return segment
    if ";" in segment:
        segment = segment.partition(";")[0]
    if "%" in segment:
        segment = unquote(segment, errors="replace")
    found = _TYPED.fullmatch(segment)
    if found is not None:
        if found.lastgroup == "version":
            return segment
        return _NAMES.get(found.lastgroup or "", "{id}")
    if _is_value(segment):
        return "{id}"
    if not segment.isprintable() or "{" in segment or "}" in segment or "/" in segment:
        return "".join(
            c if c.isprintable() and c not in "{}/" else "\N{REPLACEMENT CHARACTER}" for c in segment
        )
    return segment


def _is_value(segment: str) -> bool:
    """Whether an untyped segment looks drawn from a large alphabet rather than named by a person."""
    if len(segment) > MAX_LITERAL_CHARACTERS or _PREFIXED.fullmatch(segment):
        return True
    if len(segment) < 12:
        return False
    digits = sum(map(str.isdigit, segment))
    if not digits:
        # Mixed case in the middle of a long run: base64 rather than camelCase (which has few changes).
        return len(segment) >= 20 and _case_changes(segment) * 4 > len(segment)
    runs = _WORDS.findall(segment)
    return (
        digits * 3 >= len(segment)
        or len(runs) * 3 >= len(segment)
        or (digits >= 2 and _case_changes(segment) >= 4)
    )


def _case_changes(text: str) -> int:
    return sum(a.isupper() != b.isupper() for a, b in pairwise(text) if a.isalpha() and b.isalpha())
