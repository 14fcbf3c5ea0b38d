"""Runs the ``levo`` command as its users do: as a process, with an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src"


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Without any LEVO_* variable of the developer's."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("LEVO_", "ECS_", "NOTIFY_"))
    }
    return {**kept, "PYTHONPATH": str(SOURCE), **(extra or {})}


def levo(
    *arguments: str, env: Mapping[str, str] | None = None, stdin: bytes = b""
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "levo", *arguments],
        env=environment(env),
        input=stdin,
        capture_output=True,
        timeout=180,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())
