"""Commands as somebody types them: in a shell, with sudo, stopped by a signal."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import IO

from tests.system.network import PATH

LEVO = Path(sys.executable).with_name("levo")
SUDO = """#!/bin/bash
# Stands in where sudo is not installed: an environment of its own, except for what it is told to keep.
kept=(); case $1 in --preserve-env=*) IFS=, read -ra kept <<<"${1#*=}"; shift;; esac
passed=(); for name in "${kept[@]}"; do passed+=("$name=${!name}"); done
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "${passed[@]}" "$@"
"""


def programs_in(folder: Path) -> Path:
    """A folder for the PATH, with a sudo where the system has none."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    if shutil.which("sudo", path=PATH) is None:
        (programs / "sudo").write_text(SUDO)
        (programs / "sudo").chmod(0o755)
    return programs


def last_child(pid: int) -> int:
    """The program at the end of a chain of shells and sudo; not what that program starts."""
    while Path(f"/proc/{pid}/comm").read_text().strip() in ("bash", "sudo"):
        (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        pid = int(child)
    return pid


def until_said(stream: IO[str], text: str) -> str:
    """Read until a line holds *text*."""
    said = ""
    for line in stream:
        said += line
        if text in line:
            return said
    raise AssertionError(f"ended without {text!r}: {said}")
