"""A clock that nobody sets, and that goes on while the Satellite is restarted."""

from __future__ import annotations

import secrets
import time
from functools import cache
from pathlib import Path
from typing import NamedTuple

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Moment(NamedTuple):
    """Of one boot of the machine; moments of different ones cannot be compared."""

    boot: str
    ns: int
    """Since that boot, time asleep included."""


def now() -> Moment:
    """Return this moment. Where the system has no such clock, each process counts as a boot of its own."""
    if (boot := _boot_id()) and hasattr(time, "CLOCK_BOOTTIME"):
        return Moment(boot, time.clock_gettime_ns(time.CLOCK_BOOTTIME))
    return Moment(_of_this_process(), time.monotonic_ns())


@cache
def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


@cache
def _of_this_process() -> str:
    return f"process {secrets.token_hex(16)}"
