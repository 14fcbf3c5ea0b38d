"""Schedules the decisions on templates while the learner runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from levo.satellite.learn import Override, Scope, State, TemplateDecision
from levo.satellite.learn.decisions import decide_and_forget

_SHARE = 10
"""A decision on a host is not made again before so many times the time that it took."""
_AT_MOST_S = 60.0
_LARGE_TRACES = 5_000
"""Paths of busier hosts are stored only now and then …"""
_SAVE_EVERY_S = 10.0
"""… this often; a crash loses at most so much of the evidence, and counters stay exact."""


class DecisionScheduler:
    """Chooses when to decide on the templates of which host. Told the time; one thread uses it."""

    def __init__(
        self,
        overrides: Callable[[Scope], Sequence[Override]] = lambda scope: (),
        stopwatch: Callable[[], float] = time.perf_counter,
    ) -> None:
        """*overrides* returns what users and descriptions say about a host's paths."""
        self._overrides = overrides
        self._stopwatch = stopwatch
        self._decisions: dict[Scope, TemplateDecision] = {}
        self._next_s: dict[Scope, float] = {}
        self._saved_s: dict[Scope, float] = {}

    @property
    def decisions(self) -> dict[Scope, TemplateDecision]:
        """The last decision on each host."""
        return self._decisions

    def decide(self, delta: State, now_s: float) -> list[Scope]:
        """Decide anew where *delta* calls for it and it is due; return those hosts."""
        moved = []
        for scope in {key.scope for key in delta.endpoints}:
            if now_s < self._next_s.get(scope, 0.0):
                continue
            start = self._stopwatch()
            self._decisions[scope] = decide_and_forget(delta.paths[scope], self._overrides(scope))
            took = self._stopwatch() - start
            self._next_s[scope] = now_s + min(_AT_MOST_S, took * _SHARE)
            moved.append(scope)
        return moved

    def to_save(self, delta: State, now_s: float) -> list[Scope]:
        """Return the hosts whose paths should be stored with *delta*."""
        found = []
        for scope in {key.scope for key in delta.endpoints}:
            due = self._saved_s.get(scope, float("-inf")) + _SAVE_EVERY_S
            if delta.paths[scope].learned < _LARGE_TRACES or now_s >= due:
                self._saved_s[scope] = now_s
                found.append(scope)
        return found
