"""Watches the keys of the installation: without them what is stored cannot be read or added to."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from levo.satellite.learner import JOURNAL_NAME
from levo.satellite.queue.journal import KEY_NAME as JOURNAL_KEY_NAME
from levo.satellite.queue.segment import segment_numbers
from levo.satellite.store.rotation import KEY_NAME as LEARNER_KEY_NAME

_RECENT_S = 60.0
"""So long after the start it is said that a key was missing."""
_JOURNAL, _LEARNER = f"{JOURNAL_NAME}/{JOURNAL_KEY_NAME}", LEARNER_KEY_NAME
_UNREADABLE = "what waits in the journal cannot be read"
_LEFT_SO = {_JOURNAL: f"{_UNREADABLE} after the next start", _LEARNER: "the next start is refused"}
"""By key, what follows if nothing is done."""


class KeyWatch:
    """Compares the key files with what they were at the start. Usable from any thread."""

    def __init__(self, data_dir: Path, clock_s: Callable[[], float] = time.monotonic) -> None:
        """Look whether the key of what waits in the journal is missing. Called before any is made."""
        self._data_dir = data_dir
        self._clock_s = clock_s
        self._started_s = clock_s()
        self._known: dict[str, bytes] = {}
        journal = data_dir / JOURNAL_NAME
        # Of learner.key the catalog knows whether it is the right one (``rotation.settle_key``).
        waits = journal.is_dir() and bool(segment_numbers(journal))
        self._missing = [_JOURNAL] if waits and not self._digest(_JOURNAL) else []

    def start(self) -> None:
        """Remember the keys as they are now, once all are made."""
        self._known = {name: self._digest(name) for name in _LEFT_SO}

    def faults(self) -> list[str]:
        """Return what is wrong with the keys, each in one line."""
        found = []
        for name, known in self._known.items():
            now = self._digest(name)
            if now != known:
                state = "another file than at the start" if now else "missing"
                found.append(f"{name} is {state}; put it back, or {_LEFT_SO[name]}")
        if self._clock_s() - self._started_s < _RECENT_S:
            found += [
                f"{name} was missing at the start and was made anew: {_UNREADABLE}" for name in self._missing
            ]
        return found

    def _digest(self, name: str) -> bytes:
        try:
            return hashlib.sha256((self._data_dir / name).read_bytes()).digest()
        except OSError:
            return b""
