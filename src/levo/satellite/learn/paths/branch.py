"""The decided tree of a host's paths."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from levo.satellite.learn.paths.known import KnownNode
from levo.satellite.learn.paths.trie import Node


class Place(NamedTuple):
    """A trie node and the keys that lead to it."""

    key: str
    node: Node


class Affix(NamedTuple):
    """Fixed text around the value within a segment: ``{id}.json``, ``{id}:cancel``, ``Users({id})``."""

    prefix: str
    suffix: str


@dataclass(slots=True)
class Reason:
    """Why a segment is a literal or a parameter."""

    value_probability: float
    evidence: tuple[tuple[str, float], ...]
    """(feature or rule, log-odds towards "value"), weightiest first."""


def probability(log_odds: float) -> float:
    """Return the probability that *log_odds* mean, never 0 or 1."""
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, log_odds))))


@dataclass(slots=True)
class Branch:
    """A place in the decided tree: several trie nodes that are one."""

    pattern: tuple[str, ...]
    """Segments from the root; a parameter is ``{}`` with its affixes."""
    places: list[Place]
    literals: dict[str, Branch] = field(default_factory=dict)
    parameters: dict[Affix, Branch] = field(default_factory=dict)
    reason: Reason | None = None
    kinds: dict[str, int] = field(default_factory=dict)
    """Of a parameter: requests by kind of value; ``text`` for literals, ``other`` for those no longer
    kept."""
    values_seen: int = 0
    """Of a parameter: distinct untyped values kept."""
    known: tuple[KnownNode, ...] = ()
    """Where we are in the templates that a user or a specification gave."""
    catch_all: bool = False
    firm: bool = False
    """Whether this literal is established and a word among those that are: whatever else stands beside it."""
    """Of a parameter: it spans one or more segments."""
