"""The default memory budget, on made-up file systems of both cgroup versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from levo.config.memory import FALLBACK_BYTES, cgroup_limit, default_budget

MIB = 1 << 20
V1 = "9:name=systemd:/\n4:cpu,memory:/docker/abc\n0::/\n"
V2 = "0::/system.slice/sensor.service\n"

CASES = {
    "v2, own limit": (V2, {"system.slice/sensor.service/memory.max": str(200 * MIB)}, 200 * MIB),
    "v2, limit of a parent": (V2, {"system.slice/memory.max": str(300 * MIB)}, 300 * MIB),
    "v2, the smaller of two": (
        V2,
        {"system.slice/memory.max": str(100 * MIB), "system.slice/sensor.service/memory.max": str(200 * MIB)},
        100 * MIB,
    ),
    "v2, memory.high is a limit": (
        V2,
        {
            "system.slice/sensor.service/memory.max": "max",
            "system.slice/sensor.service/memory.high": str(64 * MIB),
        },
        64 * MIB,
    ),
    "v2, inside a container: the mount is its cgroup": (
        "0::/../x\n",
        {"memory.max": str(512 * MIB)},
        512 * MIB,
    ),
    "v2, none": (V2, {"system.slice/memory.max": "max"}, None),
    "v1, own limit": (V1, {"memory/docker/abc/memory.limit_in_bytes": str(200 * MIB)}, 200 * MIB),
    "v1, path not visible in the container": (V1, {"memory/memory.limit_in_bytes": str(50 * MIB)}, 50 * MIB),
    "v1, no limit is a huge number": (V1, {"memory/memory.limit_in_bytes": "9223372036854771712"}, None),
    "hybrid: v2 beside v1": (V1, {"unified/memory.max": str(70 * MIB)}, 70 * MIB),
    "nonsense": (V2, {"memory.max": "lots"}, None),
    "no cgroups": (None, {}, None),
}


def build(root: Path, membership: str | None, files: dict[str, str]) -> Path:
    if membership is not None:
        (root / "proc/self").mkdir(parents=True)
        (root / "proc/self/cgroup").write_text(membership)
    for name, content in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")
    return root


@pytest.mark.parametrize(("membership", "files", "limit"), CASES.values(), ids=CASES.keys())
def test_limit(tmp_path: Path, membership: str | None, files: dict[str, str], limit: int | None) -> None:
    assert cgroup_limit(build(tmp_path, membership, files)) == limit


def test_the_default_is_half_the_limit_else_256_mib(tmp_path: Path) -> None:
    assert (
        default_budget(tmp_path)
        == (FALLBACK_BYTES, "no memory limit found")
        == (256 * MIB, "no memory limit found")
    )
    build(tmp_path, V2, {"memory.max": str(200 * MIB)})
    assert default_budget(tmp_path) == (100 * MIB, "half of the memory limit")
