"""Combines body and path evidence about siblings, as named log-odds.

Each sum is the logarithm of how much likelier a value is than a word to give this signal. How likely a value
of this place comes back, or is given out, is measured on its siblings that are values for certain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

from levo.satellite.learn.paths.branch import Reason, probability
from levo.satellite.learn.paths.features import Child, Siblings, Signals
from levo.satellite.learn.paths.segments import known_rank
from levo.satellite.learn.paths.statement import is_alike

CLEAR = 0.85
"""Probability from which a literal is a value that others are measured by."""
CAME_BACK = 4.0
"""A word rarely comes back as the name of what it leads to …"""
CAME_BACK_SELDOM = 1.5
"""… and if it does in fewer than half of the answers, it may be chance."""
GIVEN_OUT = 3.0
"""Words are names of something, too, now and then …"""
COMMON_FROM = 3
"""… above all those that many APIs have (``segments.word_rank``): the more is given out, the more often …"""
COMMON_GIVEN_OUT = 1.0
"""… and ``me`` or ``latest`` answer as values do."""
COMMON_AS_VALUES = 0.5
MOST_AGAINST = 4.0
LEAST_LOOKED = 5
"""Responses with values searched before silence says anything."""
LEAST_CLEAR = 4
"""Values before silence about being given out says anything."""
FORGOTTEN = 5
"""Values that ``{*}`` counts for, if one of those in it was given out."""
SHAPED_LIKE = 0.96
"""Probability of each of several siblings that are called alike, answer alike and are values on average."""
LEAST_ALIKE = 3
WELL_SEEN = 8
"""Requests from which all properties of what a place answers are known, but for rare ones."""
LEAST_COMPARED = 3
"""Siblings that are well seen and called alike, before it says anything that they answer otherwise."""
UNLIKE_SIBLINGS = -3.0
"""Values of one parameter lead to things of one kind; what leads to others is a word …"""
ONE_IN_ALIKE = 4
"""… where no more than one in so many siblings answers alike."""
AS_VALUES = 1.5
UNLIKE_VALUES = -1.0


def weigh(siblings: Siblings, reasons: Sequence[Reason]) -> list[Reason]:
    """Return *reasons*, one per child of *siblings*, with what the bodies say of each added."""
    children = siblings.children
    if not any(child.signals.looked or child.signals.given_out or child.signals.shapes for child in children):
        return list(reasons)
    certain = [reason.value_probability >= CLEAR for reason in reasons]
    clear = [c.signals for c, is_certain in zip(children, certain, strict=True) if is_certain]
    looked = siblings.typed_signals.looked + sum(signals.looked for signals in clear)
    came_back = siblings.typed_signals.came_back + sum(signals.came_back for signals in clear)
    given_out = sum(signals.given_out for signals in clear)
    # Values that were given out, and whose text was forgotten since.
    forgotten = FORGOTTEN if siblings.typed_signals.given_out else 0
    weighed = []
    for child, reason, is_certain in zip(children, reasons, certain, strict=True):
        signals, is_common = child.signals, known_rank(child.literal) >= COMMON_FROM
        # Measured on the others: none is a witness of itself.
        own = signals if is_certain else _NOTHING
        silence = _silence(came_back - own.came_back, looked - own.looked, LEAST_LOOKED)
        others = len(clear) - is_certain + forgotten
        ungiven = _silence(given_out - own.given_out + forgotten, others, LEAST_CLEAR)
        found: list[tuple[str, float]] = []
        if signals.came_back:
            often = 2 * signals.came_back >= signals.looked
            found.append(("comes back in the response", CAME_BACK if often else CAME_BACK_SELDOM))
        elif signals.looked and silence < -0.3:
            against = max(-MOST_AGAINST, silence * min(3, signals.looked))
            found.append(("does not come back as values here do", round(against, 2)))
        if signals.given_out:
            found.append(("given out by another call", COMMON_GIVEN_OUT if is_common else GIVEN_OUT))
        elif not signals.came_back and ungiven < -0.3:
            found.append(("not given out as values here are", round(max(-MOST_AGAINST, ungiven), 2)))
        like = _like_typed(child, siblings)
        if like:
            like = min(like, COMMON_AS_VALUES) if is_common else like
            found.append((f"{'same' if like > 0 else 'other'} properties as with typed values", like))
        elif _is_unlike_siblings(child, children):
            found.append(("other properties than siblings have", UNLIKE_SIBLINGS))
        weighed.append(with_evidence(reason, found))
    return _pool(children, weighed)


_NOTHING = Signals()


def _silence(seen: int, asked: int, least: int) -> float:
    """Return how much likelier it is not to hear of a value, as log-odds; 0 where too few were *asked*."""
    return math.log1p(-(seen + 1) / (asked + 2)) if asked >= least else 0.0


def _like_typed(child: Child, siblings: Siblings) -> float:
    alike = _is_shaped_alike(child.signals, siblings.typed_signals)
    return 0.0 if alike is None else AS_VALUES if alike else UNLIKE_VALUES


def _pool(children: Sequence[Child], reasons: Sequence[Reason]) -> list[Reason]:
    """Judge siblings with the same methods and properties together."""
    near = [1 << index for index in range(len(children))]
    """By child: a bit for each of those that answer alike, itself included."""
    for a, b in combinations([i for i, child in enumerate(children) if child.signals.shapes], 2):
        if _answers_alike(children[a], children[b]):
            near[a] |= 1 << b
            near[b] |= 1 << a
    pooled = list(reasons)
    for index, around in enumerate(near):
        if around.bit_count() < LEAST_ALIKE or reasons[index].value_probability >= SHAPED_LIKE:
            continue
        # Of many small objects, each is like some other: a chain of them is not a kind.
        group = [
            other
            for other in range(len(children))
            if around >> other & 1 and 3 * (around & near[other]).bit_count() >= 2 * around.bit_count()
        ]
        mean = sum(reasons[other].value_probability for other in group) / len(group)
        if len(group) >= LEAST_ALIKE and mean >= 0.5:
            gain = _log_odds(SHAPED_LIKE) - _log_odds(reasons[index].value_probability)
            pooled[index] = with_evidence(
                reasons[index], [(f"as {len(group) - 1} siblings with the same properties", gain)]
            )
    return pooled


def _is_unlike_siblings(child: Child, children: Sequence[Child]) -> bool:
    """Whether hardly one of the siblings of *child*, all well seen, answers with the same properties."""
    if child.visits < WELL_SEEN or not child.signals.shapes:
        return False
    others = [
        other
        for other in children
        if other is not child
        and other.visits >= WELL_SEEN
        and other.methods == child.methods
        and other.signals.shapes.keys() & child.signals.shapes.keys()
    ]
    alike = sum(_answers_alike(child, other) for other in others)
    return len(others) >= LEAST_COMPARED and ONE_IN_ALIKE * alike <= len(others)


def _answers_alike(a: Child, b: Child) -> bool:
    if a.below != b.below or _is_shaped_alike(a.signals, b.signals) is not True:
        return False
    if min(a.visits, b.visits) < WELL_SEEN:
        return True
    # Neither lacks what the other has for having been seen too seldom.
    common = a.signals.shapes.keys() & b.signals.shapes.keys()
    return all(
        4 * (one & other).bit_count() >= 3 * (one | other).bit_count()
        for method in common
        for one, other in [(a.signals.shapes[method], b.signals.shapes[method])]
    )


def _is_shaped_alike(a: Signals, b: Signals) -> bool | None:
    """Whether bodies have the same properties, in all methods that both have; None if there is none."""
    common = a.shapes.keys() & b.shapes.keys()
    return all(is_alike(a.shapes[method], b.shapes[method]) for method in common) if common else None


def with_evidence(reason: Reason, found: list[tuple[str, float]]) -> Reason:
    """Return *reason* with the named log-odds in *found* added."""
    if not found:
        return reason
    odds = _log_odds(reason.value_probability) + sum(weight for _, weight in found)
    evidence = sorted(
        (*((name, round(weight, 2)) for name, weight in found), *reason.evidence),
        key=lambda e: (-abs(e[1]), e[0]),
    )
    return Reason(probability(odds), tuple(evidence[:6]))


def _log_odds(probability: float) -> float:
    bounded = min(1 - 1e-13, max(1e-13, probability))
    return math.log(bounded / (1 - bounded))
