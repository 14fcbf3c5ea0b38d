"""CPU seconds from a capture file to finished exchanges.

Every measurement is a process of its own (``python -m bench.offline FILE MODE RATE``), so that no allocator,
cache or loaded module of one helps the next. Its CPU time is user plus system as the kernel counts it,
without the start of the interpreter; figures of the whole program are taken beside it, see ``bench.peers``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import process_time

MODES = ("null", "otlp", "jsonl")
"""Exchanges thrown away; OTLP bytes (all fields and bodies, decoded, masked); the same as JSON lines."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one process did with one file."""

    frames: int
    exchanges: int
    """Emitted: under a rate limit fewer than the file has."""
    octets: int
    """Of frames, with their link-layer headers."""
    cpu_s: float


def read(path: Path, mode: str, traces_per_minute: float) -> Reading:
    """Read a whole file in this process."""
    from levo.config import Redaction
    from levo.engine.core.allocator import keep_pages
    from levo.engine.engine import Engine
    from levo.sensor.capture.file import FileSource
    from levo.sensor.redact.masking import Masking
    from levo.wire.resource import encode_resource

    keep_pages()
    masking = Masking(Redaction())
    described = encode_resource({"service.name": "bench"})
    started = process_time()
    engine, source, count = Engine(traces_per_minute=traces_per_minute), FileSource(str(path)), 0

    def drain() -> None:
        nonlocal count
        # As the sensor does it: a batch holds so many exchanges or so many octets.
        while engine.ready:
            batch = engine.take(512, 4 << 20)
            count += len(batch)
            if mode != "null":
                masking(batch, 10_000_000, 64 << 20)
                batch.otlp(described) if mode == "otlp" else batch.jsonl()

    while engine.pump(source, 4096, 0) > 0:
        if engine.ready >= 512 or engine.ready_bytes >= 4 << 20:
            drain()
    engine.finish()
    drain()
    cpu_s = process_time() - started
    statistics = engine.statistics()
    return Reading(statistics["frames_received"], count, statistics["frame_bytes_received"], cpu_s)


def measure(path: Path, mode: str, traces_per_minute: float = 0.0) -> Reading:
    """``read`` in a process of its own."""
    argv = [sys.executable, "-m", "bench.offline", str(path), mode, str(traces_per_minute)]
    child = subprocess.run(argv, check=True, stdout=subprocess.PIPE, cwd=Path(__file__).resolve().parents[1])
    return Reading(**json.loads(child.stdout))


def middle(readings: list[Reading]) -> Reading:
    """The reading with the median CPU time, of several of the same file."""
    return sorted(readings, key=lambda each: each.cpu_s)[(len(readings) - 1) // 2]


def spread(readings: list[Reading]) -> float:
    """(slowest - fastest) / median CPU time."""
    times = [each.cpu_s for each in readings]
    return (max(times) - min(times)) / median(times)


if __name__ == "__main__":
    result = read(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
    json.dump({name: getattr(result, name) for name in Reading.__slots__}, sys.stdout)
