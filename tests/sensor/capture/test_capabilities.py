"""Capabilities as the kernel shows them, each change in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.levo_command import environment
from tests.system.network import missing_reason

REASON = missing_reason()
SHOW = "print(''.join(l for l in open('/proc/self/status') if l.startswith(('Cap', 'NoNew'))))"


def status(change: str) -> dict[str, int]:
    script = f"from levo.sensor.capture import capabilities as c\n{change}\n{SHOW}"
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, text=True, check=True
    )
    return {
        name: int(value, 16) for name, value in (line.split(":") for line in done.stdout.split("\n") if line)
    }


def test_what_is_permitted_is_what_the_kernel_says() -> None:
    found = status(
        "assert c.permitted() == int(next(l for l in open('/proc/self/status') if 'CapPrm' in l)[7:], 16)"
    )
    assert found["CapPrm"] >= 0


@pytest.mark.root
@pytest.mark.skipif(REASON is not None, reason=REASON or "")
def test_one_capability_is_left_and_no_program_gets_more() -> None:
    found = status("c.bound_to(c.NET_RAW); c.keep_only(c.NET_RAW); c.no_new_privileges()")
    assert {name: found[name] for name in ("CapEff", "CapPrm", "CapBnd")} == dict.fromkeys(
        ("CapEff", "CapPrm", "CapBnd"), 1 << 13
    )
    assert found["CapInh"] == found["CapAmb"] == 0 and found["NoNewPrivs"] == 1


@pytest.mark.root
@pytest.mark.skipif(REASON is not None, reason=REASON or "")
def test_capabilities_above_the_first_32_are_given_up_too() -> None:
    assert status("c.keep_only(c.permitted() & ~(1 << 39))")["CapPrm"] & 1 << 39 == 0


@pytest.mark.root
@pytest.mark.skipif(REASON is not None, reason=REASON or "")
def test_a_capability_that_is_not_held_cannot_be_kept() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from levo.sensor.capture import capabilities as c; c.keep_only(0); c.keep_only(1)",
        ],
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and "PermissionError" in done.stderr
