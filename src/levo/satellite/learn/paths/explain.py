"""Why a template is as it is, in words. The names of features are for the weights; people read this."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from levo.satellite.learn.paths.templates import Template

SAID = {
    "": "most segments are words",
    "above": "what stands before it",
    "above-count": "what stands before it, and how many siblings it has",
    "above-known": "whether what stands before it is a word of APIs",
    "depth": "how deep it stands",
    "below-param": "there is a parameter before it",
    "count": "how many siblings it has",
    "new": "how many of its siblings were seen once",
    "unseen": "how often new siblings keep coming",
    "each": "how often each sibling is asked for",
    "overflow": "there are more siblings than are told apart",
    "known": "how many siblings are words of APIs",
    "shapes": "whether siblings are spelt alike",
    "typed": "values of recognized types stand beside it",
    "leaves": "how many siblings have something below them",
    "alike": "whether the same follows behind siblings",
    "methods": "whether siblings have the same methods",
    "word": "how common it is as a word of APIs",
    "words": "of how many words it is made",
    "compound": "it is made of words of APIs",
    "part-known": "how much of it is words of APIs",
    "longest-known": "the longest word of APIs in it",
    "shape": "how it is spelt",
    "length": "how long it is",
    "digits": "there are digits in it",
    "unspeakable": "it cannot be spoken",
    "version": "it looks like a version",
    "suffix": "its extension",
    "verbs": "verbs follow it after a colon",
    "visits": "how often it was asked for",
    "share": "how often it was asked for, beside its siblings",
    "does": "which methods it has",
    "same-methods": "whether its methods are those of its siblings",
    "no-end": "no request ends there",
    "below-shared": "whether what follows it follows its siblings, too",
    "agreeing": "how much follows both it and its siblings",
    "below-own": "how much follows it alone",
    "below-typed": "whether a value follows it",
    "leaf": "nothing follows it",
    "as-typed": "whether the same follows it as follows typed values",
    "unlike-typed": "it is followed otherwise than typed values beside it",
    "typed-methods": "whether typed values beside it have its methods",
    "homes": "in how many other places it stands",
    "own": "all that speaks for itself",
    "others": "how its siblings were judged",
    "own-others": "how it and its siblings were judged",
    "alone": "it has no siblings",
    "like": "how siblings with the same methods and children were judged",
    "parameter": "there is a parameter at this place",
}
"""What features (``features``, ``decide.second_features``) look at, by the start of their names."""
_SUMS = frozenset({"own", "own-others"})
"""Told only where nothing else is: they sum up the others."""
MOST = 4
"""Reasons told for one segment."""


class Because(NamedTuple):
    """One reason."""

    what: str
    speaks_for: str
    """``value`` or ``word``."""
    weight: float
    """Log-odds, positive; infinite for what is certain."""


class SegmentEvidence(NamedTuple):
    """Why one segment is a word or a parameter."""

    segment: str
    is_parameter: bool
    probability: float
    """That this is right."""
    because: tuple[Because, ...]
    """Weightiest first."""


def explain(template: Template) -> tuple[SegmentEvidence, ...]:
    """Return the evidence for each segment of *template* in order."""
    found = []
    for segment, value_probability, evidence in template.evidence:
        is_parameter = "{" in segment
        probability = value_probability if is_parameter else 1 - value_probability
        found.append(SegmentEvidence(segment, is_parameter, round(probability, 3), _reasons(evidence)))
    return tuple(found)


def _reasons(evidence: Sequence[tuple[str, float]]) -> tuple[Because, ...]:
    weights: dict[str, float] = {}
    said = [(name, weight) for name, weight in evidence if name.partition(":")[0] not in _SUMS]
    for name, weight in said or evidence:
        what = SAID.get(name.partition(":")[0], name)
        weights[what] = weights.get(what, 0.0) + weight
    reasons = [
        Because(what, "value" if weight > 0 else "word", abs(round(weight, 2)))
        for what, weight in weights.items()
        if weight
    ]
    reasons.sort(key=lambda reason: (-reason.weight, reason.what))
    return tuple(reasons[:MOST])


def explanation(template: Template) -> str:
    """Return the evidence for *template* as lines of text."""
    lines = [f"{','.join(template.methods)} {template.path}  (confidence {template.confidence:.2f})"]
    for one in explain(template):
        reasons = "; ".join(
            f"{b.what} ({'certain' if math.isinf(b.weight) else f'{b.weight:.1f} for a {b.speaks_for}'})"
            for b in one.because
        )
        kind = "parameter" if one.is_parameter else "word"
        lines.append(f"    {one.segment}  {kind}, {one.probability:.0%}: {reasons or 'no evidence'}")
    return "\n".join(lines)
