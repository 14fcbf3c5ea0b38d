"""Slows down guessing: after a few failures each further try has to wait, longer every time.

The failures of an account are counted for each address from which it was logged in to, and for all others
together: who guesses from elsewhere does not keep its owner waiting.

Tries that are being checked count as failures until they are over, so that guesses made at the same time are
no more than guesses made one after the other.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

FREE_FAILURES = 5
_FIRST_WAIT_S, _LONGEST_WAIT_S = 2.0, 900.0
_FORGOTTEN_AFTER_S = 3600.0
_MAX_KEYS = 10_000
_BUSY_WAIT_S = 1.0
"""While all tries that are left are being checked."""


@dataclass(slots=True)
class _Failures:
    count: int
    last_s: float


class Throttle:
    """Failures by key (an account name, a client address). Told the time; not thread-safe."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, _Failures] = OrderedDict()
        self._checking: Counter[str] = Counter()
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()
        """(account, client) of logins that were good."""

    def keys(self, account: str, client: str) -> tuple[str, ...]:
        """Return the keys of a try for *account* from *client*."""
        if (account, client) in self._known:
            return (f"account {account} from {client}", f"client {client}")
        return (f"account {account}", f"client {client}")

    def remember(self, account: str, client: str) -> None:
        """Note that somebody logged in to *account* from *client*."""
        self._known.pop((account, client), None)
        self._known[account, client] = None
        while len(self._known) > _MAX_KEYS:
            self._known.popitem(last=False)

    def begin(self, keys: Iterable[str], now_s: float) -> float:
        """Begin a try for all of *keys*, to be ended by :meth:`end`; or return how long it has to wait."""
        keys = tuple(keys)
        wait_s = max(self._wait_to_begin_s(key, now_s) for key in keys)
        if not wait_s:
            self._checking.update(keys)
        return wait_s

    def end(self, keys: Iterable[str], now_s: float, *, good: bool | None) -> None:
        """End a try: it was right, wrong, or (None) not checked at all."""
        for key in keys:
            self._checking[key] -= 1
            if self._checking[key] <= 0:
                del self._checking[key]
            if good:
                self.succeeded(key)
            elif good is not None:
                self.failed(key, now_s)

    def _wait_to_begin_s(self, key: str, now_s: float) -> float:
        known = self._failures.get(key)
        left = max(1, FREE_FAILURES - (known.count if known else 0))
        if self._checking[key] >= left:
            return max(_BUSY_WAIT_S, self.wait_s(key, now_s))
        return self.wait_s(key, now_s)

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
