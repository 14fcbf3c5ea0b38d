"""Slows down guessing: after a few failures each further try has to wait, longer every time."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

FREE_FAILURES = 5
_FIRST_WAIT_S, _LONGEST_WAIT_S = 2.0, 900.0
_FORGOTTEN_AFTER_S = 3600.0
_MAX_KEYS = 10_000


@dataclass(slots=True)
class _Failures:
    count: int
    last_s: float


class Throttle:
    """Failures by key (an account name, a client address). Told the time; not thread-safe."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def wait_s(self, key: str, now_s: float) -> float:
        """Return how long the next try has to wait; 0 if it may come now."""
        known = self._failures.get(key)
        if known is None or known.count < FREE_FAILURES:
            return 0.0
        pause = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0 ** min(known.count - FREE_FAILURES, 20))
        return max(0.0, known.last_s + pause - now_s)

    def failed(self, key: str, now_s: float) -> None:
        """Count a failure."""
        known = self._failures.pop(key, None)
        if known is None or now_s - known.last_s > _FORGOTTEN_AFTER_S:
            known = _Failures(0, now_s)
        self._failures[key] = _Failures(known.count + 1, now_s)
        while len(self._failures) > _MAX_KEYS:
            self._failures.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """Forget the failures of *key*."""
        self._failures.pop(key, None)
