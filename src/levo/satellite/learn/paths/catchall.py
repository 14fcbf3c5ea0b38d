"""Parameters that span several segments, as the path of a file below ``/contents``.

Ordinary REST paths alternate: a collection, a value, a word, a value. Where values follow values, and
requests
with like methods end at three depths or more, the segments are parts of one value. Words that recur behind
such values and end otherwise (``/contents/{path+}/checkpoints``) stay words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from levo.satellite.learn.paths.branch import Affix, Branch, Place, Reason
from levo.satellite.learn.paths.segments import OVERFLOW, known_rank, literal_stem, literal_suffix
from levo.satellite.learn.paths.trie import ESTABLISHED

LEAST_DEPTHS = 3
"""Depths at which values end with like methods before we believe in a catch-all."""
LEAST_ENDS = 3
"""Values that end at a depth before it counts."""
LIKE = 0.4
"""Least share of common methods (Jaccard)."""
USUAL = 0.8
"""Share of the values with the commonest method from which another one is as usual."""
MOST_WORDS = 3
"""More words of APIs that recur behind values, and the values alternate with words."""
WHOLE = Affix("", "+")


class _Survey:
    """What ends below a branch when only values are followed."""

    def __init__(self, top: Branch) -> None:
        self.ends: dict[int, Counter[str]] = {}
        """By depth: nodes that end with each method."""
        self.count: Counter[int] = Counter()
        self.typed = self.text = self.files = 0
        self.parents: Counter[str] = Counter()
        """By literal behind values: how many places it follows."""
        self.other: Counter[str] = Counter()
        self._follow(top, 0)

    def _follow(self, branch: Branch, depth: int) -> None:
        is_open = _is_open(branch)
        for text, kid in branch.literals.items():
            if text[0] == "#":
                continue
            if depth:
                for _, node in kid.places:
                    self.parents[text] += 1
                    self.other[text] += bool(node.calls)
            if _is_value_like(kid) or (is_open and not kid.known):
                self._add(kid, depth + 1)
                self.text += 1
                self.files += literal_suffix(text).startswith(".")
                self._follow(kid, depth + 1)
        for affix, kid in branch.parameters.items():
            self._add(kid, depth + 1)
            self._add_forgotten(branch, kid, depth + 1)
            self.text += kid.values_seen
            self.typed += sum(kind not in ("text", "other") for kind in kid.kinds)
            self.files += kid.values_seen if affix.suffix.startswith(".") else 0
            self._follow(kid, depth + 1)

    def _add(self, branch: Branch, depth: int) -> None:
        for _, node in branch.places:
            if node.calls:
                self.count[depth] += 1
                self.ends.setdefault(depth, Counter()).update(node.calls.keys())

    def _add_forgotten(self, branch: Branch, kid: Branch, depth: int) -> None:
        """Count the names of which only hashes stayed: their nodes were joined by extension."""
        for key, parent in branch.places:
            joined = {name: node for name, node in parent.kids.items() if name.startswith(OVERFLOW)}
            mine = [name for name in joined if any(place.key == f"{key}/{name}" for place in kid.places)]
            if mine and parent.gone:
                names = len(parent.gone) * len(mine) // len(joined)
                self.text += names
                self.files += names * sum(name != OVERFLOW for name in mine) // len(mine)
                if any(joined[name].calls for name in mine):
                    self.count[depth] += names

    def methods(self) -> frozenset[str]:
        """Methods of the first depth that enough values end at."""
        for depth in sorted(self.ends):
            if self.count[depth] >= LEAST_ENDS:
                return frozenset(self.ends[depth])
        return frozenset()

    def usual(self) -> frozenset[str]:
        """Return the methods that about as many values end with as with any."""
        total: Counter[str] = Counter()
        for ends in self.ends.values():
            total.update(ends)
        most = max(total.values(), default=0)
        return frozenset(method for method, count in total.items() if count >= USUAL * most)


def find(branch: Branch) -> Branch | None:
    """Return the catch-all that belongs below *branch* in place of its values, None if there is none.

    *branch* gives up the children that became part of it. The result's literal children are not split yet.
    """
    if any(segment[0] == "#" for segment in branch.pattern):
        return None
    known = tuple(node for kid in branch.parameters.values() for node in kid.known if node.catch_all)
    if not known and (not branch.pattern or not _is_open(branch) or _alternates(branch)):
        return None
    survey = _Survey(branch)
    methods = survey.methods()
    if not known and not _is_tree(survey, methods):
        return None
    tails = {text for node in known for text in node.literals} | {
        text
        for text, places in survey.parents.items()
        if places >= LEAST_ENDS
        and not literal_suffix(text)
        and _ends_otherwise(branch, text, methods, survey.usual())
    }
    whole = Branch((*branch.pattern, "{+}"), [], catch_all=True, known=known)
    whole.reason = Reason(1.0, (("values end with like methods at several depths", float(len(survey.ends))),))
    behind: dict[str, list[Place]] = {}
    for affix in sorted(branch.parameters):
        if ":" not in affix.suffix:
            _swallow(branch.parameters.pop(affix), whole, tails, behind)
    for text, kid in sorted(branch.literals.items()):
        page = kid.reason is not None and kid.reason.value_probability < 0.1 and not _has_children(kid)
        if not kid.known and not kid.firm and not page and text[0] != "#":
            _swallow(branch.literals.pop(text), whole, tails, behind)
    whole.kinds["text"] = sum(survey.count.values())
    whole.values_seen = survey.text
    for text, places in behind.items():
        tail = Branch((*whole.pattern, text), places, reason=Reason(0.0, (("recurs behind a path", -9.0),)))
        tail.known = tuple(node.literals[text] for node in whole.known if text in node.literals)
        whole.literals[text] = tail
    branch.parameters[WHOLE] = whole
    return whole


def _is_tree(survey: _Survey, methods: frozenset[str]) -> bool:
    recurring = sum(
        places >= LEAST_ENDS and known_rank(literal_stem(text)) >= 0
        for text, places in survey.parents.items()
    )
    if recurring > MOST_WORDS:
        return False
    levels = [
        frozenset(ends)
        for depth, ends in sorted(survey.ends.items())
        if survey.count[depth] >= LEAST_ENDS and _like(frozenset(ends), methods)
    ]
    return (
        len(levels) >= LEAST_DEPTHS
        and survey.text >= 8
        and survey.text > 5 * survey.typed
        and (len(frozenset.intersection(*levels[:LEAST_DEPTHS])) > 1 or survey.files * 5 >= survey.text)
    )


def _alternates(branch: Branch) -> bool:
    """Whether words stand behind values of recognized types, both established: an ordinary collection."""
    return any(
        sum(count for kind, count in kid.kinds.items() if kind not in ("text", "other")) >= ESTABLISHED
        and any(below.firm for below in kid.literals.values())
        for kid in branch.parameters.values()
    )


def _is_value_like(branch: Branch) -> bool:
    return not branch.known and (
        (branch.reason is not None and branch.reason.value_probability >= 0.5)
        or literal_suffix(branch.pattern[-1]).startswith(".")
    )


def _is_open(branch: Branch) -> bool:
    """Whether most of the names below *branch* are no words of APIs."""
    values = sum(kid.values_seen for kid in branch.parameters.values())
    values += sum(len(node.gone) for _, node in branch.places)  # unknown words, all of them
    fresh = sum(known_rank(text) < 0 or _is_value_like(kid) for text, kid in branch.literals.items())
    return values + fresh > 0 and 2 * (values + fresh) >= values + len(branch.literals)


def _has_children(branch: Branch) -> bool:
    return bool(branch.literals or branch.parameters)


def _like(a: frozenset[str], b: frozenset[str]) -> bool:
    return bool(a & b) and len(a & b) >= LIKE * len(a | b)


def _ends_otherwise(branch: Branch, text: str, methods: frozenset[str], usual: frozenset[str]) -> bool:
    ends: set[str] = set()
    for below in _below(branch):
        kid = below.literals.get(text)
        if kid is not None:
            ends.update(method for _, node in kid.places for method in node.calls)
    return bool(ends) and (not _like(frozenset(ends), methods) or not usual <= ends)


def _below(branch: Branch) -> Iterator[Branch]:
    yield branch
    for kid in (*branch.literals.values(), *branch.parameters.values()):
        yield from _below(kid)


def _swallow(branch: Branch, whole: Branch, tails: set[str], behind: dict[str, list[Place]]) -> None:
    whole.places.extend(branch.places)
    for text, kid in branch.literals.items():
        if text in tails:
            behind.setdefault(text, []).extend(kid.places)
        else:
            _swallow(kid, whole, tails, behind)
    for kid in branch.parameters.values():
        _swallow(kid, whole, tails, behind)
