"""What an operator looks after, in numbers and lines: processes, certificate, backups, waiting alerts."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from levo.satellite.backups import BackupStatistics, ScheduledBackups
from levo.satellite.supervisor import LearnerSupervisor
from levo.satellite.tls import Tls, TlsStatistics
from levo.wire.process_use import ProcessUse


@dataclass(frozen=True, slots=True)
class UpkeepStatistics:
    """Snapshot."""

    processes: dict[str, ProcessUse]
    """By name: ``web`` and, while it runs, ``learner``."""
    tls: TlsStatistics | None
    """None where the ports speak no TLS."""
    backups: BackupStatistics | None
    alerts_waiting: int
    """Alerts that no webhook has taken yet …"""
    alert_age_s: float
    """… and since when the first of them waits."""


class Upkeep:
    """Asks the parts. Usable from any thread."""

    def __init__(
        self,
        *,
        supervisor: LearnerSupervisor,
        tls: Tls | None,
        backups: ScheduledBackups,
        alerts_waiting: Callable[[], tuple[int, int]],
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """*alerts_waiting*: how many alerts wait, and the time (ns) of the first."""
        self._supervisor = supervisor
        self._tls = tls
        self._backups = backups
        self._alerts_waiting = alerts_waiting
        self._clock_ns = clock_ns

    def statistics(self) -> UpkeepStatistics:
        """Return a snapshot."""
        pids = {"web": os.getpid(), "learner": self._supervisor.statistics().pid}
        uses = {name: ProcessUse.of(pid) for name, pid in pids.items() if pid}
        waiting, first_ns = self._alerts_waiting()
        return UpkeepStatistics(
            {name: use for name, use in uses.items() if use is not None},
            self._tls.statistics() if self._tls else None,
            self._backups.statistics(),
            waiting,
            max(0.0, (self._clock_ns() - first_ns) / 1e9) if waiting else 0.0,
        )

    def notes(self) -> list[str]:
        """Return what an operator should know though everything works, each in one line."""
        return [*(self._tls.notes() if self._tls else ()), *self._backups.notes()]
