"""Keeps one learner process running and passes on how far it got."""

from __future__ import annotations

import asyncio
import bisect
import contextlib
import itertools
import logging
import os
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from levo.errors import LevoError
from levo.satellite.learner import Bounds, Mode, Progress
from levo.satellite.queue import Position

_LOG = logging.getLogger(__name__)
_WAKE_DELAY_S = 0.02
_LAST_BACKOFF_S = 30.0
_STOPPED = ("T", "t")
"""States of proc(5) in which a process does nothing until a signal or a debugger lets it go on."""
COMMIT_BOUNDS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""By which the durations of commits are counted."""
LARGE_APART = {"MALLOC_MMAP_THRESHOLD_": str(1 << 20)}
"""For glibc (mallopt(3)): what is larger than a mebibyte has pages of its own, which go back with it.

By itself glibc puts such things between small ones, once one was freed: tables of 200,000 spans, which are
made anew every few minutes, left holes of their size for good.
"""
_MARK_EVERY_S = 1.0
_MOST_MARKS = 4096
_CAREFUL_AFTER, _SKIP_AFTER = 3, 5
"""Crashes without progress after which the learner goes record by record, and leaves one out."""


@dataclass(frozen=True, slots=True)
class SupervisorStatistics:
    """Snapshot."""

    restarts_total: int
    """Times a learner ended without being told to."""
    running: bool
    progress: Progress | None
    """What the learner last told."""
    stuck_s: float
    """For how long there has been something to learn without a commit."""
    damaged_total: int = 0
    """Records of the journal that could not be read back, by any learner since the Satellite started."""
    unreadable_total: int = 0
    """Records that were read back and could not be learned from, likewise."""
    stopped: bool = False
    """Whether the learner was stopped by a signal."""
    idle_s: float = 0.0
    """For how long of :attr:`stuck_s` it has used no processor time, as when it waits for a disk."""
    pid: int = 0
    """Of the learner; 0 if none runs."""
    oldest_s: float = 0.0
    """How long the oldest record that is not learned has waited, to the second; since the start at most."""
    commits: tuple[int, ...] = (0,) * (len(COMMIT_BOUNDS_S) + 1)
    """Commits by duration: up to each of :data:`COMMIT_BOUNDS_S` and above the one before, and above all."""
    commits_s: float = 0.0
    """How long all of them took together."""


class LearnerSupervisor:
    """Starts, wakes, restarts and drains the learner. Lives on one event loop."""

    def __init__(
        self,
        data_dir: Path,
        on_progress: Callable[[Progress], None],
        *,
        bounds: Bounds | None = None,
        journal_end: Callable[[], Position] = lambda: Position(0, 0),
        backoff_s: float = 0.2,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Args:
        data_dir: that of the Satellite.
        on_progress: called after each commit.
        bounds: how much the learner keeps, and what of it as text.
        journal_end: up to where the journal is durable.
        backoff_s: the pause before the first restart; it doubles while there is no progress.
        clock_s: a clock that is never set back.
        """
        self._data_dir = data_dir
        self._bounds = bounds or Bounds()
        self._first_backoff_s = backoff_s
        self._on_progress = on_progress
        self._journal_end = journal_end
        self._clock_s = clock_s
        self._behind_since_s: float | None = None
        """Since when there has been something to learn and no commit."""
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._spawning = asyncio.Lock()
        self._wake_is_planned = False
        self._stopping = self._renewing = False
        self._progress: Progress | None = None
        self._damaged = self._unreadable = 0
        self._used, self._used_changed_s = -1, 0.0
        self._marks: deque[tuple[Position, float]] = deque()
        """Ends of the journal, and when each was reached, at most one a second; the oldest first."""
        self._commits = [0] * (len(COMMIT_BOUNDS_S) + 1)
        self._commits_s = 0.0
        self._restarts = 0
        self._crashes_in_place = 0

    async def start(self) -> None:
        """Start the learner and wait for its first word.

        Raises:
            LevoError: it ended instead; its own message is on standard error.
        """
        await self._spawn()
        self._watch = asyncio.create_task(self._supervise(), name="learner supervisor")
        waiting = asyncio.create_task(self._ready.wait())
        await asyncio.wait((waiting, self._watch), return_when=asyncio.FIRST_COMPLETED)
        if not self._ready.is_set():
            waiting.cancel()
            raise LevoError("the learner process cannot start")

    def wake(self) -> None:
        """Say that the journal has grown. Cheap; many calls become one."""
        self._mark(self._clock_s())
        if self._behind_since_s is None:
            self._behind_since_s = self._clock_s()
        if not self._wake_is_planned:
            self._wake_is_planned = True
            asyncio.get_running_loop().call_later(_WAKE_DELAY_S, self._send_wake)

    def wake_for_decisions(self) -> None:
        """Say that people have decided something about paths. A learner that starts later sees it itself."""
        self._send(b"p")

    def statistics(self) -> SupervisorStatistics:
        """Return a snapshot."""
        process = self._process
        running = process is not None and process.returncode is None
        now_s = self._clock_s()
        state, used = process_state(process.pid) if process is not None and running else ("", -1)
        if used != self._used:
            self._used, self._used_changed_s = used, now_s
        behind_since_s = self._behind_since_s
        stuck_s = 0.0 if behind_since_s is None else now_s - behind_since_s
        return SupervisorStatistics(
            self._restarts,
            running,
            self._progress,
            stuck_s,
            self._damaged,
            self._unreadable,
            state in _STOPPED,
            min(stuck_s, now_s - self._used_changed_s) if used >= 0 else 0.0,
            process.pid if process is not None and running else 0,
            now_s - self._marks[0][1] if self._marks else 0.0,
            tuple(self._commits),
            self._commits_s,
        )

    def renew(self, bounds: Bounds | None = None) -> None:
        """Let another learner go on, with other *bounds* where given, which reads its rules again.

        What the one before has not committed is learned again by its successor.
        """
        self._bounds = bounds or self._bounds
        process = self._process
        if process is not None and process.returncode is None and process.stdin is not None:
            self._renewing = True
            process.stdin.close()

    async def stop(self, timeout_s: float) -> bool:
        """Let the learner finish the journal and end; return whether it did so in time."""
        self._stopping = True
        finished = True
        async with self._spawning:
            pass  # a learner that is on its way is one to be stopped
        if self._process is not None and self._process.returncode is None:
            self._send(b"d")
            try:
                await asyncio.wait_for(self._process.wait(), timeout_s)
            except TimeoutError:
                finished = False
                self._process.kill()
                await self._process.wait()
        if self._watch is not None:
            await asyncio.wait((self._watch,), timeout=1.0)
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        return finished

    def _mark(self, now_s: float) -> None:
        marks = self._marks
        if marks and now_s - marks[-1][1] < _MARK_EVERY_S:
            return
        if len(marks) >= _MOST_MARKS:  # after an hour of waiting, every other second will do
            self._marks = marks = deque(itertools.islice(marks, 0, None, 2))
        marks.append((self._journal_end(), now_s))

    def _note_progress(self, progress: Progress) -> None:
        end, now_s = self._journal_end(), self._clock_s()
        behind = end > progress.position
        self._behind_since_s = now_s if behind else None
        while self._marks and (not behind or self._marks[0][0] <= progress.position):
            self._marks.popleft()
        if behind:
            self._mark(now_s)  # also what was there at the start
        if progress.commit_s:
            self._commits[bisect.bisect_left(COMMIT_BOUNDS_S, progress.commit_s)] += 1
            self._commits_s += progress.commit_s

    def _send_wake(self) -> None:
        self._wake_is_planned = False
        self._send(b"w")

    def _send(self, command: bytes) -> None:
        process = self._process
        if process is not None and process.stdin is not None and not process.stdin.is_closing():
            process.stdin.write(command)

    async def _spawn(self) -> None:
        async with self._spawning:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "levo.satellite.learner",
                str(self._data_dir),
                self._mode(),
                msgspec.json.encode(self._bounds).decode(),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env={**LARGE_APART, **os.environ},
            )

    async def _supervise(self) -> None:
        backoff_s = self._first_backoff_s
        while True:
            before = self._progress
            status = await self._follow()
            if self._stopping or not self._ready.is_set():
                return
            if self._renewing and status == 0:
                self._renewing = False
                await self._spawn()
                continue
            self._renewing = False
            self._restarts += 1
            if self._progress != before:
                backoff_s, self._crashes_in_place = self._first_backoff_s, 0
            else:
                backoff_s = min(backoff_s * 2, _LAST_BACKOFF_S)
            # Only a signal (a crash of native code, or of the machine's memory) can be the fault of a record:
            # what raises is caught per record, and a disk that refuses ends the learner with a status.
            self._crashes_in_place += status < 0
            _LOG.error("the learner ended with status %d; starting it again in %.1f s", status, backoff_s)
            await asyncio.sleep(backoff_s)
            if self._stopping:
                return
            await self._spawn()

    def _mode(self) -> Mode:
        if self._crashes_in_place < _CAREFUL_AFTER:
            return Mode.NORMAL
        return Mode.CAREFUL if self._crashes_in_place < _SKIP_AFTER else Mode.SKIP_ONE

    async def _follow(self) -> int:
        process = self._process
        assert process is not None and process.stdout is not None
        damaged, unreadable = self._damaged, self._unreadable
        async for line in process.stdout:
            self._progress = msgspec.json.decode(line, type=Progress)
            self._note_progress(self._progress)
            self._damaged = damaged + self._progress.damaged_records
            self._unreadable = unreadable + self._progress.unreadable_records
            self._ready.set()
            self._on_progress(self._progress)
        return await process.wait()


def process_state(pid: int) -> tuple[str, int]:
    """Return state and used processor time (clock ticks) of a process by proc(5); ``("", -1)`` if unknown."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return fields[0].decode(), int(fields[11]) + int(fields[12])
    except (OSError, ValueError, IndexError):
        return "", -1
