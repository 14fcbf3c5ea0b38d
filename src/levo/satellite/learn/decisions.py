"""Which template each place in the tree of paths belongs to: a pure function of the paths' state."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from levo.satellite.learn.paths.branch import Branch
from levo.satellite.learn.paths.known import Override
from levo.satellite.learn.paths.model import model
from levo.satellite.learn.paths.state import PathState
from levo.satellite.learn.paths.templates import Catalog, Template, match_key, shown_path
from levo.satellite.learn.paths.vocabulary import vocabulary

_VALUE = re.compile(r"\{[^{}]*\}")


@dataclass(frozen=True, slots=True)
class Assignment:
    """Where the figures of a place go."""

    template: str
    """Stable name of the template, without names of parameters: ``/users/{}``."""
    path: str
    """As shown: ``/users/{userId}``."""
    confidence: float
    methods: frozenset[str]
    """Methods that some request has proven to exist."""


@dataclass(slots=True)
class TemplateDecision:
    """The templates of one host."""

    templates: tuple[Template, ...] = ()
    by_place: dict[str, Assignment] = field(default_factory=dict)
    by_template: dict[str, Template] = field(default_factory=dict)
    top: Branch | None = field(default=None, repr=False, compare=False)
    """The decided tree."""

    def assign(self, place: str, paths: PathState | None) -> Assignment | None:
        """Return where *place* belongs, None if nothing has proven that it exists."""
        found = self.by_place.get(place)
        if found is None and paths is not None:
            found = self.by_place.get(paths.locate(place).like or "")
        return found

    def fits_parameter(self, place: str) -> bool:
        """Whether a place that is newer than the decision may be one more value of a parameter."""
        found = None if self.top is None else match_key(self.top, place)
        return found is not None and any(_VALUE.search(segment) for segment in found.pattern)


def decide_templates(paths: PathState, overrides: Sequence[Override] = ()) -> TemplateDecision:
    """Decide on the templates of a host."""
    decision = TemplateDecision()
    catalog = Catalog(paths, overrides)
    decision.templates = tuple(catalog.templates)
    decision.top = catalog.top
    for template in catalog.templates:
        decision.by_template[template.id] = template
        assignment = Assignment(template.id, template.path, template.confidence, frozenset(template.methods))
        for place in template.keys:
            decision.by_place[place] = assignment
    return decision


RULES = 3
"""Grows with each change of a rule by which templates are decided or values are forgotten."""


@cache
def rules_version() -> str:
    """Return what tells the rules of this release from those of another: code, words and weights."""
    words = "".join(f"{word}{known.rank}{known.follow}" for word, known in sorted(vocabulary().items()))
    weights = repr([sorted(part.items()) for part in (model().first, model().second)])
    return f"{RULES}-{zlib.crc32((words + weights).encode()):08x}"


def undecided(place: str, method: str) -> Assignment:
    """Return the assignment of a place that is newer than the last decision."""
    path = shown_path([part for part in place.split("/") if part])
    return Assignment(_VALUE.sub("{}", path), _VALUE.sub("{id}", path), 0.5, frozenset((method,)))
