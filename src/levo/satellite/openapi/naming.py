"""Names as people give them, from the nouns of a path: operation ids, summaries, tags, names of schemas."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from levo.satellite.learn.paths.segments import words
from levo.satellite.learn.paths.templates import singular

_VERSION = re.compile(r"v\d+(?:\.\d+)*|api|rest", re.IGNORECASE)
_CARRIED = re.compile(r"(?<=[A-Za-z0-9])(?:\{[^{}]*\})+(?=/|$)")
"""Variables for the parameters that a segment carries (``/cars{color}``)."""
_GRAPHQL = ("query", "mutation", "subscription", "operation")
_VERBS = {"GET": "get", "PUT": "update", "PATCH": "update", "DELETE": "delete", "POST": "create"}


class Place(NamedTuple):
    """An operation to be named."""

    method: str
    path: str
    lists: bool = False
    """Whether it answers with an array."""
    wraps: bool = False
    """Whether it answers with an object of which one property is a list of objects."""


@dataclass(frozen=True, slots=True)
class Title:
    """What an operation is called."""

    operation_id: str
    summary: str
    tag: str
    noun: str
    """Of what it is about, in the singular and in Pascal case, as schemas are named; empty if unknown."""
    action: bool = False
    """Whether it does something with its noun, as ``POST /orders/{id}/cancel``."""


@dataclass(frozen=True, slots=True)
class _Noun:
    words: tuple[str, ...]
    """Of the literals that stand beside each other."""
    of_one: bool
    """Whether a parameter follows."""

    @property
    def one(self) -> tuple[str, ...]:
        return (*self.words[:-1], singular(self.words[-1]))


def is_version(segment: str) -> bool:
    """Whether a segment says which API this is rather than what it is about."""
    return _VERSION.fullmatch(segment) is not None


def pascal(parts: Iterable[str]) -> str:
    """Return words as one name, ``LikeThis``."""
    return "".join(word[:1].upper() + word[1:] for word in parts)


def camel(parts: Iterable[str]) -> str:
    """Return words as one name, ``likeThis``."""
    name = pascal(parts)
    return name[:1].lower() + name[1:]


def titles(places: Sequence[Place]) -> dict[tuple[str, str], Title]:
    """Return what each of *places* is called, by method and path; no operation id comes twice."""
    items = {place.path.rpartition("/")[0] for place in places if place.path.endswith("}")}
    methods: dict[str, set[str]] = {}
    for place in places:
        methods.setdefault(place.path, set()).add(place.method)
    found = {
        (place.method, place.path): _title(place, place.path in items, methods[place.path])
        for place in places
    }
    counts = Counter(title.operation_id for title in found.values())
    taken: set[str] = set()
    for key, title in sorted(found.items()):
        name = title.operation_id
        if counts[name] > 1:
            name = key[0].lower() + pascal(re.findall(r"[A-Za-z0-9]+", key[1]))
        unique, number = name, 2
        while unique in taken:
            unique, number = f"{name}{number}", number + 1
        taken.add(unique)
        found[key] = replace(title, operation_id=unique)
    return found


def _title(place: Place, has_items: bool, beside: set[str]) -> Title:
    """Return what *place* is called; *has_items*: a parameter may follow, *beside*: all its methods."""
    path, _, operation = place.path.partition("#")
    path = _CARRIED.sub("", path)
    nouns = _nouns(path)
    tag = next((part for part in path.split("/") if part and "{" not in part and not is_version(part)), "")
    if operation:
        kind, _, name = operation.partition(".")
        if kind not in _GRAPHQL:
            return Title(
                camel(words(operation)) or "call", operation, tag, pascal(words(operation)), action=True
            )
        return Title(camel(words(name)) or "graphql", f"GraphQL {kind} {name}".strip(), tag, "")
    if not nouns:
        return Title(place.method.lower() + "Root", f"{place.method} {place.path}", tag, "")
    owners, last = nouns[:-1], nouns[-1]
    above = [word for owner in owners for word in (owner.one if owner.of_one else owner.words)]
    several = not last.of_one and (has_items or last.one != last.words)
    verb = _VERBS.get(place.method, place.method.lower())
    if place.method == "GET" and (place.lists or (several and place.wraps)):
        verb = "list"
    elif place.method == "PUT" and "PATCH" in beside:
        verb = "replace"
    if place.method == "POST" and not several and not last.of_one:
        # An action, as /orders/{id}/cancel or /login.
        name, summary = camel([*above, *last.words]), _sentence(last.words, owners)
        return Title(name, summary, tag, pascal((owners or [last])[-1].one), action=True)
    else:
        about = last.one if last.of_one or place.method == "POST" else last.words
        name = camel([verb, *above, *about])
        subject = (_article(about), *about) if last.of_one or place.method == "POST" else about
        summary = _sentence((verb, *subject), owners)
    return Title(name, summary, tag, pascal(last.one))


def _nouns(path: str) -> list[_Noun]:
    """Return the nouns of a path: literals beside each other are one."""
    found: list[_Noun] = []
    parts = [part for part in path.split("/") if part]
    while parts and is_version(parts[0]):
        del parts[0]
    beside: tuple[str, ...] = ()
    for part in parts:
        if "{" in part:
            if beside:
                found.append(_Noun(beside, of_one=True))
            beside = ()
        else:
            beside = (*beside, *words(part))
    if beside:
        found.append(_Noun(beside, of_one=False))
    return found


def _article(told: Sequence[str]) -> str:
    return "an" if told[0][:1] in "aeio" else "a"


def _sentence(told: Sequence[str], owners: Sequence[_Noun]) -> str:
    text = " ".join(told)
    for owner in reversed(owners):
        about = owner.one if owner.of_one else owner.words
        text += f" of {_article(about)} {' '.join(about)}"
    return text[:1].upper() + text[1:]


def schema_names(wanted: Mapping[int, Sequence[str]]) -> dict[int, str]:
    """Return one name for each schema: the first of those *wanted* that no schema before it has."""
    taken: set[str] = set()
    found = {}
    for at, names in wanted.items():
        name = next((each for each in names if each and each not in taken), "")
        if not name:
            base = next((each for each in names if each), "Object")
            number = 2
            while f"{base}{number}" in taken:
                number += 1
            name = f"{base}{number}"
        taken.add(name)
        found[at] = name
    return found
