"""What a comparison of two descriptions says: a change, its place, and whom it breaks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class Effect(StrEnum):
    """What a change does to the set of allowed values."""

    NARROWS = "narrows"
    WIDENS = "widens"
    CHANGES = "changes"
    """Neither of both contains the other."""
    NONE = "none"


class Level(StrEnum):
    """How bad a change is for clients."""

    BREAKING = "breaking"
    WARNING = "warning"
    """It may break clients; the documents alone cannot tell."""
    COMPATIBLE = "compatible"


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """One difference."""

    path: str
    """``*`` where it is about the whole document."""
    method: str
    """Upper case."""
    where: str
    """``operation``, ``query page``, ``request application/json/name``, ``security`` ..."""
    kind: str
    """As ``removed``, ``added``, ``type``, ``required``, ``enum``, ``maxLength``, ``deprecated``."""
    level: Level
    detail: str = ""
    pointer: str = ""
    """Where in a message: property names, ``*`` for any item; empty for all of it."""

    @property
    def breaking(self) -> bool:
        return self.level is Level.BREAKING

    def __str__(self) -> str:
        mark = {"breaking": "BREAKING", "warning": "warning", "compatible": "ok"}[self.level]
        detail = f" ({self.detail})" if self.detail else ""
        return f"{mark:8} {self.method} {self.path}: {self.where}: {self.kind}{detail}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the comparison is."""

    path: str
    method: str
    where: str
    response: bool = False
    text: bool = False
    """Scalars travel as text here."""
    pointer: str = ""
    muted: bool = False
    """What is only read has no meaning in a request, what is only written none in a response."""

    def at(self, name: str) -> Place:
        """Return the place of a property, item or key inside."""
        return replace(self, pointer=f"{self.pointer}/{name}")

    def level(self, effect: Effect) -> Level:
        """Return how bad *effect* is here."""
        breaks = (Effect.WIDENS if self.response else Effect.NARROWS, Effect.CHANGES)
        return Level.BREAKING if effect in breaks and not self.muted else Level.COMPATIBLE

    def change(self, kind: str, level: Level, detail: str = "") -> Change:
        """Return a change here."""
        return Change(
            self.path, self.method, f"{self.where}{self.pointer}", kind, level, detail, self.pointer
        )
