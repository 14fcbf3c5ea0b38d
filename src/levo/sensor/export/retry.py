"""When to try again: exponential backoff with jitter, and what the server asked for (OTLP specification)."""

from __future__ import annotations

import random
from dataclasses import dataclass
from email.utils import parsedate_to_datetime


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """All times in seconds."""

    initial_s: float = 1.0
    multiplier: float = 2.0
    ceiling_s: float = 30.0
    """No own delay is longer, before jitter."""
    jitter: float = 0.5
    """A delay is drawn evenly from its value ± this share of it."""
    total_s: float = 300.0
    """A request that is not on disk is given up, and counted as failed, when it would wait past this."""
    waits_for_repair: bool = True
    """Whether to go on trying where only a change of a certificate or a setting helps."""
    server_ceiling_s: float = 600.0
    """A server cannot ask for a longer pause than this."""


class Backoff:
    """Delays of one run of failures. The caller waits; nothing here reads a clock."""

    def __init__(self, policy: RetryPolicy, rng: random.Random) -> None:
        self._policy = policy
        self._rng = rng
        self._next_s = policy.initial_s

    def delay_s(self, asked_s: float | None = None) -> float:
        """The next pause. With *asked_s* (Retry-After, RetryInfo) as asked or a little longer."""
        policy = self._policy
        base = min(self._next_s, policy.ceiling_s)
        self._next_s = min(self._next_s * policy.multiplier, policy.ceiling_s)
        if asked_s is not None:
            asked_s = min(max(asked_s, 0.0), policy.server_ceiling_s)
            return asked_s + self._rng.uniform(0.0, policy.jitter * min(base, max(asked_s, policy.initial_s)))
        return base * self._rng.uniform(1.0 - policy.jitter, 1.0 + policy.jitter)

    def reset(self) -> None:
        """A delivery succeeded: the next failure starts from the shortest delay."""
        self._next_s = self._policy.initial_s


def retry_after_s(value: str | None, date: str | None) -> float | None:
    """Read a Retry-After field (RFC 9110 section 10.2.3): seconds, or an HTTP date.

    A date is one of the server's clock: it is compared with the Date field of the same answer, not with our
    clock. None when absent or unreadable, or where there is no such field; a date before it is 0.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        return max(0.0, (parsedate_to_datetime(value) - parsedate_to_datetime(date or "")).total_seconds())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
