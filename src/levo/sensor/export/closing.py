"""When an output stops, and the condition that its parts share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Closing:
    """``changed`` guards what the parts of one output share, and is notified when any of it changes.

    It is never held across I/O, nor while waiting for the spool's lock, which is held across I/O: ``submit``
    and ``statistics`` must not wait for a slow disk.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.abandoned = False
        """Its owner has stopped waiting: what a thread learns from now on changes no count."""
        self._stop_at: float | None = None  # monotonic; set once

    def begin(self, deadline_s: float) -> bool:
        """What is left has *deadline_s* seconds from now. False when that was said before."""
        with self.changed:
            if self._stop_at is not None:
                return False
            self._stop_at = time.monotonic() + max(0.0, deadline_s)
            self.changed.notify_all()
            return True

    @property
    def begun(self) -> bool:
        return self._stop_at is not None

    @property
    def late(self) -> bool:
        """No time is left."""
        left = self.left_s
        return left is not None and left <= 0

    @property
    def left_s(self) -> float | None:
        """Seconds until the deadline, less than 0 after it; None before ``begin``."""
        stop_at = self._stop_at
        return None if stop_at is None else stop_at - time.monotonic()

    def wait_for(self, ready: Callable[[], bool], ended: Callable[[], bool]) -> bool:
        """Wait until *ready*; False when it never will be: *ended*, or abandoned."""
        with self.changed:
            while not self.abandoned:
                if ready():
                    return True
                if ended():
                    return False
                left = self.left_s
                self.changed.wait(None if left is None or left <= 0 else left)
            return False

    def pause(self, delay_s: float) -> bool:
        """Wait; False when no time is left for anything after that."""
        until = time.monotonic() + delay_s
        with self.changed:
            while not self.abandoned:
                now = time.monotonic()
                end = until if self._stop_at is None else min(until, self._stop_at)
                if now >= end:
                    return not self.late
                self.changed.wait(end - now)
            return False
