"""Words below a parameter that recur below many of its values, beside other words.

``/orgs/{org}/brandabot`` and ``/orgs/{org}/hooks`` stand below one organization as below another. Names that
people gave are rarely shared by everything above them, and where some are, others are seen once.
"""

from __future__ import annotations

from collections.abc import Sequence

from levo.satellite.learn.paths.body_evidence import with_evidence
from levo.satellite.learn.paths.branch import Reason
from levo.satellite.learn.paths.features import Siblings

RECURS = "recurs below several values, beside words"
LEAST_ABOVE = 3
"""Values of the parameter above, below which a word stands that recurs."""
MOST_AGAINST = 6.0
CLEAR_WORD = 0.3
"""Probability of being a value below which a sibling is a word without doubt."""
LEAST_WORDS = 2
ONE_IN_WORDS = 3
"""So many siblings, and one in so many, have to be words without doubt: else it is a place of values."""
ONE_IN_ONCE = 5
"""One in so many siblings, at most, may have been seen once."""


def weigh_crossing(siblings: Siblings, reasons: Sequence[Reason]) -> list[Reason]:
    """Return *reasons*, one per child of *siblings*, with what recurrence below a parameter says added."""
    children = siblings.children
    once = sum(child.visits == 1 for child in children)
    words = sum(reason.value_probability < CLEAR_WORD for reason in reasons)
    if (
        siblings.context.kind != "param"
        or siblings.typed
        or siblings.overflow
        or ONE_IN_ONCE * once > len(children)
        or words < LEAST_WORDS
        or ONE_IN_WORDS * words < len(children)
    ):
        return list(reasons)
    return [
        with_evidence(reason, [(RECURS, -min(MOST_AGAINST, float(child.above)))])
        if child.above >= LEAST_ABOVE
        else reason
        for child, reason in zip(children, reasons, strict=True)
    ]
