"""CPU seconds from a capture file to finished exchanges, beside tshark on the same file.

Each measurement is a process of its own and its CPU time is user plus system as the kernel counted it,
start-up included for the whole program, without it for the stages of the engine. The best of several rounds
is shown: noise only adds.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROUNDS = 5
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
class Result:
    """One line of the table."""

    name: str
    exchanges: int
    cpu_s: float

    @property
    def rate(self) -> float:
        """Exchanges per CPU second."""
        return self.exchanges / self.cpu_s


def stages(path: Path) -> dict[str, tuple[int, float]]:
    """(exchanges, CPU seconds) of each depth of work, in this process. Runs in a child of ``measure``."""
    from time import process_time

    from levo.engine.engine import Engine

    from levo.engine.otlp import encode_resource
    from levo.sensor.capture.file import FileSource

    described = encode_resource({"service.name": "bench"})

    def run(use: Callable[[object], int]) -> tuple[int, float]:
        started = process_time()
        engine, source, count = Engine(), FileSource(str(path)), 0
        while engine.pump(source, 4096, 0) > 0:
            if engine.ready >= 512:
                batch = engine.drain()
                count += len(batch)
                use(batch)
        engine.finish()
        batch = engine.drain()
        count += len(batch)
        use(batch)
        return count, process_time() - started

    def null(batch: object) -> int:
        return 0

    def otlp(batch: object) -> int:
        batch.decode_content()  # type: ignore[attr-defined]
        batch.mask()  # type: ignore[attr-defined]
        return len(batch.otlp(described))  # type: ignore[attr-defined]

    def jsonl(batch: object) -> int:
        batch.decode_content()  # type: ignore[attr-defined]
        batch.mask()  # type: ignore[attr-defined]
        return len(batch.jsonl())  # type: ignore[attr-defined]

    return {
        "engine, exchanges dropped at the end": run(null),
        "engine to OTLP bytes (all fields and bodies, masked)": run(otlp),
        "engine to JSON lines (the same)": run(jsonl),
    }


def _children_cpu(argv: list[str]) -> float:
    """CPU seconds of a finished child."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(path: Path, exchanges: int, *, rounds: int = ROUNDS, peers: bool = True) -> list[Result]:
    """All measurements on one file, rounds interleaved."""
    best: dict[str, Result] = {}

    def note(name: str, count: int, cpu_s: float) -> None:
        if count != exchanges:
            raise SystemExit(f"bench: {name}: {count} exchanges read, {exchanges} are in {path}")
        if name not in best or cpu_s < best[name].cpu_s:
            best[name] = Result(name, count, cpu_s)

    levo = [sys.executable, "-m", "levo", "apidump", "--rate-limit=0", f"--read={path}"]
    for _ in range(rounds):
        child = subprocess.run(
            [sys.executable, __file__, "--stages", str(path)], check=True, stdout=subprocess.PIPE
        )
        for name, (count, cpu_s) in json.loads(child.stdout).items():
            note(name, count, cpu_s)
        note("levo apidump --output null (whole process)", exchanges, _children_cpu([*levo, "--output=null"]))
    if peers and (tshark := shutil.which("tshark")):
        fields = [part for name in TSHARK_FIELDS for part in ("-e", name)]
        argv = [tshark, "-n", "-r", str(path), "-Y", "http", "-T", "fields", *fields]
        note(f"{_tshark_version(tshark)}, fields", exchanges, _children_cpu(argv))
    return list(best.values())


def _tshark_version(tshark: str) -> str:
    out = subprocess.run([tshark, "--version"], check=True, capture_output=True, text=True).stdout
    return " ".join(out.split()[:3]).replace("TShark (Wireshark)", "tshark")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--stages"]:
        json.dump(stages(Path(sys.argv[2])), sys.stdout)
