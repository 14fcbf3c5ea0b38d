"""Says of one thing whether it passes a filter."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable

from levo.satellite.query.expression import Expression, Term, Word, is_true
from levo.satellite.query.fields import FIRST_STATUS, Fields, Kind, number, status_range

Values = Callable[[str], Iterable[str | float]]
"""The values that a thing has of a field by its name: texts, or numbers in the unit of ``fields.number``;
codes of statuses. None at all if it is not known."""
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ":": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def passes(expression: Expression, fields: Fields, values: Values) -> bool:
    """Return whether what has *values* passes *expression*, which was read over *fields*."""
    return is_true(expression, lambda leaf: _holds(leaf, fields, values))


def _holds(leaf: Word | Term, fields: Fields, values: Values) -> bool:
    if isinstance(leaf, Word):
        text = lower(leaf.text)
        return any(text in lower(str(value)) for name in fields.words for value in values(name))
    field, known = fields.by_name[leaf.field], list(values(leaf.field))
    if field.kind in (Kind.TEXT, Kind.CHOICE):
        return any(fits(wanted, str(value)) for wanted in leaf.values for value in known)
    if field.kind is Kind.STATUS:
        return any(_status_fits(leaf, wanted, float(value)) for wanted in leaf.values for value in known)
    compared = COMPARISONS[leaf.operator]
    return any(compared(float(value), number(field, wanted)) for wanted in leaf.values for value in known)


def _status_fits(term: Term, wanted: str, status: float) -> bool:
    first, last = status_range(wanted)
    if term.operator == ":":
        return first <= status <= last
    return status >= FIRST_STATUS and COMPARISONS[term.operator](status, first)


def fits(pattern: str, text: str) -> bool:
    """Return whether *text* is *pattern*, in any case of ASCII letters; ``*`` is any number of characters."""
    first, *others = lower(pattern).split("*")
    text = lower(text)
    if not others:
        return text == first
    *middle, last = others
    if len(text) < len(first) + len(last) or not (text.startswith(first) and text.endswith(last)):
        return False
    at, end = len(first), len(text) - len(last)
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def lower(text: str) -> str:
    """Return *text* with its ASCII letters small, which is how SQLite compares."""
    return text.translate(_LOWER)
