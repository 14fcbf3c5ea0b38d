"""The fields that filters may name: the one table that parsing, evaluation, SQL and the grammar page read."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

MAX_STARS = 4
"""Wildcards in one value."""


class Kind(StrEnum):
    """What the values of a field are."""

    TEXT = "text"
    """Compared as a whole and in any case; ``*`` stands for any number of characters."""
    CHOICE = "one of a few words"
    LEVEL = "a level"
    """One of a few words that have an order, the least first."""
    NUMBER = "a number"
    SHARE = "a share"
    """A number of percent."""
    DURATION = "a duration"
    """Of milliseconds, where no unit is given."""
    AGE = "an age"
    """How long ago something was."""
    STATUS = "a status"
    """A code, a class such as ``5xx``, ``none`` (no answer was seen) or ``invalid``."""


class Field(NamedTuple):
    """One field."""

    name: str
    kind: Kind
    meaning: str
    example: str
    """A comparison with it."""
    choices: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()


class WrongValue(ValueError):
    """A value that a field cannot have; the text says what it can have."""


COMPARED = (Kind.LEVEL, Kind.NUMBER, Kind.SHARE, Kind.DURATION, Kind.AGE, Kind.STATUS)
"""Kinds whose values can be less and greater."""
AUTHENTICATION = ("required", "optional", "none", "unrecognized", "unknown")
SEVERITIES = ("info", "low", "medium", "high", "critical")
PROOFS = ("hint", "likely", "proven")
STATES = ("open", "reopened", "accepted", "false-positive", "fixed", "unobserved")
CLASSES = ("security", "operations", "activity")
REVIEWS = ("open", "accepted", "ignored")
SCHEMES = ("http", "https")

_PLACE = (
    Field("organization", Kind.TEXT, "the organization of the sensor", "organization:acme", (), ("org",)),
    Field("environment", Kind.TEXT, "the environment of the sensor", "environment:production", (), ("env",)),
    Field("application", Kind.TEXT, "the application of the sensor", "application:shop", (), ("app",)),
    Field("host", Kind.TEXT, "the host that requests name", "host:*.example.com"),
    Field("method", Kind.TEXT, "the method of the request", "method:post,put"),
    Field("path", Kind.TEXT, "the path, with its parameters in braces", "path:/v1/users/*"),
)  # fmt: skip
_SEEN = (
    Field("first-seen", Kind.AGE, "how long ago it was seen first", "first-seen<7d"),
    Field("last-seen", Kind.AGE, "how long ago it was seen last", "last-seen>30d"),
)
_ENDPOINT = (
    *_PLACE,
    Field("scheme", Kind.CHOICE, "the scheme of its URLs", "scheme:http", SCHEMES),
    Field("status", Kind.STATUS, "a status that it answered with at least once", "status:5xx"),
    Field("auth", Kind.CHOICE, "whether it asks for a credential, as seen", "auth:none", AUTHENTICATION),
    Field("sensitive", Kind.TEXT, "a kind or category of sensitive data in its messages", "sensitive:email"),
    Field("review", Kind.CHOICE, "what people said of it", "review:open", REVIEWS),
    Field("finding", Kind.TEXT, "a rule that has an open finding about it", "finding:AUTH-*"),
    Field("severity", Kind.LEVEL, "the severity of an open finding about it", "severity>=high", SEVERITIES),
    Field("exchanges", Kind.NUMBER, "exchanges since it was first seen", "exchanges>=1000"),
    Field("callers", Kind.NUMBER, "different clients, estimated", "callers>10"),
    Field("errors", Kind.SHARE, "its share of server errors since it was first seen", "errors>5%"),
    Field("p50", Kind.DURATION, "half of its answers of the last week were faster", "p50>50ms"),
    Field("p95", Kind.DURATION, "95 % of its answers of the last week were faster", "p95>200ms"),
    Field("p99", Kind.DURATION, "99 % of its answers of the last week were faster", "p99>1s"),
    *_SEEN,
)  # fmt: skip
_FINDING = (
    Field("rule", Kind.TEXT, "the rule", "rule:AUTH-01"),
    Field("severity", Kind.LEVEL, "how bad it is", "severity>=high", SEVERITIES),
    Field("proof", Kind.LEVEL, "how sure it is", "proof:proven", PROOFS),
    Field("state", Kind.CHOICE, "where it is in its life", "state:open,reopened", STATES),
    Field("class", Kind.CHOICE, "what it is about", "class:security", CLASSES),
    Field("owasp", Kind.TEXT, "its entry in the OWASP API Security Top 10 of 2023", "owasp:API2"),
    Field("cwe", Kind.TEXT, "its weakness in the CWE", "cwe:CWE-306"),
    Field(
        "subject", Kind.TEXT, "the field, header, cookie or parameter that it is about", "subject:x-api-key"
    ),
    Field("id", Kind.TEXT, "its name, which it keeps", "id:ABCDEFGHIJKLM"),
    *_PLACE,
    Field("count", Kind.NUMBER, "exchanges that showed it", "count>=10"),
    *_SEEN,
)


class Fields(NamedTuple):
    """What can be filtered by one table of fields."""

    what: str
    """In the plural."""
    by_name: Mapping[str, Field]
    """By each of its names."""
    words: tuple[str, ...]
    """The fields in which free words are looked for."""

    @property
    def all(self) -> list[Field]:
        """Each field once."""
        return list(dict.fromkeys(self.by_name.values()))


def _fields(what: str, fields: tuple[Field, ...], words: tuple[str, ...]) -> Fields:
    return Fields(what, {name: each for each in fields for name in (each.name, *each.aliases)}, words)


ENDPOINTS = _fields("endpoints", _ENDPOINT, ("path", "host", "application"))
FINDINGS = _fields("findings", _FINDING, ("rule", "path", "host", "application", "subject"))

_NUMBER = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?)([a-zA-Z%]{0,3})")
_COUNTS = {"": 1.0, "k": 1e3, "m": 1e6}
_SHARES = {"": 0.01, "%": 0.01}
_DURATIONS = {"": 1.0, "us": 1e-3, "ms": 1.0, "s": 1e3, "min": 6e4}
_AGES = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "w": 7 * 86_400.0}
_UNITS = {Kind.NUMBER: _COUNTS, Kind.SHARE: _SHARES, Kind.DURATION: _DURATIONS, Kind.AGE: _AGES}
EXPECTED = {
    Kind.NUMBER: "a number such as 10, 2.5k or 1m",
    Kind.SHARE: "a share such as 5%",
    Kind.DURATION: "a duration such as 200ms or 1.5s",
    Kind.AGE: "an age such as 30min, 24h, 7d or 4w",
    Kind.STATUS: "a status such as 404, 5xx, none or invalid",
}
NO_ANSWER, INVALID, FIRST_STATUS = 0, -1, 100
"""How statuses are counted: no answer was seen, an answer without a code, and the least code."""
_CLASS = re.compile(r"[1-5]xx", re.IGNORECASE)
_CODE = re.compile(r"[1-5][0-9][0-9]")


def checked(field: Field, operator: str, value: str) -> str:
    """Return *value* as it is kept in a tree.

    Raises:
        WrongValue: *field* cannot be compared with it so.
    """
    if operator != ":" and field.kind not in COMPARED:
        raise WrongValue(f"{field.name} is compared by : only")
    if field.kind is Kind.TEXT:
        if value.count("*") > MAX_STARS:
            raise WrongValue(f"expected a value with at most {MAX_STARS} of *")
        return value
    value = value.lower()
    if field.choices:
        if value not in field.choices:
            raise WrongValue(f"expected one of {', '.join(field.choices)}")
    elif field.kind is Kind.STATUS:
        low, high = status_range(value)
        if operator != ":" and low != high:
            raise WrongValue("expected a code such as 500")
    else:
        number(field, value)
    return value


def number(field: Field, value: str) -> float:
    """Return *value* of a field that is a number, in its unit: milliseconds, seconds, a share of 1, a rank.

    Raises:
        WrongValue: it is none.
    """
    if field.kind is Kind.LEVEL:
        return float(field.choices.index(value))
    found, units = _NUMBER.fullmatch(value), _UNITS[field.kind]
    factor = units.get(found[2].lower(), math.nan) if found else math.nan
    if found is None or math.isnan(factor):
        raise WrongValue("expected " + EXPECTED[field.kind])
    return float(found[1]) * factor


def status_range(value: str) -> tuple[int, int]:
    """Return the first and the last status that *value* stands for.

    Raises:
        WrongValue: it stands for none.
    """
    if value in ("none", "invalid"):
        code = NO_ANSWER if value == "none" else INVALID
        return code, code
    if _CLASS.fullmatch(value):
        return int(value[0]) * 100, int(value[0]) * 100 + 99
    if not _CODE.fullmatch(value):
        raise WrongValue("expected " + EXPECTED[Kind.STATUS])
    return int(value), int(value)
