"""How well a set of learned templates matches the operations that were really called.

A template is compared with names taken away: ``/users/{id}`` is ``/users/{}``. A parameter position for
which the
traffic of its operation showed one value only may be learned as that literal, as nobody could know; a literal
must be learned as that literal. Several parameters within one segment count as one (``{lat},{lon}`` is
``{}``).
An operation counts as found when one learned (method, template) matches it; each learned one is used once.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from discovery.corpus import Operation
from discovery.traffic import Request

FAILED = 400
"""The least HTTP status that says that a request failed."""
_PARAMETERS = re.compile(r"\{[^{}]*\}(?:.*\{[^{}]*\})?")


def anonymous(template: str) -> tuple[str, ...]:
    """Return the segments of *template* without parameter names; the trailing slash is not significant."""
    return tuple(_PARAMETERS.sub("{}", s) for s in template.strip("/").split("/"))


@dataclass(slots=True)
class Called:
    """One true (method, template) and what the traffic showed of it."""

    method: str
    segments: tuple[str, ...]
    requests: int = 0
    values: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    """By position, at most two values."""

    def accepts(self, learned: tuple[str, ...]) -> bool:
        """Whether *learned* says the same, free positions allowed."""
        if len(learned) != len(self.segments):
            return False
        for i, (mine, theirs) in enumerate(zip(self.segments, learned, strict=True)):
            if mine == theirs:
                continue
            if "{}" not in mine or len(self.values[i]) > 1 or theirs not in self.values[i]:
                return False
        return True


@dataclass(slots=True)
class Score:
    """Sums over APIs."""

    called: int = 0
    found: int = 0
    learned: int = 0
    right: int = 0
    requests: int = 0
    mapped: int = 0
    f1_sum: float = 0.0
    apis: int = 0

    @property
    def precision(self) -> float:
        return self.right / self.learned if self.learned else 1.0

    @property
    def recall(self) -> float:
        return self.found / self.called if self.called else 1.0

    @property
    def f1(self) -> float:
        p, r = self.precision, self.recall
        return 2 * p * r / (p + r) if p + r else 0.0

    @property
    def inflation(self) -> float:
        """Operations shown for each true one."""
        return self.learned / max(1, self.called)

    def add(self, other: Score) -> None:
        """Pool *other* into this."""
        for name in ("called", "found", "learned", "right", "requests", "mapped", "f1_sum", "apis"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def row(self) -> str:
        return (
            f"P {self.precision:.3f}  R {self.recall:.3f}  F1 {self.f1:.3f}  mapped "
            f"{self.mapped / max(1, self.requests):.3f}  ops/T {self.inflation:.2f}  mean F1 "
            f"{self.f1_sum / max(1, self.apis):.3f}"
        )


def called_operations(operations: tuple[Operation, ...], requests: Iterable[Request]) -> dict[int, Called]:
    """Return what was called, by operation index; operations equal without names share one entry."""
    by_shape: dict[tuple[str, tuple[str, ...]], Called] = {}
    by_index: dict[int, Called] = {}
    for request in requests:
        if request.truth is None:
            continue
        called = by_index.get(request.truth)
        if called is None:
            operation = operations[request.truth]
            shape = (operation.method, anonymous(operation.template))
            called = by_index[request.truth] = by_shape.setdefault(shape, Called(*shape))
        called.requests += 1
        segments = request.path.strip("/").split("/")
        for i, segment in enumerate(called.segments):
            if "{}" in segment and len(called.values[i]) < 2 and i < len(segments):
                called.values[i].add(segments[i])
    return by_index


def only_failed(
    assign: Callable[[str], str | None],
    failed: Iterable[tuple[str, str]],
    served: Iterable[tuple[str, str]],
) -> set[tuple[str, str | None]]:
    """Return the (method, template) that nothing but *failed* (method, path) belong to.

    They are neither right nor wrong: what only failed makes no endpoint. *assign*: the template of a path.
    """
    found, others = ({(method, assign(path)) for method, path in each} for each in (failed, served))
    return found - others


def score(
    called: dict[int, Called],
    learned: Iterable[tuple[str, tuple[str, ...]]],
    assigned: dict[tuple[str, tuple[str, ...]], dict[int, int]] | None = None,
) -> tuple[Score, list[Called], list[tuple[str, tuple[str, ...]]]]:
    """Score one API; also return what was missed and what was made up.

    *learned*: (method, anonymous segments). *assigned*: for each of them, requests by true operation index.
    """
    truths = list({id(c): c for c in called.values()}.values())
    index: dict[tuple[str, int], list[Called]] = defaultdict(list)
    for truth in truths:
        index[truth.method, len(truth.segments)].append(truth)
    found: set[int] = set()
    pending, invented = [], []
    result = Score(called=len(truths), requests=sum(t.requests for t in truths), apis=1)
    matches: dict[tuple[str, tuple[str, ...]], Called] = {}
    unique = sorted(set(learned))
    result.learned = len(unique)
    for method, segments in unique:
        exact = [t for t in index[method, len(segments)] if t.segments == segments]
        if exact:
            found.add(id(exact[0]))
            matches[method, segments] = exact[0]
        else:
            pending.append((method, segments))
    for method, segments in pending:
        match = next(
            (t for t in index[method, len(segments)] if id(t) not in found and t.accepts(segments)), None
        )
        if match is None:
            invented.append((method, segments))
        else:
            found.add(id(match))
            matches[method, segments] = match
    result.found = result.right = len(found)
    result.f1_sum = result.f1
    if assigned is not None:
        for key, truth in matches.items():
            result.mapped += sum(n for i, n in assigned.get(key, {}).items() if called[i] is truth)
    return result, [t for t in truths if id(t) not in found], invented
