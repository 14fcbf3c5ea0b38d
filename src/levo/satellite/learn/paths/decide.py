"""From the undecided trie to branches: which literals are values of one parameter. A pure function of the
state.

Top down. At each branch the children of all trie nodes that earlier decisions made one are summed by key.
Keys of
recognized types are values. Literals are judged twice with additive weights: by themselves and their
siblings,
then again knowing how the siblings were judged. Values (per ``:verb`` or extension behind them) become one
parameter branch, so that what lies below them is judged as one.

Whoever sends requests chooses the siblings of a literal. So one that is established (``trie.ESTABLISHED``)
is judged among those siblings only that have as many successes and as many callers; weaker ones are judged
among all. Of weaker siblings only those are heard that callers of the literal itself name, each as many
(:class:`_Voices`). Where callers are not known, as in a file of the user's own, all siblings are heard.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from typing import NamedTuple, Protocol

from levo.satellite.learn.paths import catchall
from levo.satellite.learn.paths.body_evidence import weigh
from levo.satellite.learn.paths.branch import Affix, Branch, Place, Reason, probability
from levo.satellite.learn.paths.crossing import weigh_crossing
from levo.satellite.learn.paths.features import (
    Child,
    Context,
    Forgotten,
    Siblings,
    Signals,
    bucket,
    child_features,
    group_features,
    spelling,
)
from levo.satellite.learn.paths.forget import HASH_BYTES, Forgetting
from levo.satellite.learn.paths.known import KnownNode
from levo.satellite.learn.paths.model import model
from levo.satellite.learn.paths.segments import (
    FORMATS,
    OVERFLOW,
    is_version,
    literal_stem,
    literal_suffix,
    split_key,
)
from levo.satellite.learn.paths.trie import (
    ESTABLISHED,
    GRPC,
    OPERATIONS,
    REQUESTS,
    SHAPE,
    SUCCESSES,
    Node,
    least_callers,
)

NEW_FROM = 0.95
"""Probability from which literals make a parameter where nothing else says there is one."""
JOIN_FROM = 0.85
"""Probability from which a literal joins a parameter that typed or several clear values made certain."""
TOGETHER = 4
"""So many literals of that probability, most of those there are, make a parameter certain, too."""
LIKE_FROM = 0.6
"""Probability from which one joins a parameter of many clear values and nothing tells it from them."""
SPELT_LIKE_FROM = 0.2
"""The same where most of an unusual spelling (``ALL-CAPS``) are clear values."""
PLAIN = frozenset({"lower", "camel", "title", "lower-", "lower_"})
"""Spellings that say nothing."""
MANY_VALUES = 5
CERTAIN = 0.95
CERTAIN_VALUES = 2
"""So many values of such a probability make a parameter certain."""
READS_LIKE_VALUE = 0.2
"""Probability below which an established literal is a word, whatever paths of other depths say."""
VOICES = 16
"""Weaker siblings that the callers of an established literal name together."""
MOST_ASKED = 16
"""Established literals with as many callers for which others are heard: those most likely to be values."""
MOST_VERSIONS = 16
"""More that look like versions in front, and they are dates that somebody asks for."""
MAX_EXTENSIONS = 1
"""More different extensions behind values of one place, and they are part of the value."""


class Judge(Protocol):
    """Says which literal children are values."""

    def __call__(self, branch: Branch, siblings: Siblings) -> Sequence[Reason]:
        """Return one reason per child of *siblings*, in its order."""


class _Totals:
    """Requests below each node and homes of each literal, computed once per decision run."""

    def __init__(self, root: Node, rules: Forgetting) -> None:
        self.visits: dict[int, int] = {}
        self.successes: dict[int, int] = {}
        self.rules = rules
        self._homes: dict[str, set[str]] = {}
        self._add(root, "/")

    def _add(self, node: Node, key: str) -> int:
        total = successes = 0
        for call in node.calls.values():
            total += call[REQUESTS]
            successes += call[SUCCESSES]
        home = "{}" if "{" in key else key
        for name, kid in node.kids.items():
            total += self._add(kid, name)
            successes += self.successes[id(kid)]
            if "{" not in name:
                self._homes.setdefault(literal_stem(name), set()).add(home)
        self.visits[id(node)] = total
        self.successes[id(node)] = successes
        return total

    def homes(self, literal: str) -> int:
        return len(self._homes.get(literal, ()))


def decide(
    root: Node,
    known: KnownNode | None = None,
    judge: Judge | None = None,
    rules: Forgetting | None = None,
) -> Branch:
    """Return the decided tree of the trie under *root*, which is not changed.

    *rules* knows which values were given out by responses.
    """
    totals = _Totals(root, rules if rules is not None else Forgetting())
    top = Branch((), [Place("", root)], known=(known,) if known is not None else ())
    judge = judge if judge is not None else judge_by_weights
    _grow(top, Context("root", "", 0), totals, judge)
    return top


def _grow(top: Branch, context: Context, totals: _Totals, judge: Judge) -> None:
    """Decide everything below *top*, then look for values that span segments."""
    stack = [(top, context)]
    grown = []
    while stack:
        branch, context = stack.pop()
        grown.append((branch, context))
        _split(branch, context, totals, judge)
        deeper = context.depth + 1
        for literal, kid in branch.literals.items():
            kind = _kind(context, literal)
            stack.append((kid, Context(kind, literal, deeper, context.value_above)))
        for kid in branch.parameters.values():
            stack.append((kid, Context("param", "", deeper, True)))
    gone: set[int] = set()
    for branch, context in grown:
        whole = None if id(branch) in gone or branch.catch_all else catchall.find(branch)
        if whole is not None:
            gone.update(
                id(b)
                for b, c in grown
                if c.depth > context.depth and b.pattern[: len(branch.pattern)] == branch.pattern
            )
            for kid in (*branch.literals.values(), *branch.parameters.values()):
                if kid is not whole:
                    gone.discard(id(kid))
            for text, kid in whole.literals.items():
                _grow(kid, Context("word", text, context.depth + 2, True), totals, judge)


def _kind(context: Context, literal: str) -> str:
    if literal == OPERATIONS or context.kind == "services":
        return "operations"
    if literal == GRPC:
        return "services"
    return "version" if is_version(literal) else "word"


class _Children:
    """What stands below a branch, before it is decided what it is."""

    def __init__(self, branch: Branch, context: Context, totals: _Totals) -> None:
        self.branch, self.context, self.totals = branch, context, totals
        self.kids: dict[str, list[Place]] = {}
        for key, node in branch.places:
            for name, kid in node.kids.items():
                self.kids.setdefault(name, []).append(Place(f"{key}/{name}", kid))
        self.literals = sorted(name for name in self.kids if "{" not in name)
        self.typed = sorted(name for name in self.kids if "{" in name)
        self.below_known = tuple(kid for n in branch.known for kid in n.parameters)

    def keep(self, text: str, reason: Reason) -> Branch:
        """Make *text* a literal of the branch."""
        kid = self.branch.literals[text] = Branch(
            (*self.branch.pattern, text), self.kids[text], reason=reason
        )
        return kid

    def callers(self, text: str) -> tuple[int, ...]:
        """Return the least hashes of the callers of the literal *text*."""
        least: tuple[int, ...] = ()
        for _, node in self.kids[text]:
            least = least_callers(least, node.callers_below())
        return least

    def versions(self, free: list[str]) -> list[str]:
        """Return those of the literals *free* that are versions which open the path."""
        found = [text for text in free if is_version(text)] if self.context.kind == "root" else []
        if len(found) > MOST_VERSIONS:
            return []
        return [text for text in found if any(place.node.kids for place in self.kids[text])]

    def level(self, text: str) -> int:
        """Return the number of callers of the literal *text* if it is established, else -1."""
        places = self.kids[text]
        nodes = [node for _, node in places]
        successes = sum(self.totals.successes[id(node)] for node in nodes)
        rules = self.totals.rules
        if successes < ESTABLISHED and rules.tally:
            successes += max(rules.tally.count(key, rules.key) for key, _ in places)
        return -1 if successes < ESTABLISHED else len(self.callers(text))


def _split(branch: Branch, context: Context, totals: _Totals, judge: Judge) -> None:
    """Give *branch* its children."""
    children = _Children(branch, context, totals)
    if not children.kids:
        return
    values = [(name, _TYPED) for name in children.typed]
    free = []
    for text in children.literals:
        described = tuple(n.literals[text] for n in branch.known if text in n.literals)
        if described:
            children.keep(text, _DESCRIBED_LITERAL).known = described
        elif text[0] == "#" or context.kind in ("operations", "services"):
            children.keep(text, _NAMED)
        else:
            free.append(text)
    formats: dict[str, Affix] = {}
    level_of = {text: children.level(text) for text in free}
    for level in sorted(set(level_of.values())):
        peers = [text for text in free if level_of[text] >= level]
        judged = {text for text in peers if level_of[text] == level}
        weaker = [*(text for text in free if level_of[text] < level), *children.typed]
        if level == 0:
            peers = free  # nothing tells who asked for them
        values.extend(_judge(children, peers, judged, judge, formats, weaker if level > 0 else None))
    if values:
        _add_parameters(branch, values, children.kids, totals, children.below_known, formats)


def _judge(
    children: _Children,
    peers: list[str],
    judged: set[str],
    judge: Judge,
    formats: dict[str, Affix],
    weaker: list[str] | None,
) -> list[tuple[str, Reason]]:
    """Return which of *judged*, which are some of *peers*, are values; the others become literals.

    *formats* takes the fixed text around values that are formats. With *weaker*, the other siblings, typed
    ones included, those of *judged* are established: of *weaker*, only what their callers name is heard.
    """
    alone = weaker is not None
    values: list[tuple[str, Reason]] = []
    free = list(peers)
    voices = _Voices(children, weaker or [])
    for text in children.versions(free):
        if text in judged:
            if _is_one_of_many_dates(text, free, children, voices):
                continue
            children.keep(text, _VERSION)
        free.remove(text)
    found = _formats(free)
    free = [text for text in free if text not in found]
    if len(free) > 1 and all(text.lower() in FORMATS for text in free):
        found.update(dict.fromkeys(free, Affix("", "")))
        free = []
    for text in found:
        if text in judged:
            formats[text] = found[text]
            values.append((text, _FORMAT))
    if not judged.intersection(free):
        return values
    if children.below_known:
        return [*values, *((text, _DESCRIBED_VALUE) for text in free if text in judged)]
    reasons = _weighed(children, free, judge, None if alone else children.typed)
    doubtful = _hear(children, free, judged, judge, reasons, voices) if weaker else ()
    for text in free:
        reason, is_value = reasons[text]
        if text not in judged:
            continue
        if is_value:
            values.append((text, reason))
        else:
            children.keep(text, reason).firm = alone and text not in doubtful
    return values


_Judged = dict[str, tuple[Reason, bool]]
"""How literals were judged, and which are values."""


def _hear(
    children: _Children,
    free: list[str],
    judged: set[str],
    judge: Judge,
    reasons: _Judged,
    voices: _Voices,
) -> Set[str]:
    """Judge those of *judged* that are no values among *free* once more, with what is heard.

    Changes *reasons*; returns those that may be values then.
    """
    asked = [text for text in free if text in judged and not reasons[text][1]]
    asked.sort(key=lambda text: (-reasons[text][0].value_probability, text))
    doubtful = set()
    whole_of: dict[_Voice, _Judged] = {}
    for text in asked[:MOST_ASKED]:
        voice = voices.speak_for(text)
        if not any(voice):
            continue
        whole = whole_of.get(voice)
        if whole is None:
            whole = _weighed(children, [*free, *voice.literals], judge, list(voice.typed))
            whole_of[voice] = whole
        if whole[text][1]:
            reasons[text] = whole[text]
        if whole[text][0].value_probability >= READS_LIKE_VALUE:
            doubtful.add(text)
    return doubtful


def _is_one_of_many_dates(text: str, free: list[str], children: _Children, voices: _Voices) -> bool:
    """Whether the version *text* is a date, and more stand beside it than are versions."""
    beside = voices.speak_for(text).literals if text[:4].isdigit() else ()
    return bool(beside) and not children.versions([*free, *beside])


class _Voice(NamedTuple):
    """Weaker siblings that speak for an established literal being a value."""

    literals: tuple[str, ...]
    typed: tuple[str, ...]


class _Voices:
    """Which of the *weaker* siblings speak for an established literal, computed when first asked.

    Each caller of the literal names as many others that it asked for, chosen by a keyed hash: who invents
    siblings has no greater share of what is heard than of the callers. They are heard if half of the callers
    name some, and values of recognized types if half of the callers asked for such.
    """

    def __init__(self, children: _Children, weaker: list[str]) -> None:
        self._children = children
        self._weaker = weaker
        self._asked: dict[int, list[str]] | None = None
        """By caller: literals that it asked for."""

    def speak_for(self, text: str) -> _Voice:
        """Return what is heard for *text*."""
        children = self._children
        callers = children.callers(text)
        typed = tuple(
            name
            for name in self._weaker
            if "{" in name and 2 * len(set(callers).intersection(children.callers(name))) >= len(callers)
        )
        if self._asked is None:
            self._asked = {}
            for other in self._weaker:
                if "{" not in other:
                    for caller in children.callers(other):
                        self._asked.setdefault(caller, []).append(other)
        rules = children.totals.rules
        literals = set[str]()
        naming = [caller for caller in callers if caller in self._asked]
        if 2 * len(naming) >= len(callers):
            each = max(1, VOICES // len(naming)) if naming else 0
            for caller in naming:
                named = sorted(self._asked[caller], key=lambda other: _turn(rules.hash(other), caller))
                literals.update(named[:each])
        return _Voice(tuple(sorted(literals)), typed)


def _turn(hashed: int, caller: int) -> int:
    """Return where the literal of a secret hash stands in an order of *caller*'s own."""
    return hashed * (caller | 1) % (1 << 8 * HASH_BYTES)


def _weighed(children: _Children, free: list[str], judge: Judge, typed: list[str] | None) -> _Judged:
    """Return for each of *free* how it was judged, and whether it is a value.

    *typed* are the values of recognized types beside them; None is what is judged without any other sibling.
    """
    branch, totals = children.branch, children.totals
    stems: dict[str, list[str]] = {}
    for text in free:
        stems.setdefault(literal_stem(text), []).append(text)
    siblings = _siblings(children.context, branch, children.kids, stems, typed or [], totals)
    if typed is not None and any(totals.rules.were_given_out(node) for _, node in branch.places):
        siblings.typed_signals.given_out = True
    reasons = weigh_crossing(siblings, judge(branch, siblings))
    judged = list(zip(stems.values(), weigh(siblings, reasons), strict=True))
    clear = sum(reason.value_probability >= CERTAIN for _, reason in judged)
    likely = sum(reason.value_probability >= JOIN_FROM for _, reason in judged)
    together = likely >= TOGETHER and 3 * likely >= 2 * len(judged)
    least = JOIN_FROM if typed or together or clear >= CERTAIN_VALUES else NEW_FROM
    like = _like_clear(siblings, judged)
    found = [
        index
        for index, ((_, reason), fits) in enumerate(zip(judged, like, strict=True))
        if reason.value_probability >= min(least, fits)
    ]
    if len(found) == 1 and not typed:
        found = []  # one value only: nobody can know, and the path as it is is what the user calls it
    return {text: (reason, index in found) for index, (texts, reason) in enumerate(judged) for text in texts}


def _like_clear(siblings: Siblings, judged: Sequence[tuple[list[str], Reason]]) -> list[float]:
    """Return for each child the probability that is enough because clear values look and end like it."""
    clear = [
        child
        for child, (_, reason) in zip(siblings.children, judged, strict=True)
        if reason.value_probability >= JOIN_FROM
    ]
    methods = frozenset[str]().union(*(child.methods for child in clear))
    below = frozenset[str]().union(*(child.below for child in clear))
    many = len(clear) >= MANY_VALUES and 2 * len(clear) >= len(judged)
    nearly_all = many and 10 * len(clear) >= 9 * len(judged)
    spelt = Counter(spelling(child.literal) for child in clear)
    total = Counter(spelling(child.literal) for child in siblings.children)
    enough = []
    for child in siblings.children:
        shape = spelling(child.literal)
        if not child.methods <= methods or not child.below <= below:
            enough.append(1.0)
        elif below:
            enough.append(LIKE_FROM if nearly_all and child.below else 1.0)
        elif shape not in PLAIN and spelt[shape] >= 2 and 3 * spelt[shape] >= 2 * total[shape]:
            enough.append(SPELT_LIKE_FROM)
        else:
            enough.append(LIKE_FROM if many else 1.0)
    return enough


def _add_parameters(
    branch: Branch,
    values: list[tuple[str, Reason]],
    kids: dict[str, list[Place]],
    totals: _Totals,
    known: tuple[KnownNode, ...],
    formats: dict[str, Affix],
) -> None:
    affixes = {name: formats[name] if name in formats else _affix(name) for name, _ in values}
    extensions = {affix.suffix for affix in affixes.values() if affix.suffix.startswith(".")}
    if len(extensions) > MAX_EXTENSIONS:
        affixes = {
            name: Affix(a.prefix, "") if a.suffix.startswith(".") else a for name, a in affixes.items()
        }
    reasons: dict[Affix, list[Reason]] = {}
    for name, reason in values:
        affix = affixes[name]
        parameter = branch.parameters.get(affix)
        if parameter is None:
            pattern = (*branch.pattern, f"{affix.prefix}{{}}{affix.suffix}")
            parameter = branch.parameters[affix] = Branch(pattern, [])
            parameter.known = tuple(k for k in known if k.affix == affix) or tuple(
                k for k in known if k.affix == ("", "")
            )
        parameter.places.extend(kids[name])
        kind = split_key(name)[1] if "{" in name else "text"
        kind = "other" if kind == OVERFLOW[1:-1] else kind
        visits = sum(totals.visits[id(node)] for _, node in kids[name])
        parameter.kinds[kind] = parameter.kinds.get(kind, 0) + visits
        parameter.values_seen += kind == "text"
        reasons.setdefault(affix, []).append(reason)
    for affix, found in reasons.items():
        branch.parameters[affix].reason = _strongest(found)


def _formats(literals: Iterable[str]) -> dict[str, Affix]:
    """Return the literals that differ in their extension only, with the stem as fixed text before it."""
    stems: dict[str, list[str]] = {}
    for text in literals:
        suffix = literal_suffix(text)
        if suffix.startswith("."):
            stems.setdefault(text[: -len(suffix) + 1], []).append(text)
    return {text: Affix(stem, "") for stem, texts in stems.items() if len(texts) > 1 for text in texts}


def _strongest(reasons: Iterable[Reason]) -> Reason:
    return max(reasons, key=lambda reason: (reason.value_probability, reason.evidence))


def _affix(name: str) -> Affix:
    if name == OVERFLOW:
        return Affix("", "")
    if "{" in name:
        prefix, _, suffix = split_key(name)
        return Affix(prefix, suffix)
    return Affix("", literal_suffix(name))


def _siblings(
    context: Context,
    branch: Branch,
    kids: dict[str, list[Place]],
    stems: dict[str, list[str]],
    typed: list[str],
    totals: _Totals,
) -> Siblings:
    children = []
    for stem, texts in stems.items():
        nodes = [place for text in texts for place in kids[text]]
        children.append(
            Child(
                stem,
                sum(totals.visits[id(node)] for _, node in nodes),
                frozenset(method for _, node in nodes for method in node.calls),
                frozenset(_signature(nodes)),
                totals.homes(stem),
                len(texts) if texts != [stem] else 0,
                _signals(nodes, totals.rules),
                _above(nodes, totals) if context.kind == "param" else 0,
            )
        )
    # What was forgotten are values as certain as those of recognized types; what was not kept is anything.
    crowded = any(node.bar is not None or not node.forgotten for _, node in branch.places)
    recognized = [name for name in typed if not (crowded and name.startswith(OVERFLOW))]
    folded = [place for name in typed if name not in recognized for place in kids[name]]
    places = [place for name in recognized for place in kids[name]]
    return Siblings(
        context,
        children,
        sum(totals.visits[id(node)] for _, node in places),
        frozenset(_signature(places)),
        frozenset(method for _, node in places for method in node.calls),
        bool(folded),
        frozenset(_signature(folded)),
        _signals((*places, *folded), totals.rules),
        _forgotten(branch, kids, totals) if not crowded else Forgotten(),
    )


def _above(places: Iterable[Place], totals: _Totals) -> int:
    """Return below how many values *places* of one literal are."""
    above = 0
    for key, node in places:
        value = key.split("/")[-2]
        above += totals.visits[id(node)] if "{" in value else 1
    return above


def _forgotten(branch: Branch, kids: dict[str, list[Place]], totals: _Totals) -> Forgotten:
    """Return what is known of the literals below *branch* that were forgotten as values."""
    hashes = {hashed for _, node in branch.places for hashed in node.gone}
    places = [place for name, found in kids.items() if name.startswith(OVERFLOW) for place in found]
    return Forgotten(
        len(hashes),
        sum(totals.visits[id(node)] for _, node in places),
        frozenset(method for _, node in places for method in node.calls),
        frozenset(_signature(places)),
    )


def _signals(places: Iterable[Place], rules: Forgetting) -> Signals:
    signals = Signals()
    for key, node in places:
        name = key.rpartition("/")[2]
        signals.looked += node.looked
        signals.came_back += node.came_back
        signals.given_out |= "{" not in name and rules.is_given_out(name)
        _add_shapes(signals.shapes, node, "")
        for below, kid in node.kids.items():
            _add_shapes(signals.shapes, kid, _anonymous(below))
    return signals


def _add_shapes(shapes: dict[str, int], node: Node, below: str) -> None:
    for method, call in node.calls.items():
        if call[SHAPE]:
            name = f"{below} {method}" if below else method
            shapes[name] = shapes.get(name, 0) | call[SHAPE]


def _signature(places: Iterable[Place]) -> Iterable[str]:
    for _, node in places:
        yield from map(_anonymous, node.kids)


def _anonymous(key: str) -> str:
    """Return *key* without the type of its values."""
    prefix, kind, suffix = split_key(key)
    return f"{prefix}{{}}{suffix}" if kind else key


_TYPED = Reason(1.0, (("value of a recognized type", math.inf),))
_NAMED = Reason(0.0, (("operation named within the request", -math.inf),))
_VERSION = Reason(0.0, (("version that opens the path", -math.inf),))
_FORMAT = Reason(1.0, (("same name with several extensions", math.inf),))
_DESCRIBED_VALUE = Reason(1.0, (("described as a parameter", math.inf),))
_DESCRIBED_LITERAL = Reason(0.0, (("described as fixed", -math.inf),))


def second_features(siblings: Siblings, first: Sequence[float], index: int) -> list[str]:
    """Return features made of how the siblings were judged (*first*: log-odds), for the child at *index*."""
    forgotten = siblings.forgotten
    count = len(first) + forgotten.count
    own = bucket(first[index], -6, -4, -2.5, -1.5, -0.7, 0, 0.7, 1.5, 2.5, 4, 6)
    others = sum(map(probability, first)) - probability(first[index]) + forgotten.count
    others /= max(1, count - 1)
    size = min(bucket(count, 2, 3, 5, 9, 17), 4)
    share = bucket(others, 0.03, 0.1, 0.25, 0.5, 0.75, 0.9, 0.97)
    names = [
        f"own:{own}",
        f"others:{size}:{share}" if count > 1 else "alone",
        f"own-others:{own}:{share if count > 1 else 'x'}",
    ]
    child = siblings.children[index]
    like = [
        probability(first[i])
        for i, other in enumerate(siblings.children)
        if i != index and other.methods == child.methods and _alike(other.below, child.below)
    ]
    alike = forgotten.does(child.methods) if _alike(forgotten.below, child.below) else 0
    if like or alike:
        number, mean = len(like) + alike, (sum(like) + alike) / (len(like) + alike)
        names.append(f"like:{min(number, 4)}:{bucket(mean, 0.03, 0.1, 0.25, 0.5, 0.75, 0.9, 0.97)}")
    else:
        names.append("like:0")
    if siblings.typed or siblings.overflow:
        names.append(f"parameter:{share}:{min(bucket(child.visits, 2, 4, 12), 3)}")
    return names


def _alike(a: frozenset[str], b: frozenset[str]) -> bool:
    return a == b or (bool(a & b) and 2 * len(a & b) >= min(len(a), len(b)))


def first_features(siblings: Siblings) -> list[list[str]]:
    """Return the features of each child, its group's included."""
    group = group_features(siblings)
    below: Counter[str] = Counter()
    methods: Counter[frozenset[str]] = Counter()
    below.update(dict.fromkeys(siblings.forgotten.below, siblings.forgotten.count))
    for child in siblings.children:
        below.update(child.below)
        methods[child.methods] += 1
    return [group + child_features(siblings, child, below, methods) for child in siblings.children]


def judge_by_weights(branch: Branch, siblings: Siblings) -> list[Reason]:
    """Judge by the learned weights."""
    learned, features = model(), first_features(siblings)
    first = [learned.first[""] + sum(learned.first.get(name, 0.0) for name in names) for names in features]
    reasons = []
    for index, names in enumerate(features):
        second = second_features(siblings, first, index)
        odds = learned.second[""] + sum(learned.second.get(name, 0.0) for name in second)
        weighed = [(name, learned.first.get(name, 0.0)) for name in names] + [
            (name, learned.second.get(name, 0.0)) for name in second
        ]
        weighed.sort(key=lambda pair: (-abs(pair[1]), pair[0]))
        reasons.append(Reason(probability(odds), tuple((n, round(w, 2)) for n, w in weighed[:6])))
    return reasons
