"""Filters (``levo.satellite.query``) as conditions in SQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from levo.satellite.query.expression import AllOf, Expression, Not, Term, Word
from levo.satellite.query.fields import FIRST_STATUS, Fields, number, status_range

NOW_NS = "CAST((julianday('now') - 2440587.5) * 86400000000000 AS INTEGER)"
"""The time of day, in nanoseconds since the Unix epoch."""


class Condition(NamedTuple):
    """A condition and the values of its question marks."""

    text: str
    values: list[str | int | float]


Column = Callable[[Term], Condition]
"""What a comparison with one field is in SQL."""


def condition_of(
    expression: Expression, fields: Fields, columns: Mapping[str, Column], words: tuple[str, ...]
) -> Condition:
    """Return *expression*, which was read over *fields*; free words are looked for in the columns *words*."""
    if isinstance(expression, Word):
        pattern = f"%{_escaped(expression.text)}%"
        parts = (f"{column} LIKE ? ESCAPE '\\'" for column in words)
        return Condition(f"({' OR '.join(parts)})", [pattern] * len(words))
    if isinstance(expression, Term):
        text, values = columns[expression.field](expression)
        return Condition(f"({text})", values)
    if isinstance(expression, Not):
        text, values = condition_of(expression.item, fields, columns, words)
        # What is not known is neither true nor false to SQL; its opposite is true.
        return Condition(f"NOT ifnull({text}, 0)", values)
    parts_of = [condition_of(item, fields, columns, words) for item in expression.items]
    joined = (" AND " if isinstance(expression, AllOf) else " OR ").join(part.text for part in parts_of)
    return Condition(f"({joined or '1'})", [value for part in parts_of for value in part.values])


def text(column: str) -> Column:
    """A field whose value is the text *column*."""

    def compare(term: Term) -> Condition:
        parts, values = [], list[str | int | float]()
        for value in term.values:
            if "*" in value:
                parts.append(f"{column} LIKE ? ESCAPE '\\'")
                values.append("%".join(map(_escaped, value.split("*"))))
            else:
                parts.append(f"{column} = ? COLLATE NOCASE")
                values.append(value)
        return Condition(" OR ".join(parts), values)

    return compare


def listed(column: str) -> Column:
    """A field whose values are in the text *column*, joined by commas."""

    def compare(term: Term) -> Condition:
        parts = (f"',' || {column} || ',' LIKE ? ESCAPE '\\'" for _ in term.values)
        found: list[str | int | float] = [
            f"%,{'%'.join(map(_escaped, value.split('*')))},%" for value in term.values
        ]
        return Condition(" OR ".join(parts), found)

    return compare


def numeric(column: str, fields: Fields) -> Column:
    """A field whose value is the number *column*, in the unit of ``fields.number``; NULL is not known."""

    def compare(term: Term) -> Condition:
        sign = "=" if term.operator == ":" else term.operator
        values: list[str | int | float] = [number(fields.by_name[term.field], each) for each in term.values]
        return Condition(" OR ".join([f"{column} {sign} ?"] * len(values)), values)

    return compare


def choice(conditions: Mapping[str, str]) -> Column:
    """A field with a few values, each of which is a condition without question marks."""
    return lambda term: Condition(" OR ".join(f"({conditions[value]})" for value in term.values), [])


def one_of_several(select: str, columns: tuple[Column, ...]) -> Column:
    """A field that has several values: *select* yields what to look for in, ``{}`` is their condition."""

    def compare(term: Term) -> Condition:
        parts = [column(term) for column in columns]
        inner = " OR ".join(f"({part.text})" for part in parts)
        return Condition(select.format(inner), [value for part in parts for value in part.values])

    return compare


def status(column: str) -> Column:
    """A field whose value is the code of a status in *column*."""

    def compare(term: Term) -> Condition:
        if term.operator != ":":
            (code,) = (status_range(value)[0] for value in term.values)
            return Condition(f"{column} >= {FIRST_STATUS} AND {column} {term.operator} ?", [code])
        ranges = [status_range(value) for value in term.values]
        return Condition(
            " OR ".join([f"{column} BETWEEN ? AND ?"] * len(ranges)), [end for each in ranges for end in each]
        )

    return compare


def _escaped(value: str) -> str:
    return "".join(f"\\{character}" if character in "\\%_" else character for character in value)
