"""What is shown: templates with named, typed parameters, evidence and counts, and the matcher that assigns
paths."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from levo.satellite.learn.paths.branch import Branch, Reason
from levo.satellite.learn.paths.decide import decide
from levo.satellite.learn.paths.known import Override, anonymous_pattern, compile_known, parameter_names
from levo.satellite.learn.paths.segments import KIND_TYPES, split_key, words
from levo.satellite.learn.paths.state import Key, PathState
from levo.satellite.learn.paths.trie import (
    CLASSES,
    GRPC,
    OPERATIONS,
    REQUESTS,
    SLASHES,
    WEIGHT,
    WEIGHT_UNIT,
    Call,
    add_call,
    path_keys,
)


@dataclass(frozen=True, slots=True)
class PathParameter:
    """One parameter of a template."""

    name: str
    """Unique within the template."""
    type: str
    """``integer``, ``number`` or ``string``."""
    format: str
    """``uuid``, ``date``, ``date-time``, ``email`` or empty."""
    kinds: dict[str, int]
    """Requests by kind of value."""
    values_seen: int
    """Distinct values told apart, a lower bound."""
    catch_all: bool
    evidence: tuple[tuple[str, float], ...]
    """Why it is a parameter: (feature or rule, log-odds), weightiest first; infinite for certain."""


@dataclass(frozen=True, slots=True)
class MethodCounts:
    """What is known of one method of a template. Facts in detail are kept elsewhere, by ``Template.keys``."""

    requests: int
    """Answered with success (1xx to 3xx); others prove nothing."""
    exchanges: float
    status_classes: tuple[int, ...]
    """As (2, 3)."""


@dataclass(frozen=True, slots=True)
class Template:
    """One learned path template of a host."""

    id: str
    """Path without parameter names: stable when names change. As ``/users/{}/orders``."""
    path: str
    """As shown and exported: ``/users/{userId}/orders``."""
    segments: tuple[str, ...]
    methods: dict[str, MethodCounts]
    parameters: tuple[PathParameter, ...]
    confidence: float
    """0 to 1: that every segment is judged right."""
    evidence: tuple[tuple[str, float, tuple[tuple[str, float], ...]], ...]
    """(segment, probability that it is a value, weightiest features) for each judged segment."""
    slashes: float
    """Share of requests with a trailing slash; the path is shown with one if that is most."""
    keys: tuple[Key, ...]
    """Places before decision whose facts belong to this template, in order."""


class Matcher:
    """Assigns paths to template ids. Immutable; built once per decision run."""

    def __init__(self, top: Branch) -> None:
        self._top = top

    def assign(self, path: str) -> str | None:
        """Return the id of the template of *path* (as sent, without query), None if there is none."""
        found = _match(self._top, path_keys(path), 0)
        return None if found is None else shown_path(found.pattern)


class Catalog:
    """The result of one decision run over one state: templates and their matcher."""

    def __init__(self, state: PathState, overrides: Sequence[Override] = ()) -> None:
        given = [override for override in overrides if override.kind not in ("rename", "ignore")]
        state.pin(s for override in given for s in re.split("[/#]", override.template) if s and "{" not in s)
        state.fold()
        self.top = decide(state.root, compile_known(given) if given else None, rules=state.rules())
        ignored = {shown_path(anonymous_pattern(o.template)) for o in overrides if o.kind == "ignore"}
        names = parameter_names(overrides)
        self.matcher = Matcher(self.top)
        self.templates: list[Template] = []
        self.ignored: list[Template] = []
        """Hidden by the user; still counted."""
        for trail in _ends(self.top, ()):
            template = _template(trail, names)
            (self.ignored if template.id in ignored else self.templates).append(template)

    def assign(self, path: str) -> str | None:
        """Return the id of the template of *path*, None if there is none."""
        return self.matcher.assign(path)


def templates(state: PathState, overrides: Sequence[Override] = ()) -> list[Template]:
    """Return what *state* teaches, in order of path."""
    return Catalog(state, overrides).templates


def shown_path(segments: Sequence[str]) -> str:
    """Return *segments* as one path; an operation named within the request stands behind ``#``."""
    if segments and segments[0] == GRPC:
        return "/" + "/".join(segments[1:])
    if OPERATIONS in segments:
        at = list(segments).index(OPERATIONS)
        return "/" + "/".join(segments[:at]) + "#" + "/".join(segments[at + 1 :])
    return "/" + "/".join(segments)


def match_key(top: Branch, key: Key) -> Branch | None:
    """Return the branch under *top* that a place falls to, None if there is none."""
    return _match(top, [part for part in key.split("/") if part], 0)


def _match(branch: Branch, keys: list[str], at: int) -> Branch | None:
    if at == len(keys):
        return branch if any(node.calls for _, node in branch.places) else None
    key = keys[at]
    kid = branch.literals.get(key)
    if kid is not None:
        found = _match(kid, keys, at + 1)
        if found is not None:
            return found
    if branch.parameters:
        prefix, kind, suffix = split_key(key)
        best = None
        for affix, kid in branch.parameters.items():
            if kid.catch_all:
                for tail in range(at + 1, len(keys)):
                    found = _match_literal(kid, keys, tail)
                    if found is not None:
                        return found
                return kid
            if kind:
                fits = affix == (prefix, suffix) or affix == ("", "")
            else:
                fits = (
                    key.startswith(affix.prefix)
                    and key.endswith(affix.suffix)
                    and len(key) > len(affix.prefix) + len(affix.suffix)
                )
            if fits and (best is None or len(affix.prefix + affix.suffix) > len(best.prefix + best.suffix)):
                best = affix
        if best is not None:
            return _match(branch.parameters[best], keys, at + 1)
    return None


def _match_literal(branch: Branch, keys: list[str], at: int) -> Branch | None:
    kid = branch.literals.get(keys[at])
    return None if kid is None else _match(kid, keys, at + 1)


def _ends(branch: Branch, trail: tuple[Branch, ...]) -> Iterator[tuple[Branch, ...]]:
    trail = (*trail, branch)
    if any(node.calls for _, node in branch.places):
        yield trail
    for _, kid in sorted(branch.literals.items()):
        yield from _ends(kid, trail)
    for _, kid in sorted(branch.parameters.items()):
        yield from _ends(kid, trail)


def _template(trail: tuple[Branch, ...], given: dict[tuple[str, ...], tuple[str, ...]]) -> Template:
    branch = trail[-1]
    calls: dict[str, Call] = {}
    for _, node in branch.places:
        for method, call in node.calls.items():
            add_call(calls, method, call)
    parameters: list[PathParameter] = []
    names: list[str] = []
    segments: list[str] = []
    evidence = []
    confidence = 1.0
    above = ""
    for step in trail[1:]:
        segment = step.pattern[-1]
        reason = step.reason or Reason(0.0, ())
        if "{}" in segment or "{+}" in segment:
            chosen = given.get(step.pattern, ())
            name = chosen[len(names)] if len(chosen) > len(names) else _name(above, step, names)
            names.append(name)
            kind_type, kind_format = _type(step.kinds)
            parameters.append(
                PathParameter(
                    name, kind_type, kind_format, dict(sorted(step.kinds.items())), step.values_seen,
                    step.catch_all, reason.evidence,
                )
            )  # fmt: skip
            segment = f"{{{name}+}}" if step.catch_all else segment.replace("{}", f"{{{name}}}")
            confidence *= reason.value_probability
        else:
            above = segment
            confidence *= 1 - reason.value_probability
        evidence.append((segment, round(reason.value_probability, 3), reason.evidence))
        segments.append(segment)
    requests = sum(call[REQUESTS] for call in calls.values())
    slashes = sum(call[SLASHES] for call in calls.values()) / requests
    path = shown_path(segments) + ("/" if segments and slashes > 0.5 else "")
    return Template(
        id=shown_path(branch.pattern),
        path=path,
        segments=tuple(segments),
        methods={method: _counts(call) for method, call in sorted(calls.items())},
        parameters=tuple(parameters),
        confidence=round(confidence, 4),
        evidence=tuple(evidence),
        slashes=round(slashes, 4),
        keys=tuple(sorted(key or "/" for key, node in branch.places if node.calls)),
    )


def _counts(call: Call) -> MethodCounts:
    return MethodCounts(
        call[REQUESTS],
        call[WEIGHT] / WEIGHT_UNIT,
        tuple(c for c in range(10) if call[CLASSES] >> c & 1),
    )


def _type(kinds: dict[str, int]) -> tuple[str, str]:
    """Return JSON Schema type and format that fit all kinds."""
    found = {KIND_TYPES.get(kind, ("string", "")) for kind in kinds}
    if len(found) == 1:
        return found.pop()
    return ("number", "") if found <= {("integer", ""), ("number", "")} else ("string", "")


_IDENTIFYING = frozenset({"integer", "uuid", "hex", "token", "code", "long", "numbers"})


def _name(above: str, step: Branch, taken: Iterable[str]) -> str:
    """Return a name made of the singular of the collection above and what the values are."""
    kinds = set(step.kinds)
    found = words(re.sub(r"^v\d+$", "", above))
    stem = (
        "".join(w if i == 0 else w.capitalize() for i, w in enumerate((*found[:-1], singular(found[-1]))))
        if found
        else ""
    )
    if step.catch_all:
        stem, what = "", "path"
    elif kinds and kinds <= _IDENTIFYING:
        what = "id"
    elif len(kinds) == 1 and kinds <= {"date", "email", "ip"}:
        what = next(iter(kinds))
    else:
        what = "" if stem else "name"
    name = stem + what.capitalize() if stem else what
    unique, number = name, 2
    while unique in taken:
        unique, number = f"{name}{number}", number + 1
    return unique


def singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    return (
        word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 2 else word
    )
