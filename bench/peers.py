"""Whole programs on the same capture file: the sensor's command line and the peers that are installed."""

from __future__ import annotations

import importlib.util
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TSHARK_FIELDS = (
    "tcp.stream",
    "http.request.method",
    "http.request.full_uri",
    "http.response.code",
    "http.request.line",
    "http.response.line",
    "http.file_data",
)


@dataclass(frozen=True, slots=True)
class Program:
    """A command that reads the file and writes what it finds to nowhere."""

    name: str
    does: str
    argv: tuple[str, ...]


def installed(path: Path) -> list[Program]:
    """The sensor first, then the peers that this machine has. The file is *path*."""
    levo: tuple[str, ...] = (
        sys.executable,
        "-m",
        "levo",
        "apidump",
        "--rate-limit=0",
        "--output=null",
        f"--read={path}",
    )
    found = [
        Program(
            "levo apidump",
            "reassembly, pairing, all fields and bodies, masked; start of Python included",
            levo,
        )
    ]
    if tool := shutil.which("httpry"):
        argv: tuple[str, ...] = (tool, "-q", "-r", str(path), "-o", "/dev/null")
        found.append(
            Program(versioned("httpry", [tool, "-h"]), "one line a message, no reassembly, no bodies", argv)
        )
    if tool := shutil.which("tcpflow"):
        argv = (tool, "-q", "-e", "http", "-r", str(path))
        found.append(
            Program(versioned("tcpflow", [tool, "-V"]), "streams and bodies to files, unpaired", argv)
        )
    if importlib.util.find_spec("dpkt") and importlib.util.find_spec("httptools"):
        name = f"dpkt {version('dpkt')} + httptools {version('httptools')}"
        argv = (sys.executable, str(ROOT / "bench" / "dpkt_loop.py"), str(path))
        found.append(Program(name, "pairing, fields and bodies, no reassembly, no output", argv))
    if tool := shutil.which("tshark"):
        fields = [part for field in TSHARK_FIELDS for part in ("-e", field)]
        argv = (tool, "-n", "-r", str(path), "-Y", "http", "-T", "fields", *fields)
        found.append(
            Program(versioned("tshark", [tool, "--version"]), "reassembly, fields and bodies as text", argv)
        )
    return found


def cpu_seconds(program: Program) -> float:
    """CPU seconds of one run, user and system, children included."""
    with tempfile.TemporaryDirectory() as folder:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            program.argv,
            check=True,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=_environment(),
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _environment() -> dict[str, str]:
    import os

    return os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    }


def versioned(name: str, argv: list[str]) -> str:
    """*name* with the first version number that the command *argv* says."""
    done = subprocess.run(argv, capture_output=True, text=True)
    found = re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr)
    return f"{name} {found[0]}" if found else name
