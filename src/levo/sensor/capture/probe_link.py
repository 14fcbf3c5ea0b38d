"""Stays connected to the probe of TLS libraries, which may start, end and start again beside the sensor."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection

from levo.errors import ProbeError
from levo.sensor.capture.statistics import ProbeStatistics
from levo.sensor.capture.tlsprobe import ProbeSource
from levo.tlsprobe.link import SOCKET, USER, Ring, ask_ring, trusted

RETRY_S = 2.0
WAIT_NS = 250_000_000
"""How late a secret of the probe may come up: ten times the latest that was seen."""
__all__ = ["RETRY_S", "SOCKET", "WAIT_NS", "ProbeLink"]


class ProbeLink:
    """A thread that looks for the probe, and has its ring read as long as it lives."""

    def __init__(
        self,
        path: str,
        changed: Callable[[ProbeSource | None], None],
        users: Collection[int] | None = None,
        report: Callable[[], bytes] = lambda: b"{}",
    ) -> None:
        """*changed* is called in the thread: with the source when there is a ring to read, then with None.

        *users*: who the probe may run as; None: root, this user, and that of the probe's service. *report*: a
        line of JSON for the probe, which ``levo tls status`` asks.
        """
        self._path = path
        self._changed = changed
        self._report = report
        self._users = trusted(USER) if users is None else users
        self._source = ProbeSource()
        self._ring: Ring | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="levo-tls-probe", daemon=True)
        self.problem = ""
        """Why no secrets arrive. Empty while they do, and if no probe has ever run at the usual place."""
        self.problems = 0
        """How often that became another one."""

    def start(self) -> None:
        """Begin to look for the probe. After privileges were given up: threads have their own."""
        self._thread.start()

    def statistics(self) -> ProbeStatistics | None:
        """What the probe counted; None as long as there never was one."""
        return self._source.statistics() if self._source.connected else None

    def close(self) -> None:
        """Stop looking. Legal twice; what has been read stays counted."""
        self._stop.set()
        ring = self._ring
        if ring is not None:
            ring.end()
        if self._thread.is_alive():
            self._thread.join(RETRY_S)

    def _run(self) -> None:
        while True:
            try:
                ring = ask_ring(self._path, self._users)
            except (FileNotFoundError, ConnectionRefusedError):
                self._miss()
            except OSError as error:
                self._say(f"the probe at {self._path} cannot be reached: {error.strerror or error}")
            except ProbeError as error:
                self._say(str(error))
            else:
                self._read(ring)
            if self._stop.wait(RETRY_S):
                return

    def _read(self, ring: Ring) -> None:
        try:
            self._source.adopt(ring.secrets, ring.counters, ring.size_bytes)
        except (OSError, ValueError) as error:
            self._say(f"the ring of the probe at {self._path} cannot be read: {error}")
            ring.close()
            return
        self._ring, self.problem = ring, ""
        self._changed(self._source)
        if not self._stop.is_set():
            ring.wait(self._report)
        self._ring = None
        self._miss()
        self._changed(None)
        ring.close()

    def _miss(self) -> None:
        """Note that no probe answers: a problem if one did before, or if the user has named its place."""
        if self._source.connected:
            self._say(f"the probe at {self._path} has ended")
        else:
            self._say("" if self._path == SOCKET else f"no probe at {self._path}")

    def _say(self, problem: str) -> None:
        if problem != self.problem:
            self.problem = problem
            self.problems += bool(problem)
