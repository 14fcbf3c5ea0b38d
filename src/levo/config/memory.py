"""How much memory the sensor may use when nobody said: half of what its container may."""

from __future__ import annotations

from pathlib import Path

FALLBACK_BYTES = 256 << 20
_UNLIMITED = 1 << 60
"""cgroup v1 writes a number near 2**63 where there is no limit."""


def default_budget(root: Path = Path("/")) -> tuple[int, str]:
    """The default of ``--max-memory`` in octets, and where it comes from in words."""
    limit = cgroup_limit(root)
    if limit is None:
        return FALLBACK_BYTES, "no memory limit found"
    return max(limit // 2, 4 << 20), "half of the memory limit"


def cgroup_limit(root: Path = Path("/")) -> int | None:
    """The smallest memory limit over this process's cgroup and the ones above it, v2 or v1; None without one.

    Inside a container the process's own path is often not visible below the mount: then the mount
    itself is the container's cgroup.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    limits: list[int] = []
    for line in lines:
        hierarchy, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if hierarchy == "0" and not controllers:
            for mount in ("sys/fs/cgroup", "sys/fs/cgroup/unified"):
                limits += _limits(root / mount, path, ("memory.max", "memory.high"))
        elif "memory" in controllers.split(","):
            limits += _limits(root / "sys/fs/cgroup/memory", path, ("memory.limit_in_bytes",))
    return min(limits, default=None)


def _limits(mount: Path, path: str, names: tuple[str, ...]) -> list[int]:
    parts = [part for part in path.split("/") if part and part != ".."]
    found = []
    for depth in range(len(parts) + 1):
        for name in names:
            try:
                written = (mount.joinpath(*parts[:depth]) / name).read_text().strip()
            except OSError:
                continue
            if written.isdigit() and 0 < int(written) < _UNLIMITED:
                found.append(int(written))
    return found
