"""Memory stays flat under attack, ordinary traffic is still captured, and everything is in the ledger.

The real process is attacked for 3 s, and for 180 s in the long form.
"""

from __future__ import annotations

import itertools
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from levo.engine.engine import Engine
from levo.ledger import Ledger
from levo.model.exchange import Exchange
from tests.cli.levo_command import environment
from tests.helpers.attack import Attack
from tests.helpers.effort import long
from tests.satellite.running import until
from tests.system.network import Namespace, needs, veth_pair
from tests.system.sensor import command

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 200 << 20
MOST_RESIDENT = 150 << 20
MEMORY = Path("/sys/fs/cgroup/memory")


def is_whole(exchange: Exchange) -> bool:
    request, response = exchange.request, exchange.response
    return (
        request is not None and request.path == "/good" and response is not None and len(response.body) == 500
    )


def test_the_engine_stays_within_its_budget_and_keeps_ordinary_exchanges() -> None:
    """2,000 hostile connections against 8 MiB: in proportion to 10,000 against 64 MiB, and tighter."""
    budget = 8 << 20
    engine = Engine(max_memory_bytes=budget)
    attack = Attack(2000)
    times = itertools.count(1_700_000_000 * 10**9, 20_000)
    engine.feed([(next(times), octets, None) for octets in attack.opening()])
    whole = peak = 0
    rounds = attack.rounds()
    for _ in range(60):
        engine.feed([(next(times), octets, None) for octets in itertools.islice(rounds, 2000)])
        peak = max(peak, engine.memory_used_bytes)
        whole += sum(map(is_whole, engine.take().exchanges()))
    engine.finish()
    ready = engine.ready
    engine.take()

    ledger = Ledger.from_statistics(engine.statistics(), ready=ready)
    assert ledger.balanced, ledger.render()
    assert peak <= budget * 1.1
    assert whole >= attack.good_exchanges - 1 > 1000


@contextmanager
def memory_limit(limit: int) -> Iterator[Path]:
    """A cgroup (v1 or v2) of its own with a memory limit; the block gets the file that takes process ids."""
    version_1 = (MEMORY / "memory.limit_in_bytes").exists()
    parent = MEMORY if version_1 else Path("/sys/fs/cgroup")
    group = parent / f"levo-{secrets.token_hex(4)}"
    try:
        group.mkdir()
        (group / ("memory.limit_in_bytes" if version_1 else "memory.max")).write_text(str(limit))
    except OSError as error:
        if group.exists():
            group.rmdir()
        pytest.skip(f"no memory cgroup can be made here: {error}")
    try:
        yield group / "cgroup.procs"
    finally:
        until(lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()


def peak_resident(pid: int) -> int:
    """VmHWM of proc(5), octets."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM:"))


def attacked(
    sensor_end: Namespace, attacker: Namespace, folder: Path, procs: Path, seconds: int
) -> tuple[int, int, int, dict[str, dict[str, object]]]:
    """(ordinary exchanges sent, whole ones reported, peak resident octets, ledger stages)."""
    lines, log = folder / "out.jsonl", folder / "log"
    argv = command(
        [
            "apidump",
            "--config=/dev/null",
            f"--interfaces={sensor_end.interface}",
            "--max-memory=64MiB",
            "--rate-limit=0",
            "--trace-export-interval=200ms",
            "--log-format=json",
            "--path-allow=^/good$|^/$|^/h",
            f"--output=jsonl:{lines}",
        ]
    )

    def join_group() -> None:
        procs.write_text(str(os.getpid()))

    with log.open("wb") as sink:
        process = sensor_end.popen(argv, stderr=sink, env=environment(), preexec_fn=join_group)
    try:
        until(lambda: b"capturing on" in log.read_bytes() or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        flood = [sys.executable, "-m", "tests.helpers.attack", attacker.interface, str(seconds), "10000"]
        done = subprocess.run(
            attacker.command(flood),
            cwd=ROOT,
            env=environment({"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}),
            capture_output=True,
            text=True,
            timeout=seconds + 120,
        )
        assert done.returncode == 0, done.stderr
        peak = peak_resident(process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, log.read_text()[-2000:]
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    whole = sum(
        1
        for each in map(orjson.loads, lines.open("rb"))
        if each["incomplete"] is None and each["request"]["path"] == "/good"
    )
    events = map(orjson.loads, log.read_bytes().splitlines())
    stages = {event["stage"]: event for event in events if "stage" in event}
    return int(done.stdout), whole, peak, stages


@pytest.mark.root
@pytest.mark.slow
@needs("ethtool")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seconds", [3, long(180)])
def test_the_process_stays_below_150_mib_in_a_cgroup_of_200(tmp_path: Path, seconds: int) -> None:
    with veth_pair() as (sensor_end, attacker), memory_limit(LIMIT) as procs:
        sent, whole, peak, stages = attacked(sensor_end, attacker, tmp_path, procs, seconds)

    print(f"{sent:,} ordinary exchanges sent, {whole:,} captured whole, peak {peak >> 20} MiB")
    assert peak < MOST_RESIDENT
    assert all(stage["balanced"] for stage in stages.values()), stages
    dropped = stages["capture"]["states"]["kernel_dropped"]  # type: ignore[index]
    assert sent > 100 * seconds
    assert whole >= 0.98 * sent - dropped
