"""GraphQL documents (specification of October 2021, section 2): which operations one has.

Reads as much of the grammar as that needs. Texts, numbers and arguments are skipped, never kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

MAX_DOCUMENT_CHARACTERS = 200_000
MAX_FIELDS = 3
"""Top-level fields that name an operation without a name."""
TYPES = frozenset({"query", "mutation", "subscription"})
_TOKEN = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"""|"(?:[^"\\\n\r]|\\.)*"|#[^\n\r]*|\.\.\.|(?P<name>[_A-Za-z][_0-9A-Za-z]*)'
    r"|(?P<mark>[{}()\[\]:@])|[-+.0-9][-+.0-9A-Za-z]*|[!$&=|,\s\ufeff]|(?P<other>.)",
    re.DOTALL,
)
_NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]{0,79}")


class GraphqlOperation(NamedTuple):
    """One operation definition."""

    type: str
    """``query``, ``mutation`` or ``subscription``."""
    name: str
    """Empty if it has none."""
    fields: tuple[str, ...]
    """Names of the fields it selects at the top, sorted, at most ``MAX_FIELDS``."""


def is_name(text: str) -> bool:
    """Whether *text* is a GraphQL name of a sensible length."""
    return _NAME.fullmatch(text) is not None


def read_operations(document: str) -> list[GraphqlOperation]:
    """Return the operations of *document* in order; empty if it is no executable GraphQL document."""
    if "{" not in document or len(document) > MAX_DOCUMENT_CHARACTERS:
        return []
    try:
        return list(_definitions(document))
    except _Unreadable:
        return []


class _Unreadable(Exception):
    pass


def _definitions(document: str) -> Iterator[GraphqlOperation]:
    tokens = _tokens(document)
    for token in tokens:
        kind, name = token, ""
        if token == "{":
            yield GraphqlOperation("query", "", _selection(tokens))
            continue
        if token not in TYPES and token != "fragment":
            raise _Unreadable
        nesting = 0
        for number, token in enumerate(tokens):  # name, variables, directives, up to the selection
            if token == "{" and not nesting:
                break
            if token in "([{":
                nesting += 1
            elif token in ")]}":
                nesting -= 1
            elif number == 0 and token not in ":@":
                name = token
        else:
            raise _Unreadable
        fields = _selection(tokens)
        if kind != "fragment":
            yield GraphqlOperation(kind, name, fields)


def _selection(tokens: Iterator[str]) -> tuple[str, ...]:
    """Read on to the end of a selection set that has been opened; return its own fields."""
    fields: set[str] = set()
    depth, nesting = 1, 0
    before = ""
    for token in tokens:
        if token in "([":
            nesting += 1
        elif token in ")]":
            nesting -= 1
        elif nesting:
            pass
        elif token == "{":
            depth += 1
        elif token == "}":
            depth -= 1
            if not depth:
                if nesting:
                    raise _Unreadable
                return tuple(sorted(fields)[:MAX_FIELDS])
        elif depth == 1 and token == ":":
            fields.discard(before)  # that was the alias of the field that follows
        elif depth == 1 and token != "@" and before != "@":
            fields.add(token)
        before = token
    raise _Unreadable


def _tokens(document: str) -> Iterator[str]:
    """Yield names and the marks that nest; a fragment that is spread looks like its name."""
    for found in _TOKEN.finditer(document):
        if found["other"] is not None:
            raise _Unreadable
        token = found["name"] or found["mark"]
        if token:
            yield token
