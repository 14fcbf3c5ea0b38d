"""tcpdump as a recorder that loses nothing."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.system.network import Namespace


@contextmanager
def recording(namespace: Namespace, path: Path, expression: str) -> Iterator[None]:
    """Write into *path* what passes the namespace's interface until the block ends, with nanoseconds."""
    argv = ["tcpdump", "-i", namespace.interface, "-U", "--immediate-mode", "--nano", "-B", "65536"]
    process = namespace.popen(
        [*argv, "-w", str(path), expression], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        assert process.stderr is not None
        while b"listening on" not in (line := process.stderr.readline()):
            assert line, "tcpdump has ended"
        yield
        _until_written(process.pid, path)
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=180)[1]
        assert b"\n0 packets dropped by kernel" in told, told
    finally:
        process.kill()
        process.wait()


def _until_written(pid: int, path: Path) -> None:
    """Each packet wakes a tcpdump in immediate mode: while it sleeps, all that came is in the file."""
    end = time.monotonic() + 120
    last = now = -1
    while now != last or Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "S":
        assert time.monotonic() < end, "tcpdump does not come to rest"
        last = now
        time.sleep(0.3)
        now = path.stat().st_size
