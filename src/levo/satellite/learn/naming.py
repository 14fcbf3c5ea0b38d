"""When names are text: the rule of an installation, and what it says of the names of one application.

``schema/names.pyx`` says what a proof is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from levo.satellite.learn.schema.names import MARK, Names, mark_of
from levo.satellite.learn.schema.standard import STANDARD_NAMES

DAY_NS = 86_400 * 1_000_000_000
UNPROVEN = "*"
"""Is shown for the name of a credential that is not proven."""
_NAMED = frozenset({"header", "query", "cookie"})
"""Kinds of credentials that have a name (``auth.schemes``)."""


class Application(NamedTuple):
    """What names are proven for."""

    organization: str
    environment: str
    application: str


@dataclass(frozen=True, slots=True)
class NameRule:
    """What proves that a name is one."""

    min_objects: int = 3
    """Different objects that had it."""
    min_callers: int = 2
    """Different callers that sent it, where no successful answer has it."""
    alone_after_ns: int = DAY_NS
    """In an application that only one caller has called: how long that one must have sent it instead."""

    @property
    def is_needed(self) -> bool:
        """Whether any name needs a proof."""
        return self.min_objects > 1 or self.min_callers > 1


class Proven:
    """The proven names of one application. ``Knowledge.settle`` and ``reveal`` ask it."""

    def __init__(
        self, key: bytes, names: Iterable[str] = (), alone: Iterable[str] = (), *, is_open: bool = False
    ) -> None:
        """*key*: of the installation; *alone* are proven by what one caller sent, *names* otherwise.

        *is_open*: no name needs a proof.
        """
        self._key = key
        self.is_open = is_open
        self._texts: dict[str, str] = {}
        self.names: set[str] = set()
        self.alone: set[str] = set()
        for name in alone:
            self.add(name, alone=True)
        for name in names:
            self.add(name)

    def add(self, name: str, *, alone: bool = False) -> None:
        """Note that *name* is proven, *alone*: by what one caller sent."""
        self._texts[mark_of(name, self._key)] = name
        (self.alone if alone else self.names).add(name)
        if not alone:
            self.alone.discard(name)

    def withdraw(self) -> None:
        """Take back what one caller alone has proven."""
        for name in self.alone:
            del self._texts[mark_of(name, self._key)]
        self.alone.clear()

    def replace(self, other: Proven) -> None:
        """Become what *other* is, in place: others hold the sets of names."""
        self._texts = other._texts
        for mine, theirs in ((self.names, other.names), (self.alone, other.alone)):
            mine.clear()
            mine.update(theirs)

    def settled(self, name: str) -> str:
        """Return what a name or mark has to be stored as: text if it is proven, else the mark."""
        if name[:1] == MARK:
            return self._texts.get(name, name)
        if self.is_open or name in STANDARD_NAMES or name in self.names or name in self.alone:
            return name
        return mark_of(name, self._key)

    def settled_scheme(self, scheme: str) -> str:
        """The same for an authentication (``auth.schemes``)."""
        return _each_name(scheme, self.settled)

    def revealed(self, name: str) -> str | None:
        """Return the text of a name or mark, None for one that is not proven."""
        return self._texts.get(name) if name[:1] == MARK else name

    def revealed_scheme(self, scheme: str) -> str:
        """The same for an authentication, which stays without the name."""
        return _each_name(scheme, lambda name: self.revealed(name) or UNPROVEN)

    def is_alone(self, name: str) -> bool:
        """Whether only one caller has sent *name*."""
        return name in self.alone


def _each_name(scheme: str, rename: Callable[[str], str]) -> str:
    if ":" not in scheme:
        return scheme
    return "+".join(sorted({_renamed(part, rename) for part in scheme.split("+")}))


def _renamed(part: str, rename: Callable[[str], str]) -> str:
    kind, _, name = part.partition(":")
    return f"{kind}:{rename(name)}" if kind in _NAMED else part


def proven_within(names: Names) -> Proven:
    """Return the names that *names* alone prove."""
    rule = names.min_objects, names.min_callers
    return Proven(names.key, [name for name, sightings in names.seen.items() if sightings.is_proof(*rule)])
