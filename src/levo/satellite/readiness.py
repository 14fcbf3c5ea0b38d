"""Whether the Satellite can do its work now, and if not, why: for ``/readyz``, the metrics and the log."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from enum import StrEnum

from levo.satellite.supervisor import SupervisorStatistics

_LOG = logging.getLogger(__name__)
STUCK_AFTER_S = 30.0
"""A learner that has something to learn commits every second; the largest request takes it some seconds."""
_IDLE_AFTER_S = 6.0
"""One that has something to learn and uses no processor time does not work on it."""
RECENT_S = 60.0
"""So long a loss of records is a cause; later it is a note."""
_LOOK_EVERY_S = 1.0
_QUIET_S = 60.0
"""A cause that comes and goes is logged this often at most."""


class Cause(StrEnum):
    """Why the Satellite is not ready. The value is a metric label."""

    STOPPING = "stopping"
    REFUSING = "refusing"
    """Traces would be refused: the journal is full, or the disk."""
    LEARNER_DOWN = "learner_down"
    LEARNER_STUCK = "learner_stuck"
    """It runs, and has not learned what waits for it."""
    RECORDS_LOST = "records_lost"
    """What was acknowledged was not learned in the last minute: it could not be read back, or not decoded."""
    KEY_MISSING = "key_missing"
    """A key of the installation is not what it was, or was missing at the start."""


class Readiness:
    """Looks at the parts when asked; of the past only lost records count. Usable from any thread."""

    def __init__(
        self,
        *,
        stopping: Callable[[], bool],
        refusal: Callable[[], str],
        learner: Callable[[], SupervisorStatistics],
        keys: Callable[[], list[str]] = list,
        notes: Callable[[], list[str]] = list,
        stuck_after_s: float = STUCK_AFTER_S,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Args:
        stopping: whether the Satellite is ending.
        refusal: why the journal refuses records; empty if it does not.
        learner: the supervisor's numbers.
        keys: what is wrong with the keys of the installation.
        notes: what else an operator should know.
        stuck_after_s: how long the learner may take for a commit.
        clock_s: a clock that is never set back.
        """
        self._stopping = stopping
        self._refusal = refusal
        self._learner = learner
        self._keys = keys
        self._notes = notes
        self._lost, self._lost_s = 0, float("-inf")
        self._stuck_after_s = stuck_after_s
        self._clock_s = clock_s
        self._logged: dict[Cause, float] = {}
        """When a cause was last logged …"""
        self._reported: set[Cause] = set()
        """… and those of which the log has not yet said that they are over."""

    def causes(self) -> dict[Cause, str]:
        """Return what keeps the Satellite from being ready, each in one line; empty if it is."""
        found: dict[Cause, str] = {}
        if self._stopping():
            found[Cause.STOPPING] = "the Satellite is ending"
        refusal = self._refusal()
        if refusal:
            found[Cause.REFUSING] = f"traces are refused: {refusal}"
        learner = self._learner()
        if not learner.running:
            found[Cause.LEARNER_DOWN] = "the learner does not run"
        elif learner.stopped:
            found[Cause.LEARNER_STUCK] = "the learner was stopped by a signal; kill -CONT lets it go on"
        elif learner.stuck_s >= self._stuck_after_s or learner.idle_s >= _IDLE_AFTER_S:
            found[Cause.LEARNER_STUCK] = (
                f"the learner has learned nothing for {learner.stuck_s:.0f} s, and traces wait for it"
            )
        lost, now_s = learner.damaged_total + learner.unreadable_total, self._clock_s()
        if lost != self._lost:
            self._lost, self._lost_s = lost, now_s
        if now_s - self._lost_s < RECENT_S:
            found[Cause.RECORDS_LOST] = "; ".join(_losses(learner))
        keys = self._keys()
        if keys:
            found[Cause.KEY_MISSING] = "; ".join(keys)
        return found

    def notes(self) -> list[str]:
        """Return what an operator should know though it is no cause, each in one line.

        Among it what has been lost since the start, also when that is a cause no more.
        """
        return [*_losses(self._learner()), *self._notes()]

    async def watch(self) -> None:
        """Write to the log what begins and what ends, until cancelled."""
        while True:
            self.log()
            await asyncio.sleep(_LOOK_EVERY_S)

    def log(self) -> None:
        """Write to the log what has begun or ended since the last call."""
        found, now_s = self.causes(), self._clock_s()
        if Cause.STOPPING in found:
            return
        for cause, text in found.items():
            if cause not in self._reported and now_s - self._logged.get(cause, float("-inf")) >= _QUIET_S:
                self._logged[cause] = now_s
                self._reported.add(cause)
                _LOG.warning("not ready: %s", text)
        if not found and self._reported:
            self._reported.clear()
            _LOG.warning("ready again")


def _losses(learner: SupervisorStatistics) -> list[str]:
    return [
        f"{number} record{'s' if number > 1 else ''} of the journal could not be {done} since the start"
        for number, done in ((learner.damaged_total, "read back"), (learner.unreadable_total, "learned from"))
        if number
    ]
