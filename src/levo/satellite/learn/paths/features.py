"""What speaks for and against a literal child being a value of a parameter, as named yes/no features.

A feature is a short name such as ``word:known3`` or ``after:param``. The weights of the names (log-odds, in
``model.json``) add up, so that a decision can be explained by the names that weighed most.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from levo.satellite.learn.paths.segments import (
    SCRIPTS,
    is_version,
    known_rank,
    known_share,
    literal_suffix,
    word_rank,
    words,
)
from levo.satellite.learn.paths.vocabulary import vocabulary

_VOWELS = frozenset("aeiouyAEIOUY")
_CONSONANTS = re.compile(r"[bcdfghjklmnpqrstvwxzBCDFGHJKLMNPQRSTVWXZ]{5,}")


@dataclass(frozen=True, slots=True)
class Context:
    """Where the children hang."""

    kind: str
    """``root``, ``word``, ``version`` or ``param``."""
    text: str
    """The literal above, for ``word``; else empty."""
    depth: int
    value_above: bool = False
    """Whether some segment further up is a parameter."""


@dataclass(slots=True)
class Signals:
    """What bodies said about one or several segments (``statement``)."""

    looked: int = 0
    """Responses searched for the segment."""
    came_back: int = 0
    """Of ``looked``: it was there, as the name or id of something."""
    given_out: bool = False
    """Another call gave it out as the name or id of something."""
    shapes: dict[str, int] = field(default_factory=dict)
    """By method, and by what follows and method: sketch of the properties of the bodies; none that is 0."""


@dataclass(slots=True)
class Child:
    """One literal child, summed over all places that are the same after the decisions above it."""

    literal: str
    visits: int
    """Requests here and below."""
    methods: frozenset[str]
    """That end here."""
    below: frozenset[str]
    """Keys of its children, values of recognized types as ``{}``."""
    homes: int
    """Different segments of this host under which the same literal occurs."""
    verbs: int = 0
    """Different ``:verb`` suffixes behind it."""
    signals: Signals = field(default_factory=Signals)
    above: int = 0
    """Below so many values of the parameter above it stands; of recognized types, requests count."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Literals that were forgotten as values: unknown words, of which together this is known."""

    count: int = 0
    visits: int = 0
    methods: frozenset[str] = frozenset()
    below: frozenset[str] = frozenset()

    def does(self, methods: frozenset[str]) -> int:
        """Return how many do what a child does at which *methods* end."""
        return self.count if methods <= self.methods else 0


@dataclass(slots=True)
class Siblings:
    """What the children of one node have in common."""

    context: Context
    children: Sequence[Child]
    typed: int
    """Requests through children of recognized types."""
    typed_below: frozenset[str]
    typed_methods: frozenset[str]
    overflow: bool
    overflow_below: frozenset[str] = frozenset()
    typed_signals: Signals = field(default_factory=Signals)
    forgotten: Forgotten = Forgotten()
    """They are among *typed*, too. A child is judged as if they were still beside it."""


def bucket(value: float, *limits: float) -> int:
    """Return how many of *limits* are not above *value*."""
    return sum(value >= limit for limit in limits)


def group_features(siblings: Siblings) -> list[str]:
    """Return the features that all children of a node share."""
    context, children, forgotten = siblings.context, siblings.children, siblings.forgotten
    count = len(children) + forgotten.count
    visits = sum(child.visits for child in children) + forgotten.visits
    once = sum(child.visits == 1 for child in children)
    if forgotten.visits == forgotten.count:
        once += forgotten.count
    names = []
    if context.kind == "word":
        found = words(context.text)
        last = found[-1] if found else ""
        rank, follow = vocabulary().get(last, (-1, "-"))
        plural = last.endswith("s") and not last.endswith("ss")
        above = f"{follow}{'s' if plural else ''}"
        names.append(f"above:{above}")
        names.append(f"above-known:{rank >= 0:d}")
        if context.text[:1].isupper():
            names.append("above:capital")
        if len(found) > 1:
            names.append("above:words")
    else:
        above = context.kind
        names.append(f"above:{context.kind}")
    depth = min(context.depth, 5)
    names.append(f"depth:{depth}")
    if context.value_above:
        names.append("below-param")
    size = bucket(count, 2, 3, 5, 9, 17, 33, 65)
    names.append(f"count:{size}")
    novelty = bucket(once / count, 0.01, 0.2, 0.4, 0.6, 0.8, 0.99)
    names.append(f"new:{size}:{novelty}")
    names.append(f"unseen:{bucket(once / visits, 0.003, 0.01, 0.03, 0.1, 0.3)}")
    names.append(f"each:{size}:{bucket(visits / count, 1.5, 3, 8, 30, 100)}")
    names.append(f"above-count:{above}:{min(size, 4)}")
    if siblings.overflow:
        names.append("overflow")
    known = sum(known_rank(child.literal) >= 0 for child in children) / count
    names.append(f"known:{min(size, 4)}:{bucket(known, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)}")
    shapes = Counter(spelling(child.literal) for child in children)
    names.append(
        f"shapes:{min(size, 3)}:{bucket(shapes.most_common(1)[0][1] / len(children), 0.4, 0.7, 0.95)}"
    )
    if siblings.typed:
        share = siblings.typed / (siblings.typed + visits)
        names.append(f"typed:{bucket(share, 0.05, 0.3, 0.7, 0.95)}")
    return names + _common_features(siblings)


def _common_features(siblings: Siblings) -> list[str]:
    """Return what is said of how far the children of a node have methods and children in common."""
    children, forgotten = siblings.children, siblings.forgotten
    count = len(children) + forgotten.count
    size = bucket(count, 2, 3, 5, 9, 17, 33, 65)
    leaves = (
        sum(not child.below for child in children) + (0 if forgotten.below else forgotten.count)
    ) / count
    names = [f"leaves:{min(size, 3)}:{bucket(leaves, 0.01, 0.5, 0.99)}"]
    below: Counter[str] = Counter()
    parents = 0
    for child in children:
        if child.below:
            parents += 1
            below.update(child.below)
    if forgotten.below:
        parents += forgotten.count
        below.update(dict.fromkeys(forgotten.below, forgotten.count))
    if parents >= 2:
        shared = sum(n for n in below.values() if n > 1) / sum(below.values())
        names.append(f"alike:{bucket(parents, 3, 6, 20)}:{bucket(shared, 0.01, 0.3, 0.6, 0.9, 1.0)}")
    methods = Counter(child.methods for child in children if child.methods)
    if forgotten.methods and forgotten.count:
        methods[forgotten.methods] += forgotten.count
    if methods:
        most = methods.most_common(1)[0][1] / sum(methods.values())
        names.append(f"methods:{min(size, 4)}:{bucket(most, 0.4, 0.7, 0.95)}")
    return names


def child_features(
    siblings: Siblings, child: Child, below: Counter[str], methods: Counter[frozenset[str]]
) -> list[str]:
    """Return the features of *child* alone. *below*, *methods*: how often each occurs among all siblings."""
    literal, forgotten = child.literal, siblings.forgotten
    count = len(siblings.children) + forgotten.count
    names = []
    rank = known_rank(literal)
    found = words(literal)
    names.append(f"word:{rank}")
    names.append(f"word:{rank}:{siblings.context.kind}")
    names.append(f"words:{min(len(found), 4)}:{rank >= 0:d}")
    if rank == 1 and any(w not in vocabulary() for w in found):
        names.append("compound")
    if rank < 0:
        names.append(f"part-known:{bucket(known_share(literal), 0.01, 0.34, 0.5, 0.75)}")
        names.append(
            f"longest-known:{bucket(max((len(w) for w in found if word_rank(w) >= 0), default=0), 1, 4, 6)}"
        )
    names.append(f"shape:{spelling(literal)}")
    names.append(f"length:{bucket(len(literal), 3, 4, 6, 9, 13, 18, 25, 40)}")
    digits = sum(map(str.isdigit, literal))
    if digits:
        names.append(f"digits:{min(digits, 4)}")
    if _CONSONANTS.search(literal) or (len(literal) > 3 and not _VOWELS.intersection(literal)):
        names.append("unspeakable")
    if is_version(literal):
        names.append("version")
    suffix = literal_suffix(literal)
    if suffix:
        names.append("suffix:" + ("script" if suffix in SCRIPTS else "extension"))
    if child.verbs:
        names.append(f"verbs:{min(child.verbs, 2)}")
    size = min(bucket(count, 2, 3, 5, 9, 17, 33), 6)
    visits = (sum(c.visits for c in siblings.children) + forgotten.visits) / count
    names.append(f"visits:{bucket(child.visits, 2, 3, 6, 15, 50)}")
    names.append(f"share:{min(size, 3)}:{bucket(child.visits / visits, 0.1, 0.4, 1.0, 2.0, 5.0, 15.0)}")
    if child.methods:
        verbs = child.methods
        names.append(
            "does:" + "".join(m[:2] for m in ("GET", "PUT", "PATCH", "DELETE", "POST") if m in verbs)
        )
        same = (methods[verbs] - 1 + forgotten.does(verbs)) / max(1, count - 1)
        names.append(f"same-methods:{min(size, 3)}:{bucket(same, 0.01, 0.3, 0.7, 0.95)}")
    else:
        names.append("no-end")
    if child.below:
        own = [below[key] - 1 for key in child.below]
        shared = sum(n > 0 for n in own) / len(own)
        names.append(f"below-shared:{min(size, 3)}:{bucket(shared, 0.01, 0.5, 0.99)}")
        elsewhere = siblings.typed_below | siblings.overflow_below
        agreeing = sum(below[key] > 1 or key in elsewhere for key in child.below)
        names.append(
            f"agreeing:{bucket(agreeing, 1, 2, 4, 8)}:{bucket(agreeing / len(own), 0.01, 0.5, 0.8, 0.99)}"
        )
        names.append(f"agreeing:{siblings.context.kind}:{bucket(agreeing, 1, 2, 4)}:{min(rank, 1)}")
        names.append(f"below-own:{bucket(sum(n == 0 for n in own), 1, 2, 4, 8)}")
        names.append(f"below-typed:{'{}' in child.below:d}")
    else:
        names.append("leaf")
    if siblings.typed:
        if child.below and siblings.typed_below:
            both = len(child.below & siblings.typed_below) / len(child.below)
            names.append(f"as-typed:{bucket(both, 0.01, 0.5, 0.99)}")
        elif child.below or siblings.typed_below:
            names.append("unlike-typed")
        if child.methods and siblings.typed_methods:
            names.append(f"typed-methods:{bool(child.methods <= siblings.typed_methods):d}")
    names.append(f"homes:{bucket(child.homes, 2, 3, 6)}:{min(rank, 1)}")
    return names


@lru_cache(maxsize=8192)
def spelling(literal: str) -> str:
    """Return the kind of spelling: ``lower``, ``Title``, ``camel``, ``UPPER``, with separators and digits."""
    letters = "".join(c for c in literal if c.isalpha())
    if not letters:
        case = "none"
    elif letters.islower():
        case = "lower"
    elif letters.isupper():
        case = "upper"
    elif letters[0].isupper() and letters[1:].islower():
        case = "title"
    else:
        case = "camel"
    marks = "".join(mark for mark in "-_.:" if mark in literal)
    if any(not c.isalnum() and c not in "-_.:" for c in literal):
        marks += "?"
    return f"{case}{marks}{'9' if any(map(str.isdigit, literal)) else ''}"
