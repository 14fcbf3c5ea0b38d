"""Reads filters: in one pass, with bounds on length and depth, and errors that point at the place."""

from __future__ import annotations

import difflib
import re
from typing import NamedTuple

from levo.satellite.query.expression import (
    EVERYTHING,
    KEYWORDS,
    Expression,
    Term,
    Word,
    all_of,
    any_of,
    not_of,
)
from levo.satellite.query.fields import Fields, WrongValue, checked

MAX_CHARACTERS = 1000
MAX_TERMS = 100
MAX_DEPTH = 20

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<open>\()
    |(?P<close>\))
    |(?P<minus>-(?=[^\s]))
    |(?P<quoted>"(?:[^"\\]|\\.)*")
    |(?P<field>[A-Za-z][A-Za-z0-9-]*)(?P<operator><=|>=|[:<>])
    |(?P<word>[^\s"(),:<>=-][^\s"(),:<>=]*)""",
    re.VERBOSE | re.DOTALL,
)
_VALUE = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s"(),:<>=-][^\s"(),]*', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


class FilterError(ValueError):
    """A filter that cannot be read. The text says what was expected; *column* counts from 1."""

    def __init__(self, column: int, text: str) -> None:
        super().__init__(f"column {column}: {text}")
        self.column = column
        self.expected = text


class _Token(NamedTuple):
    kind: str
    column: int
    text: str
    term: Expression | None = None


def parse(text: str, fields: Fields) -> Expression:
    """Return the filter that *text* is, over *fields*. Without any text it passes everything.

    Raises:
        FilterError: it is none.
    """
    if len(text) > MAX_CHARACTERS:
        raise FilterError(MAX_CHARACTERS + 1, f"a filter has at most {MAX_CHARACTERS} characters")
    if "\0" in text:
        raise FilterError(text.index("\0") + 1, "a NUL character is not allowed")
    reader = _Reader(_tokens(text, fields), len(text) + 1)
    found = reader.either(0) if reader.kind != "end" else EVERYTHING
    if reader.kind != "end":
        raise FilterError(reader.column, "this ) closes nothing")
    return found


class _Reader:
    """Goes through the tokens once, from the first to the last."""

    def __init__(self, tokens: list[_Token], end: int) -> None:
        self._tokens = [*tokens, _Token("end", end, "")]
        self._at = 0

    @property
    def kind(self) -> str:
        return self._tokens[self._at].kind

    @property
    def column(self) -> int:
        return self._tokens[self._at].column

    def either(self, depth: int) -> Expression:
        """Read what is joined by ``or``."""
        items = [self._both(depth)]
        while self.kind == "or":
            self._at += 1
            items.append(self._both(depth))
        return any_of(items)

    def _both(self, depth: int) -> Expression:
        """Read what is joined by ``and``, or by nothing."""
        items = [self._one(depth)]
        while self.kind not in ("or", "close", "end"):
            if self.kind == "and":
                self._at += 1
            items.append(self._one(depth))
        return all_of(items)

    def _one(self, depth: int) -> Expression:
        if depth > MAX_DEPTH:
            raise FilterError(self.column, f"parentheses and negations go at most {MAX_DEPTH} deep")
        token = self._tokens[self._at]
        self._at += 1
        if token.term is not None:
            return token.term
        if token.kind in ("minus", "not"):
            return not_of(self._one(depth + 1))
        if token.kind == "open":
            found = self.either(depth + 1)
            if self.kind != "close":
                raise FilterError(self.column, f"expected ) for the ( in column {token.column}")
            self._at += 1
            return found
        after = {"end": "at the end", "close": "before )"}.get(token.kind, f"before {token.text!r}")
        raise FilterError(token.column, f"expected a word or a comparison {after}")


def _tokens(text: str, fields: Fields) -> list[_Token]:
    tokens: list[_Token] = []
    at = terms = 0
    apart = True
    """Whether something else may begin here."""
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise FilterError(at + 1, _unexpected(text, at))
        kind, column = str(found.lastgroup), at + 1
        if kind == "space":
            at, apart = found.end(), True
            continue
        if not apart and kind != "close":
            raise FilterError(column, "expected a space here")
        at, apart = found.end(), kind in ("open", "minus")
        if kind in ("open", "close", "minus"):
            tokens.append(_Token(kind, column, found[0]))
        elif kind == "word" and found[0].lower() in KEYWORDS:
            tokens.append(_Token(found[0].lower(), column, found[0]))
        else:
            terms += 1
            if terms > MAX_TERMS:
                raise FilterError(column, f"a filter has at most {MAX_TERMS} words and comparisons")
            term: Expression
            if kind == "operator":
                term, at = _term(text, found, fields)
            else:
                term = Word(_plain(found[0]))
                if not term.text:
                    raise FilterError(column, "expected a word between the quotes")
            tokens.append(_Token("term", column, found[0], term))
    return tokens


def _term(text: str, head: re.Match[str], fields: Fields) -> tuple[Term, int]:
    """Return the comparison that begins with *head*, and where it ends."""
    name, operator, at = head["field"], head["operator"], head.end()
    field = fields.by_name.get(name.lower())
    if field is None:
        near = difflib.get_close_matches(name.lower()[:40], list(fields.by_name), 1)
        hint = (
            f"did you mean {near[0]}?"
            if near
            else "quote what is no field; the fields are " + ", ".join(each.name for each in fields.all)
        )
        raise FilterError(head.start() + 1, f"no field is called {name[:40]}: {hint}")
    values: list[str] = []
    while True:
        found = _VALUE.match(text, at)
        if found is None:
            what = (
                _unexpected(text, at)
                if at < len(text) and text[at] == '"'
                else f"expected a value of {field.name}"
            )
            raise FilterError(at + 1, what)
        try:
            values.append(checked(field, operator, _plain(found[0])))
        except WrongValue as error:
            raise FilterError(at + 1, str(error)) from None
        at = found.end()
        if len(values) > MAX_TERMS:
            raise FilterError(at, f"a comparison has at most {MAX_TERMS} values")
        if text[at : at + 1] != ",":
            return Term(field.name, operator, tuple(dict.fromkeys(values))), at
        if operator != ":":
            raise FilterError(at + 1, f"only one value can follow {operator}")
        at += 1


def _plain(value: str) -> str:
    return _ESCAPE.sub(r"\1", value[1:-1]) if value.startswith('"') else value


def _unexpected(text: str, at: int) -> str:
    if text[at] == '"':
        return "these quotes are not closed"
    if text[at] in ":<>=":
        return f"expected the name of a field right before {text[at]}"
    return f"{text[at]} has to stand in quotes"
