"""Schedules the decisions on templates while the learner runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import NamedTuple

from levo.satellite.learn import Override, PathState, Scope, TemplateDecision, decide_templates

_SHARE = 10
"""A decision on a host is not made again before so many times the time that it took."""
_AT_MOST_S = 60.0
SETTLED_S = 10.0
"""A host of which nothing new is known, only more of the same, is decided on again after this time …"""
_GROWTH = 2
"""… or when the requests have become more by one in so many."""


class _Decided(NamedTuple):
    """What the last decision on a host was made from."""

    paths: int
    """Nodes in the tree of paths."""
    requests: int
    settled_s: float
    """Until when more of the same is no reason to decide again."""

    def covers(self, paths: int, requests: int) -> bool:
        """Whether these are more of the same."""
        grown = requests - self.requests
        return self.paths == paths and 0 <= grown * _GROWTH <= self.requests


class DecisionScheduler:
    """Chooses when to decide on the templates of which host. Told the time; one thread uses it.

    What is decided depends on what was learned, never on when. A host that is not due keeps its last
    decision until it is; its new places are shown as they are by then, or wait if they may be values. New
    places, and what users and descriptions say, make a host due at once, as far as its cost allows.
    """

    def __init__(self, stopwatch: Callable[[], float] = time.perf_counter) -> None:
        self._stopwatch = stopwatch
        self._next_s: dict[Scope, float] = {}
        self._decided: dict[Scope, _Decided] = {}
        self._waits: dict[Scope, float] = {}
        """Until when those wait that have learned more of the same."""
        self._waiting: dict[Scope, int] = {}
        """How much they had learned when that was found out."""

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
            if now_s < self._waits.get(scope, 0.0) and self._waiting.get(scope) == paths.learned:
                continue  # nothing new since: its tree need not be counted again
            size = paths.root.size()
            last = self._decided.get(scope)
            if last is not None and now_s < last.settled_s and last.covers(size, paths.learned):
                self._waits[scope], self._waiting[scope] = last.settled_s, paths.learned
                continue
            start = self._stopwatch()
            decisions[scope] = decide_templates(paths, overrides(scope))
            took = self._stopwatch() - start
            self._next_s[scope] = now_s + min(_AT_MOST_S, took * _SHARE)
            self._decided[scope] = _Decided(size, paths.learned, now_s + SETTLED_S)
            self._waits.pop(scope, None)
            self._waiting.pop(scope, None)
        self._forget(pending, now_s)
        return decisions

    def _forget(self, pending: Container[Scope], now_s: float) -> None:
        """Forget what lies in the past of hosts that are not *pending*: hosts come and go."""
        self._next_s = {each: due for each, due in self._next_s.items() if each in pending or now_s < due}
        self._waits = {each: due for each, due in self._waits.items() if each in pending or now_s < due}
        self._waiting = {each: count for each, count in self._waiting.items() if each in self._waits}
        self._decided = {
            each: last for each, last in self._decided.items() if each in pending or now_s < last.settled_s
        }

    def listen(self) -> None:
        """Make all that are pending due: people have said something about paths."""
        self._decided.clear()
        self._waits.clear()
        self._waiting.clear()

    def due_s(self, pending: Iterable[Scope]) -> float | None:
        """Return when the first of the *pending* hosts is due, None if there is none."""
        return min(
            (max(self._next_s.get(scope, 0.0), self._waits.get(scope, 0.0)) for scope in pending),
            default=None,
        )
