"""What one path segment says by itself: a literal, or a value of a recognizable type.

``segment_key`` maps a segment to the key of a trie child. A value whose form gives it away (number, UUID,
hash, date, e-mail address, anything random) becomes a *typed key* such as ``{integer}``, so it is forgotten
at once; everything else is its own key. An extension behind a typed value stays (``{uuid}.json``), and so do
a ``:verb`` and the name before a value in parentheses, if they name an operation (``names_operation``):
``{integer}:cancel``. All functions are pure; the same segment has the same key in every process.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import unquote

from levo.satellite.learn.paths.forms import value_key
from levo.satellite.learn.paths.vocabulary import vocabulary

MAX_LITERAL_CHARACTERS = 80
"""No name that a person gave to a resource is longer."""
OVERFLOW = "{*}"
"""Key of the child that stands for the literals a node does not hold."""
REST = "{**}"
"""Key of the child that stands for everything below the greatest depth."""

KIND_TYPES: dict[str, tuple[str, str]] = {
    "integer": ("integer", ""),
    "number": ("number", ""),
    "uuid": ("string", "uuid"),
    "hex": ("string", ""),
    "date": ("string", "date"),
    "date-time": ("string", "date-time"),
    "email": ("string", "email"),
    "ip": ("string", ""),
    "token": ("string", ""),
    "code": ("string", ""),
    "numbers": ("string", ""),
    "long": ("string", ""),
    "quoted": ("string", ""),
}
"""JSON Schema type and format by kind."""

EXTENSIONS = frozenset(
    [
        "json",
        "xml",
        "csv",
        "txt",
        "html",
        "htm",
        "pdf",
        "yaml",
        "yml",
        "zip",
        "gz",
        "tar",
        "rss",
        "atom",
        "ics",
        "xls",
        "xlsx",
        "doc",
        "docx",
        "jsonld",
        "geojson",
        "kml",
        "gpx",
        "ndjson",
        "md",
        "tsv",
        "parquet",
        "pbf",
        "mvt",
        "tif",
        "tiff",
        "mp3",
        "mp4",
        "wav",
        "m3u8",
        "mpd",
        "ts",
        "wasm",
        "bin",
        "avif",
        "png",
        "jpg",
        "jpeg",
        "gif",
        "svg",
        "webp",
        "ico",
        "css",
        "js",
        "mjs",
        "map",
        "woff",
        "woff2",
        "ttf",
        "eot",
        "otf",
        "php",
        "asp",
        "aspx",
        "ashx",
        "jsp",
        "cgi",
    ]
)
FORMATS = frozenset({"json", "xml", "csv", "html", "yaml", "geojson", "jsonp", "kml", "pdf", "rss"})
"""Names of formats: two of them at one place are values of a parameter."""
SCRIPTS = frozenset({".php", ".asp", ".aspx", ".ashx", ".jsp", ".cgi"})
"""Extensions of programs: what is before them was named by a person."""
"""Extensions that are told apart from the value before them."""

_SUFFIX = re.compile(
    r"(?P<stem>.+?)(?P<suffix>(?:\.(?P<extension>[A-Za-z][A-Za-z0-9]{0,7}))|(?::[A-Za-z]{2,30}))", re.ASCII
)
_TYPED = re.compile(
    r"""
    (?P<integer> [+-]?\d+ )
  | (?P<uuid> \{?[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}\}? )
  | (?P<date> (?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]) )
  | (?P<datetime> (?:19|20)\d\d-?(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12]\d|3[01])
        [T_\ ]\d\d:?\d\d(?::?\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)? )
  | (?P<number> [+-]?\d*[.,]\d+ )
  | (?P<hex> 0x[0-9a-f]{2,} | (?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,} | [0-9a-f]{24,} )
  | (?P<email> [^@\s/]{1,64}@[^@\s/]+\.[^@\s/]+ )
  | (?P<ip> \d{1,3}(?:\.\d{1,3}){3} | [0-9a-f]{1,4}(?::[0-9a-f]{0,4}){2,7} |
  (?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2} )
  | (?P<numbers> [+-]?\d+(?:[-_.:,;xX+]+\d+)+ )
  | (?P<code> [A-Za-z]{1,8}[-_:]\d{3,} | [A-Za-z]{1,5}\d{4,} )
  | (?P<token> [0-7][0-9A-HJKMNP-TV-Z]{25} | eyJ[\w-]{8,}(?:\.[\w-]*){0,2} |
  [A-Za-z]{1,5}-(?=[a-f]*\d)[0-9a-f]{8,17}
    | [A-Za-z]{1,8}_(?=\w*\d)[0-9A-Za-z]{10,} )
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_VERSION = re.compile(
    r"v\d{1,3}(?:[._]\d{1,3}){0,3}(?:[._-]?(?:alpha|beta|rc|preview|p)\d*){0,2}|\d{1,2}\.\d{1,2}(?:\.\d{1,2})?"
    r"|v(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
    r"|latest|(?:19|20)\d\d-\d\d-\d\d(?:-preview)?",
    re.IGNORECASE | re.ASCII,
)
_BEFORE_VERSIONS = frozenset({"api", "rest"})
ACRONYMS = frozenset({
    "acl", "acm", "api", "aws", "cdn", "cors", "csp", "csv", "dlp", "dns", "ecs", "eks", "gcp",
    "gke", "gpu", "iam", "ids", "ips", "jwt", "kms", "ldap", "mfa", "nat", "nfs", "otp", "pki",
    "sas", "scim", "sdk", "sku", "sla", "smb", "sms", "smtp", "sql", "ssh", "ssl", "sso", "tls",
    "ttl", "uri", "url", "vm", "vpc", "vpn", "waf", "xml",
})  # fmt: skip
"""Of the field, in names of operations; not all are in the vocabulary."""
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_]+")
_QUOTED = re.compile(r"(?P<name>[A-Za-z]\w*)\((?P<inside>[^()]*)\)", re.ASCII)
_CLEAN = re.compile(r"[^\x00-\x1f\x7f{}/%#\s]+")


def split_path(path: str) -> list[str]:
    """Return the segments of *path* as sent (no query), empty ones dropped."""
    segments = path.split("/")
    if segments.count("") == 1 and not segments[0]:  # as most are: no list is made anew
        del segments[0]
        return segments
    return [segment for segment in segments if segment]


def may_be_version(segments: Sequence[str], index: int) -> bool:
    """Whether a small number or a date at *index* may be an API's version: in front, or ``/rest/api/3``."""
    return not index or (index <= 3 and segments[index - 1].lower() in _BEFORE_VERSIONS)


def segment_key(segment: str, first: bool) -> str:
    """Return the key of *segment* (as sent, not empty); *first* if it may be a version (``may_be_version``).

    ``;`` parameters go, percent-encoding is undone once. In a literal, what could be mistaken for syntax or
    is
    not printable stays percent-encoded, so a key never holds ``{``, ``}`` or ``/`` by accident.
    """
    if segment.isalpha() and len(segment) < 12 and segment.isascii():
        return segment
    return value_key(segment, first) or pattern_key(segment, first)


@lru_cache(maxsize=8192)
def pattern_key(segment: str, first: bool) -> str:
    """Return the key of *segment* as the patterns have it, without ``value_key``."""
    if ";" in segment:
        segment = segment.partition(";")[0] or ";"
    if "%" in segment:
        segment = unquote(segment, errors="replace")
    kind = _kind(segment, first)
    if kind is not None:
        return "{" + kind + "}"
    found = _SUFFIX.fullmatch(segment)
    if found is not None:
        extension = found["extension"]
        if extension is None or extension.lower() in EXTENSIONS:
            kind = _kind(found["stem"], False)
            if kind is not None:
                # What is behind a value is never forgotten, so it must not be another one.
                is_name = extension is not None or names_operation(found["suffix"][1:])
                return "{" + kind + "}" + found["suffix"] if is_name else "{token}"
    quoted = _QUOTED.fullmatch(segment)
    if quoted is not None and quoted["inside"]:
        return quoted["name"] + "({quoted})" if names_operation(quoted["name"]) else "{token}"
    return segment if segment.isprintable() and _CLEAN.fullmatch(segment) else _encode(segment)


def _encode(literal: str) -> str:
    return "".join(c if c.isprintable() and c not in "{}/%# " else _percent(c) for c in literal)


def _percent(character: str) -> str:
    return "".join(f"%{octet:02X}" for octet in character.encode(errors="surrogatepass"))


def _kind(segment: str, first: bool) -> str | None:
    """Return the kind of value that *segment* is beyond doubt, or None."""
    if is_version(segment) and not (segment[:1].isdigit() and "-" in segment and not first):
        return None
    if first and segment.isdigit() and len(segment) <= 2:
        return None
    found = _TYPED.fullmatch(segment)
    if found is not None:
        kind = found.lastgroup or "token"
        if kind == "code" and known_share(segment) == 1.0 and len(re.findall(r"\d", segment)) <= 3:
            return None
        return "date-time" if kind == "datetime" else kind
    if len(segment) > MAX_LITERAL_CHARACTERS:
        return "long"
    return "token" if _is_random(segment) else None


def _is_random(segment: str) -> bool:
    """Whether *segment* looks drawn from an alphabet rather than spelt by a person."""
    length = len(segment)
    if length < 8:
        return False
    digits = changes = 0
    before = ""
    for c in segment.rstrip("="):
        group = "d" if c.isdigit() else "u" if c.isupper() else "l" if c.islower() else "s"
        digits += group == "d"
        # A capital that opens a word is no change of alphabet: CamelCase would look random.
        changes += (
            bool(before) and group != before and "s" not in (group, before) and (before, group) != ("u", "l")
        )
        before = group
    if digits == 0:
        return length >= 16 and changes * 3.5 > length and known_share(segment) < 0.5
    if digits == 1:
        return changes * 2 >= length and known_share(segment) < 0.4
    return (changes >= 3 and changes * 4 >= length and known_share(segment) < 0.5) or (
        length >= 16 and digits * 3 >= length and known_share(segment) < 0.4
    )


def is_version(segment: str) -> bool:
    """Whether *segment* names a version of an API: ``v1``, ``2.0``, ``v1beta1``, ``latest``, a date."""
    return _VERSION.fullmatch(segment) is not None


@lru_cache(maxsize=8192)
def words(segment: str) -> tuple[str, ...]:
    """Return the words *segment* is made of, lower case: ``listOpenOrders`` has three."""
    return tuple(word.lower() for word in _WORDS.findall(segment))


@lru_cache(maxsize=16384)
def word_rank(word: str) -> int:
    """Return the log2 of the providers that use *word* (another number or a compound counts), -1 if
    unknown."""
    known = vocabulary()
    found = known.get(word)
    if found is None:
        found = known.get(word[:-1]) if word.endswith("s") else known.get(word + "s")
    if found is None and word.endswith("ies"):
        found = known.get(word[:-3] + "y")
    if found is not None:
        return found[0]
    if len(word) >= 8:
        for cut in range(4, len(word) - 3):
            head = known.get(word[:cut])
            if head is not None and head[0] >= 1:
                tail = word_rank(word[cut:])
                if tail >= 1:
                    return min(1, head[0], tail)
    return -1


@lru_cache(maxsize=8192)
def known_share(segment: str) -> float:
    """Return the share of the letters of *segment* that belong to known words."""
    found = words(segment)
    total = sum(map(len, found))
    return sum(len(w) for w in found if len(w) > 1 and word_rank(w) >= 0) / total if total else 0.0


@lru_cache(maxsize=8192)
def known_rank(segment: str) -> int:
    """Return -1 if some word of *segment* is unknown, else the log2 of the providers that use the rarest."""
    return min(map(word_rank, words(segment)), default=-1)


def names_operation(text: str) -> bool:
    """Return whether *text*, which stands beside a value, is made of words of APIs and :data:`ACRONYMS`."""
    found = words(text)
    return bool(found) and all(word in ACRONYMS or word_rank(word) >= 0 for word in found)


def split_key(key: str) -> tuple[str, str, str]:
    """Split a typed key into (prefix, kind, suffix); for a literal the kind is empty and all is prefix."""
    start, end = key.find("{"), key.find("}")
    return (key[:start], key[start + 1 : end], key[end + 1 :]) if end > start >= 0 else (key, "", "")


@lru_cache(maxsize=8192)
def literal_suffix(literal: str) -> str:
    """Return the extension or ``:verb`` that a literal ends in, else the empty string."""
    found = _SUFFIX.fullmatch(literal)
    if found is None or (found["extension"] is not None and found["extension"].lower() not in EXTENSIONS):
        return ""
    return found["suffix"]


@lru_cache(maxsize=8192)
def folded_key(literal: str) -> str:
    """Return the key of the child that *literal* shares with others once it is not kept.

    An extension stays told apart, as does a ``:verb`` that names an operation: there are only so many.
    """
    suffix = literal_suffix(literal)
    if suffix.startswith(":") and not names_operation(suffix[1:]):
        suffix = ""
    return OVERFLOW + suffix.lower() if suffix.startswith(".") else OVERFLOW + suffix


@lru_cache(maxsize=8192)
def literal_base(literal: str) -> str:
    """Return *literal* without the extension or ``:verb`` behind it."""
    suffix = literal_suffix(literal)
    return literal[: -len(suffix)] if suffix else literal


def literal_stem(literal: str) -> str:
    """Return *literal* without the ``:verb`` behind it, if there is one."""
    suffix = literal_suffix(literal)
    return literal[: -len(suffix)] if suffix.startswith(":") else literal
