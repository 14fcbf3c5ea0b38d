"""The clock that sessions end by."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from levo.satellite.access import boot_clock

ASK = "from levo.satellite.access.boot_clock import now; print(*now())"


def elsewhere() -> tuple[str, int]:
    """What another process says."""
    said = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True).stdout
    boot, _, ns = said.rpartition(" ")
    return boot, int(ns)


def test_it_goes_on_in_another_process() -> None:
    if not Path("/proc/sys/kernel/random/boot_id").exists():
        pytest.skip("the system does not name its boots")
    before, (boot, then_ns), after = boot_clock.now(), elsewhere(), boot_clock.now()

    assert before.boot == boot == after.boot
    assert before.ns < then_ns < after.ns


def test_without_a_name_of_the_boot_each_process_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boot_clock, "_BOOT_ID", tmp_path / "none")
    boot_clock._boot_id.cache_clear()
    try:
        one, two = boot_clock.now(), boot_clock.now()
    finally:
        monkeypatch.undo()
        boot_clock._boot_id.cache_clear()

    assert one.boot == two.boot != elsewhere()[0]
    assert one.ns <= two.ns
