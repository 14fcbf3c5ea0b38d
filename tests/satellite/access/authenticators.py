"""Keepers over new user data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from levo.satellite.access.auth import Authenticator
from levo.satellite.store.userdata import USERDATA_NAME, UserData

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


def authenticator(folder: Path, *, on_loopback: bool = False, clock: Clock | None = None) -> Authenticator:
    """Return an authenticator over user data in *folder*."""
    userdata = UserData(folder / USERDATA_NAME)
    return authenticator_of(userdata, on_loopback=on_loopback, clock_ns=(clock or Clock()).ns)


def authenticator_of(userdata: UserData, **options: Any) -> Authenticator:
    """Return an authenticator over *userdata*."""
    return Authenticator(userdata.accounts, userdata.sessions, userdata.tokens, userdata.audit, **options)
