"""Resident memory of ``levo apidump`` with OTLP/HTTP: idle, and while a million exchanges go through."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import inputs, live


def idle(seconds: float = 4.0) -> dict[str, float]:
    """MiB after *seconds* of live capture without traffic, and how much of that is the kernel's ring."""
    with tempfile.TemporaryDirectory() as folder, live.sink() as url:
        options = ("--interfaces=lo", f"--filter=port {live.free_port()}", f"--satellite-url={url}")
        with live.sensor(Path(folder) / "log", *options) as process:
            time.sleep(seconds)
            return {"resident": live.resident_mib(process.pid), "ring": _ring_mib(process.pid)}


def _ring_mib(pid: int) -> float:
    # Mapped capture rings are named after their socket.
    total, inside = 0, False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if "-" in line.split(maxsplit=1)[0]:
            inside = "socket:" in line
        elif inside and line.startswith("Rss:"):
            total += int(line.split()[1])
    return total / 1024


def under_load(exchanges: int, connections: int) -> tuple[list[tuple[int, float]], dict[str, dict[str, int]]]:
    """(exchanges sent, MiB) along the way at ``--rate-limit 0``, and the ledger at the end."""
    points: list[tuple[int, float]] = []
    with tempfile.TemporaryDirectory() as folder, live.sink() as url:
        log = Path(folder) / "log"
        argv = [sys.executable, "-m", "levo", "apidump", "--read=-", "--rate-limit=0", "--log-format=json"]
        with log.open("wb") as file:
            process = subprocess.Popen(
                [*argv, f"--satellite-url={url}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=file,
            )
        assert process.stdin is not None
        step = 2 * max(exchanges // 40, 1)
        pieces: list[bytes] = []
        for number, record in enumerate(inputs.stream(exchanges=exchanges, connections=connections)):
            pieces.append(record)
            if len(pieces) == 512:
                process.stdin.write(b"".join(pieces))
                pieces.clear()
            if number % step == step - 1:
                points.append(((number + 1) // 2, live.resident_mib(process.pid)))
        process.stdin.write(b"".join(pieces))
        process.stdin.flush()
        points.append((exchanges, live.resident_mib(process.pid)))
        process.stdin.close()
        process.wait(60)
        return points, live.ledger_of(log)
