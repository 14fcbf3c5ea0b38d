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
from levo.satellite.learn.paths.segments import known_rank
from levo.satellite.learn.paths.state import Located, PathState, hashed_part
from levo.satellite.learn.paths.templates import Catalog, Template, match_key, shown_path
from levo.satellite.learn.paths.vocabulary import vocabulary

_VALUE = re.compile(r"\{[^{}]*\}")
_TYPED = re.compile(r"\{[^{}*]*\}")


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
    key: bytes = field(default=b"", repr=False, compare=False)
    """Of the installation: hashes literals."""
    _hashed: dict[str, str] | None = field(default=None, repr=False, compare=False)

    def assign(self, place: str, method: str, paths: PathState) -> Assignment | None:
        """Return where requests of *method* at *place* belong, None if nothing has proven that it exists."""
        found = self.by_place.get(place)
        if found is None:
            found = self.assign_located(paths.locate(place, method), method)
        return found if found is not None and method in found.methods else None

    def assign_located(self, at: Located, method: str) -> Assignment | None:
        """Return where the place *at* belongs, None if nothing has proven that there is such a thing.

        What no request has proven falls to the parameters that it fits, as the server asks no other code:
        a refused ``/users/anna`` belongs to ``/users/{name}`` although nobody had success with that name. So
        it makes no endpoint, and none of another *method*. A word of APIs (``/users/admin``) is no value
        where none that had success was text: scanners ask for those.
        """
        found = None if at.like is None else self.by_place.get(at.like)
        if found is not None or at.there or self.top is None:
            return found
        words = self._words()
        parts = at.key.split("/")
        branch = match_key(self.top, "/".join(words.get(part, part) for part in parts))
        if branch is None or _has_word_for_typed_value(branch, parts):
            return None
        key = next(key for key, node in branch.places if node.calls)
        found = self.by_place.get(key or "/")
        return found if found is not None and method in found.methods else None

    def _words(self) -> dict[str, str]:
        """Return the literals of the decided tree by what stands for them in an unproven place."""
        if self._hashed is None:
            self._hashed = {}
            stack = [] if self.top is None else [self.top]
            while stack:
                branch = stack.pop()
                self._hashed.update((hashed_part(word, self.key), word) for word in branch.literals)
                stack.extend((*branch.literals.values(), *branch.parameters.values()))
        return self._hashed

    def fits_parameter(self, place: str) -> bool:
        """Whether a place that is newer than the decision may be one more value of a parameter."""
        found = None if self.top is None else match_key(self.top, place)
        return found is not None and any(_VALUE.search(segment) for segment in found.pattern)


def _has_word_for_typed_value(branch: Branch, parts: Sequence[str]) -> bool:
    """Whether a word of APIs in *parts*, of which the first is empty, stands where values were typed."""
    for number, (segment, part) in enumerate(zip(branch.pattern, parts[1:], strict=False), 1):
        if "{}" not in segment or "{" in part or known_rank(part) < 0:
            continue
        if all(_TYPED.search(place.key.split("/")[number]) for place in branch.places):
            return True
    return False


def decide_templates(paths: PathState, overrides: Sequence[Override] = ()) -> TemplateDecision:
    """Decide on the templates of a host."""
    decision = TemplateDecision(key=paths.key)
    catalog = Catalog(paths, overrides)
    decision.templates = tuple(catalog.templates)
    decision.top = catalog.top
    for template in catalog.templates:
        decision.by_template[template.id] = template
        assignment = Assignment(template.id, template.path, template.confidence, frozenset(template.methods))
        for place in template.keys:
            decision.by_place[place] = assignment
    return decision


RULES = 4
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
