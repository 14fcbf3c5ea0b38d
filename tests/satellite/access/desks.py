"""Keepers over a new desk."""

from __future__ import annotations

from pathlib import Path

from levo.satellite.access.keeper import Keeper
from levo.satellite.store.desk import DESK_NAME, Desk

PASSWORD = "a long enough one"
START_NS = 1_700_000_000 * 1_000_000_000


class Clock:
    """Says what it is told."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def ns(self) -> int:
        return START_NS + int(self.now_s * 1e9)

    def s(self) -> float:
        return self.now_s


def keeper(folder: Path, *, on_loopback: bool = False, clock: Clock | None = None) -> Keeper:
    """Return a keeper of a desk in *folder*."""
    return Keeper(Desk(folder / DESK_NAME), on_loopback=on_loopback, clock_ns=(clock or Clock()).ns)
