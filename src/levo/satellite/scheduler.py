"""Schedules the decisions on templates while the learner runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from levo.satellite.learn import Override, PathState, Scope, TemplateDecision, decide_templates

_SHARE = 10
"""A decision on a host is not made again before so many times the time that it took."""
_AT_MOST_S = 60.0


class DecisionScheduler:
    """Chooses when to decide on the templates of which host. Told the time; one thread uses it.

    What is decided depends on what was learned, never on when. A host that is not due keeps its last
    decision, and its new places are shown as they are, until it is.
    """

    def __init__(self, stopwatch: Callable[[], float] = time.perf_counter) -> None:
        self._stopwatch = stopwatch
        self._next_s: dict[Scope, float] = {}

    def decide(
        self,
        pending: Mapping[Scope, PathState],
        overrides: Callable[[Scope], Sequence[Override]],
        now_s: float,
    ) -> dict[Scope, TemplateDecision]:
        """Decide on those of the *pending* hosts that are due; *overrides* returns what people say."""
        decisions = {}
        for scope, paths in pending.items():
            if now_s < self._next_s.get(scope, 0.0):
                continue
            start = self._stopwatch()
            decisions[scope] = decide_templates(paths, overrides(scope))
            took = self._stopwatch() - start
            self._next_s[scope] = now_s + min(_AT_MOST_S, took * _SHARE)
        return decisions

    def due_s(self, pending: Iterable[Scope]) -> float | None:
        """Return when the first of the *pending* hosts is due, None if there is none."""
        return min((self._next_s.get(scope, 0.0) for scope in pending), default=None)
