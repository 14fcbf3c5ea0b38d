"""Backups again and again: into a folder, verified, the last few kept."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from levo.errors import LevoError
from levo.satellite.store.backup import verify_backup, write_backup

_LOG = logging.getLogger(__name__)
_FILE = re.compile(r"levo-satellite-(\d{6,})-\d{8}-\d{6}\.tar\.gz")
_PART = ".part"
AGAIN_S = 600.0
"""After a failure the next attempt comes so soon, unless the interval is shorter."""
_LOOK_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class BackupPlan:
    """What the settings say."""

    folder: Path
    interval_s: float
    keep: int


@dataclass(frozen=True, slots=True)
class BackupStatistics:
    """Snapshot."""

    plan: BackupPlan | None
    made_total: int
    failed_total: int
    last_ns: int
    """When the last good one was made: nanoseconds since the Unix epoch, 0 for none."""
    last_bytes: int
    last_s: float
    """How long it took, its verification included; 0 for one that was there at the start."""
    failure: str
    """Why the latest attempt failed; empty if it did not."""


class ScheduledBackups:
    """Makes them in a thread of its own. Lives on one event loop, but for :meth:`make`."""

    def __init__(
        self,
        data_dir: Path,
        plan: BackupPlan | None,
        clock_s: Callable[[], float] = time.monotonic,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """*plan*: None makes none."""
        self._data_dir = data_dir
        self._clock_s = clock_s
        self._clock_ns = clock_ns
        self._made = self._failed = 0
        self._failure = ""
        self._last_ns = self._last_bytes = 0
        self._last_took_s = 0.0
        self.change(plan)

    def change(self, plan: BackupPlan | None) -> None:
        """Go by *plan* from now on; the next one is made when the last in its folder is old enough."""
        self._plan = plan
        if plan is None:
            return
        found = _numbered(plan.folder)
        age_s = float("inf")
        if found:
            seen = found[max(found)].stat()
            self._last_ns, self._last_bytes = seen.st_mtime_ns, seen.st_size
            age_s = (self._clock_ns() - seen.st_mtime_ns) / 1e9
        # A clock that was set makes one too many, never one too few.
        rest_s = plan.interval_s - age_s if 0 <= age_s < plan.interval_s else 0.0
        self._due_s = self._clock_s() + rest_s

    def statistics(self) -> BackupStatistics:
        """Return a snapshot."""
        return BackupStatistics(
            self._plan,
            self._made,
            self._failed,
            self._last_ns,
            self._last_bytes,
            self._last_took_s,
            self._failure,
        )

    def notes(self) -> list[str]:
        """Return what an operator should know, each in one line."""
        return [f"the last scheduled backup failed: {self._failure}"] if self._failure else []

    def is_due(self) -> bool:
        """Whether one is to be made now."""
        return self._plan is not None and self._clock_s() >= self._due_s

    async def run(self) -> None:
        """Make backups when they are due, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_EVERY_S)

    async def look(self) -> None:
        """Make one if it is due."""
        plan = self._plan
        if plan is None or not self.is_due():
            return
        good = await asyncio.to_thread(self.make, plan)
        if self._plan is plan:
            self._due_s = self._clock_s() + (plan.interval_s if good else min(AGAIN_S, plan.interval_s))

    def make(self, plan: BackupPlan) -> bool:
        """Make one, verify it, and delete those that are too many; return whether it is good."""
        start_s = self._clock_s()
        try:
            plan.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for left in plan.folder.glob(f"levo-satellite-*{_PART}"):
                left.unlink()
            found = _numbered(plan.folder)
            # By number: the clock may have been set, and a new one must not look like the oldest.
            number = max(found, default=0) + 1
            stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(self._clock_ns() // 10**9))
            path = plan.folder / f"levo-satellite-{number:06}-{stamp}.tar.gz"
            part = path.with_name(path.name + _PART)
            write_backup(self._data_dir, part, self._clock_ns)
            verify_backup(part)
            size = part.stat().st_size
            part.rename(path)
            for old in sorted(found)[: len(found) + 1 - plan.keep]:
                found[old].unlink()
        except (OSError, LevoError) as error:
            self._failed += 1
            if str(error) != self._failure:
                _LOG.warning("backup: %s", error)
            self._failure = str(error)
            return False
        self._failure = ""
        self._made += 1
        self._last_ns, self._last_bytes = self._clock_ns(), size
        self._last_took_s = self._clock_s() - start_s
        return True


def _numbered(folder: Path) -> dict[int, Path]:
    """Return the backups in *folder* by number."""
    try:
        found = [(_FILE.fullmatch(path.name), path) for path in folder.iterdir()]
    except OSError:
        return {}  # made when the first one is
    return {int(match[1]): path for match, path in found if match is not None}
