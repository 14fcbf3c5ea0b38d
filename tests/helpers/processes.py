"""What processes use, from proc(5), and whether that grows."""

from __future__ import annotations

import contextlib
import itertools
import os
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Use(NamedTuple):
    """Of one process at one moment."""

    resident: int
    """Octets (VmRSS)."""
    descriptors: int
    threads: int


def tree_of(pid: int) -> list[int]:
    """A process and all below it that are alive, parents first."""
    found = [pid]
    with contextlib.suppress(OSError):
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in children.read_text().split():
                found += tree_of(int(child))
    return found


def use_of(pid: int) -> Use | None:
    """None once the process has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        return Use(
            int(fields["VmRSS"].split()[0]) << 10,
            len(os.listdir(f"/proc/{pid}/fd")),
            int(fields["Threads"]),
        )
    except (OSError, KeyError):
        return None


def slope(points: Sequence[tuple[float, float]], most: int = 200) -> float:
    """The median of the slopes between all pairs (Theil and Sen): single peaks change nothing.

    More than *most* points are taken together in groups, each by its median.
    """
    size = -(-len(points) // most)
    groups = [points[at : at + size] for at in range(0, len(points), size)]
    marks = [tuple(statistics.median(column) for column in zip(*group, strict=True)) for group in groups]
    return statistics.median(
        (later[1] - sooner[1]) / (later[0] - sooner[0]) for sooner, later in itertools.combinations(marks, 2)
    )
