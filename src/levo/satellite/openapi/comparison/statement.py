"""One statement of a description, with the answer of traffic."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class Answer(StrEnum):
    """What traffic says to a statement."""

    CONTRADICTED = "contradicted"
    UNSEEN = "not yet seen"
    AGREES = "agrees"


@dataclass(frozen=True, slots=True, order=True)
class Statement:
    """Something that a description says, or that was seen and is not described."""

    path: str
    """``*`` where it is about the whole document."""
    method: str
    where: str
    """``operation``, ``query page``, ``request application/json/name``, ``security`` ..."""
    kind: str
    """As ``type``, ``required``, ``enum``, ``status``, ``media type``, ``added``."""
    answer: Answer
    observations: int
    """How many values, messages or requests the answer comes from."""
    detail: str = ""
    pointer: str = ""
    """Where in a message: property names, ``*`` for any item; empty for all of it."""
    undescribed: bool = False
    """Seen, and neither described nor excluded."""

    @property
    def breaking(self) -> bool:
        """Whether clients of the description cannot rely on it."""
        return self.answer is Answer.CONTRADICTED and not self.undescribed


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a statement stands."""

    method: str
    path: str
    where: str
    pointer: str = ""

    def inside(self, part: str) -> Spot:
        """Return the place of a header or media type of a message."""
        return replace(self, where=f"{self.where} {part}")

    def at(self, name: str) -> Spot:
        """Return the place of a property, item or key inside."""
        return replace(self, pointer=f"{self.pointer}/{name}")

    def say(self, kind: str, answer: Answer, observations: int, detail: str = "") -> Statement:
        """Return a statement here."""
        where = f"{self.where}{self.pointer}"
        return Statement(self.path, self.method, where, kind, answer, observations, detail, self.pointer)

    def seen(self, observations: int, detail: str = "") -> Statement:
        """Return what was seen here and is not described."""
        statement = self.say("added", Answer.CONTRADICTED, observations, detail or "not described")
        return replace(statement, undescribed=True)
