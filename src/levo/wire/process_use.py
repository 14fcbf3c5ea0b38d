"""What a process takes from its machine, by proc(5), under the names that Prometheus' own clients use."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from levo.wire.metrics import Metric


@dataclass(frozen=True, slots=True)
class ProcessUse:
    """One process at one moment. What cannot be read is 0."""

    cpu_s: float = 0
    resident_bytes: int = 0
    virtual_bytes: int = 0
    open_files: int = 0
    max_files: float = 0
    """The soft limit of open files; infinite if there is none."""
    threads: int = 0
    started_s: float = 0
    """Seconds since the Unix epoch."""

    @classmethod
    def of(cls, pid: int) -> ProcessUse | None:
        """Return the use of process *pid*, None if it is gone or not ours to see."""
        folder = Path(f"/proc/{pid}")
        try:
            # The name, in parentheses, may hold anything; what follows is numbers from the third field on.
            stat = (folder / "stat").read_bytes().rpartition(b")")[2].split()
            ticks = os.sysconf("SC_CLK_TCK")
            return cls(
                cpu_s=(int(stat[11]) + int(stat[12])) / ticks,
                resident_bytes=int(stat[21]) * os.sysconf("SC_PAGE_SIZE"),
                virtual_bytes=int(stat[20]),
                open_files=len(os.listdir(folder / "fd")) - (pid == os.getpid()),  # less the listing's own
                max_files=_max_files(folder),
                threads=int(stat[17]),
                started_s=_booted_s() + int(stat[19]) / ticks,
            )
        except (OSError, ValueError, IndexError):
            return None


_FAMILIES: tuple[tuple[str, str, str, bool, Callable[[ProcessUse], float]], ...] = (
    ("process.cpu", "Processor time used, user and system.", "s", True, lambda use: use.cpu_s),
    ("process.resident.memory", "Resident memory.", "By", False, lambda use: use.resident_bytes),
    ("process.virtual.memory", "Virtual memory.", "By", False, lambda use: use.virtual_bytes),
    ("process.open.fds", "Open file descriptors.", "1", False, lambda use: use.open_files),
    ("process.max.fds", "The soft limit of open file descriptors.", "1", False, lambda use: use.max_files),
    ("process.threads", "Threads.", "1", False, lambda use: use.threads),
    ("process.start.time", "When it started, since the Unix epoch.", "s", False, lambda use: use.started_s),
)


def process_metrics(uses: Mapping[str, ProcessUse]) -> list[Metric]:
    """Return the families, with one point for each process, by its name in the label ``process``."""
    return [
        Metric(
            name,
            text,
            unit,
            monotonic,
            tuple(((("process", each),), value(use)) for each, use in uses.items()),
        )
        for name, text, unit, monotonic, value in _FAMILIES
    ]


def _max_files(folder: Path) -> float:
    # prlimit(2) would be simpler, and is what a service's filter of system calls may forbid.
    for line in (folder / "limits").read_text(encoding="ascii").splitlines():
        if line.startswith("Max open files"):
            soft = line.split()[3]
            return float("inf") if soft == "unlimited" else int(soft)
    return 0


def _booted_s() -> int:
    with contextlib.suppress(OSError), open("/proc/stat", encoding="ascii") as file:
        for line in file:
            if line.startswith("btime "):
                return int(line.split()[1])
    return 0
