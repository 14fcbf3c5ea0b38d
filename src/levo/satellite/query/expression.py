"""What a filter says, as a tree, and that tree as text again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeAlias

import msgspec

PLAIN = re.compile(r"""[^\s"(),:<>=-][^\s"(),]*""")
"""A value, or a word between two others, that needs no quotes."""
PLAIN_WORD = re.compile(r"""[^\s"(),:<>=-][^\s"(),:<>=]*""")
KEYWORDS = frozenset(["and", "or", "not"])


class Word(msgspec.Struct, frozen=True):
    """Free words: what they are looked for in holds *text* somewhere, in any case."""

    text: str

    def __str__(self) -> str:
        plain = PLAIN_WORD.fullmatch(self.text) and self.text.lower() not in KEYWORDS
        return self.text if plain else _quoted(self.text)


class Term(msgspec.Struct, frozen=True):
    """One field compared: with any of several values if *operator* is ``:``, else with one."""

    field: str
    """Its name, never another name for it."""
    operator: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        shown = (value if PLAIN.fullmatch(value) else _quoted(value) for value in self.values)
        return f"{self.field}{self.operator}{','.join(shown)}"


class Not(msgspec.Struct, frozen=True):
    """The opposite of *item*, which is no other *Not*."""

    item: Word | Term | AllOf | OneOf

    def __str__(self) -> str:
        return f"-{_grouped(self.item)}"


class AllOf(msgspec.Struct, frozen=True):
    """AllOf of *items*, of which none is another *AllOf*. Without items it is true of everything."""

    items: tuple[Word | Term | Not | OneOf, ...] = ()

    def __str__(self) -> str:
        return " ".join(map(_grouped, self.items))


class OneOf(msgspec.Struct, frozen=True):
    """One of *items* at least, of which there are two or more, and none is another *OneOf*."""

    items: tuple[Word | Term | Not | AllOf, ...]

    def __str__(self) -> str:
        # What is joined by nothing binds closer than ``or``.
        return " or ".join(
            str(item) if isinstance(item, AllOf) and item.items else _grouped(item) for item in self.items
        )


Expression: TypeAlias = Word | Term | Not | AllOf | OneOf
EVERYTHING = AllOf()
"""The filter that is empty."""


def all_of(items: Iterable[Expression]) -> Expression:
    """Return what is true where all of *items* are, in the one form that such a tree has."""
    flat = tuple(one for item in items for one in (item.items if isinstance(item, AllOf) else (item,)))
    return flat[0] if len(flat) == 1 else AllOf(flat)


def any_of(items: Iterable[Expression]) -> Expression:
    """Return what is true where one of *items* is; there is one at least."""
    flat = tuple(one for item in items for one in (item.items if isinstance(item, OneOf) else (item,)))
    return flat[0] if len(flat) == 1 else OneOf(flat)


def not_of(item: Expression) -> Expression:
    """Return the opposite of *item*."""
    return item.item if isinstance(item, Not) else Not(item)


def terms_of(expression: Expression) -> Iterable[Term]:
    """Yield all comparisons in *expression*."""
    waiting: list[Expression] = [expression]
    while waiting:
        at = waiting.pop()
        if isinstance(at, Term):
            yield at
        elif isinstance(at, Not):
            waiting.append(at.item)
        elif isinstance(at, AllOf | OneOf):
            waiting.extend(at.items)


def is_true(expression: Expression, holds: Callable[[Word | Term], bool]) -> bool:
    """Return whether *expression* is true where *holds* says so of its words and comparisons."""
    if isinstance(expression, Word | Term):
        return holds(expression)
    if isinstance(expression, Not):
        return not is_true(expression.item, holds)
    if isinstance(expression, AllOf):
        return all(is_true(item, holds) for item in expression.items)
    return any(is_true(item, holds) for item in expression.items)


def _grouped(item: Expression) -> str:
    return f"({item})" if isinstance(item, AllOf | OneOf) else str(item)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
