"""``make bench``: make the inputs, measure in interleaved rounds, write tables and plots into ``docs/``.

``bench/run.py [--rounds N] [--no-peers] [--only PART ...] [--dry]``; BENCH="..." passes them through make.
Parts: offline, peers, scaling, sizes, memory, start, live, cost. Results are kept in
``build/bench/results.json``, one entry a part, so that parts can be measured again one by one; tables and
plots are written from all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, Literal

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))

from bench import inputs, live, memory, offline, peers, report  # noqa: E402

FOLDER = ROOT / "build" / "bench"
CONNECTIONS = (1, 10, 100, 1_000, 10_000, 50_000)
SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)
LIVE_SECONDS = 4
COST_SECONDS = 8


def machine() -> dict[str, str]:
    """Processor, kernel, versions and commit: a figure without them means nothing."""
    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    git = ["git", "-C", str(ROOT)]
    commit = subprocess.run([*git, "describe", "--always"], capture_output=True, text=True).stdout.strip()
    # Changed documents, such as those written here, change no figure.
    if subprocess.run([*git, "diff", "--quiet", "HEAD", "--", "src", "bench", "setup.py"]).returncode == 1:
        commit += "-dirty"
    return {
        "machine": f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "commit": commit or "unknown",
        "load": f"{os.getloadavg()[0]:.1f}",
    }


def measure_offline(rounds: int) -> dict[str, Any]:
    """The engine on the three kinds of file."""
    small = inputs.http1(FOLDER / "http1.pcap")
    large = inputs.bodies(FOLDER / "bodies.pcap", size=100_000, exchanges=3_000)
    encrypted = inputs.tls(FOLDER / "tls.pcap")
    cases = {
        "small, null": (small, "null", 0.0),
        "small, otlp": (small, "otlp", 0.0),
        "small, jsonl": (small, "jsonl", 0.0),
        "small, otlp, default limit": (small, "otlp", 1000.0),
        "bodies, null": (large, "null", 0.0),
        "bodies, otlp": (large, "otlp", 0.0),
        "bodies, otlp, one a minute": (large, "otlp", 1.0),
        "tls": (encrypted, "otlp", 0.0),
    }
    taken: dict[str, list[offline.Reading]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, case in cases.items():
            taken[name].append(offline.measure(*case))
    return {name: _reading(each) for name, each in taken.items()}


def _reading(readings: list[offline.Reading]) -> dict[str, float]:
    middle = offline.middle(readings)
    return {
        "frames": middle.frames,
        "exchanges": middle.exchanges,
        "octets": middle.octets,
        "cpu_s": middle.cpu_s,
        "best_s": min(each.cpu_s for each in readings),
        "spread": offline.spread(readings),
        "rounds": len(readings),
    }


def measure_peers(rounds: int) -> dict[str, Any]:
    """Whole programs on the file with small exchanges. The slow ones run less often."""
    path = inputs.http1(FOLDER / "http1.pcap")
    programs = peers.installed(path)
    taken: dict[str, list[float]] = {each.name: [] for each in programs}
    for number in range(rounds):
        for each in programs:
            if number < 2 or median(taken[each.name]) < 2:
                taken[each.name].append(peers.cpu_seconds(each))
    return {
        each.name: {"does": each.does, "cpu_s": median(taken[each.name]), "exchanges": inputs.EXCHANGES}
        for each in programs
    }


def measure_scaling(rounds: int) -> dict[str, Any]:
    """Cost per exchange over the number of connections that are open at the same time.

    Each carries a dozen exchanges or more: what it costs to open and close one is not to stand in front.
    """
    files = [
        inputs.http1(
            FOLDER / f"http1-{count}{'' if in_turn else '-random'}.pcap",
            exchanges=max(200_000, 12 * count),
            connections=count,
            in_turn=in_turn,
        )
        for in_turn in (True, False)
        for count in CONNECTIONS
        if in_turn or count >= 10_000
    ]
    at_random = (f"{count} in random order" for count in CONNECTIONS if count >= 10_000)
    return _over((*CONNECTIONS, *at_random), files, ("null", "otlp"), rounds)


def measure_sizes(rounds: int) -> dict[str, Any]:
    """Cost per exchange over the size of the answer."""
    files = [
        inputs.bodies(
            FOLDER / f"bodies-{size}.pcap", size=size, exchanges=max(100, min(20_000, 10**8 // size))
        )
        for size in SIZES
    ]
    return _over(SIZES, files, ("otlp",), rounds)


def _over(
    steps: tuple[int | str, ...], files: list[Path], modes: tuple[str, ...], rounds: int
) -> dict[str, Any]:
    taken: dict[tuple[str, int | str], list[offline.Reading]] = {}
    for _ in range(rounds):
        for mode in modes:
            for step, path in zip(steps, files, strict=True):
                taken.setdefault((mode, step), []).append(offline.measure(path, mode))
    return {mode: {str(step): _reading(taken[mode, step]) for step in steps} for mode in modes}


def measure_memory(rounds: int) -> dict[str, Any]:
    """Idle, and along a million exchanges over 10,000 connections."""
    idle = memory.idle() if os.geteuid() == 0 else None
    points, ledger = memory.under_load(1_000_000, 10_000)
    if ledger["exchanges"]["emitted"] != 1_000_000:
        raise SystemExit(f"bench: not all exchanges came through: {ledger['exchanges']}")
    return {"idle": idle, "points": points, "delivered": ledger["output otlp"]["exported"]}


def measure_start(rounds: int) -> dict[str, Any]:
    """Start of the process to the first captured packet."""
    with live.nginx() as (port, _):
        return {"seconds": [live.start_s(port) for _ in range(max(rounds, 5))]}


def measure_live(rounds: int) -> dict[str, Any]:
    """nginx at full speed: alone, beside tcpdump and the sensor, behind mitmproxy; two kinds of answer."""
    kinds: dict[str, Any] = {}
    with live.nginx() as (port, worker), live.sink() as url:
        cases: dict[str, tuple[str, ...] | Literal["tcpdump", "mitmproxy"] | None] = {"without": None}
        if shutil.which("tcpdump"):
            cases["tcpdump"] = "tcpdump"
        cases["default"] = (f"--satellite-url={url}",)
        cases["all"] = (f"--satellite-url={url}", "--rate-limit=0")
        if tool := shutil.which("mitmdump"):
            cases[peers.versioned("mitmproxy", [tool, "--version"])] = "mitmproxy"
        for kind, path in (("constant", "/api/v1/items/1"), ("file", "/files/item.json")):
            taken: dict[str, list[live.Round]] = {name: [] for name in cases}
            for _ in range(rounds):
                for name, options in cases.items():
                    taken[name].append(
                        live.load(port, worker, seconds=LIVE_SECONDS, options=options, path=path)
                    )
            kinds[kind] = {name: [_round(each) for each in rows] for name, rows in taken.items()}
    return kinds


def _round(each: live.Round) -> dict[str, float]:
    received = each.ledger.get("exchanges", {}).get("received", 0)
    return {
        "rate": each.rate,
        "requests": each.requests,
        "seconds": each.seconds,
        "nginx_cpu_s": each.nginx_cpu_s,
        "sensor_cpu_s": each.sensor_cpu_s,
        "sensor_mib": each.sensor_mib,
        "kernel_dropped": each.kernel_dropped,
        "exchanges": received,
    }


def measure_cost(rounds: int) -> dict[str, Any]:
    """The operator's table: CPU and memory at a given rate of requests."""
    found: dict[str, Any] = {}
    with live.nginx() as (port, worker), live.sink() as url:
        for rate, connections, pause_ms in ((100, 10, 100), (1_000, 100, 100), (10_000, 500, 50)):
            for name, options in (("default", ()), ("all", ("--rate-limit=0",))):
                row = live.load(
                    port,
                    worker,
                    seconds=COST_SECONDS,
                    options=(f"--satellite-url={url}", *options),
                    wrk=(f"-c{connections}",),
                    pause_ms=pause_ms,
                    path="/files/item.json",
                )
                found[f"{rate} {name}"] = _round(row)
    return found


PARTS: dict[str, Callable[[int], dict[str, Any]]] = {
    "offline": measure_offline,
    "peers": measure_peers,
    "scaling": measure_scaling,
    "sizes": measure_sizes,
    "memory": measure_memory,
    "start": measure_start,
    "live": measure_live,
    "cost": measure_cost,
}
NEED_CAPTURE = ("start", "live", "cost")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-peers", action="store_true", help="measure this program only")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--dry", action="store_true", help="print the tables, write nothing into docs/")
    arguments = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    kept = FOLDER / "results.json"
    results: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    for name in arguments.only:
        if name == "peers" and arguments.no_peers:
            continue
        if name in NEED_CAPTURE and (reason := live.missing()):
            print(f"bench: {name} left out: {reason}", file=sys.stderr)
            continue
        print(f"bench: {name}", file=sys.stderr, flush=True)
        before = machine()
        results[name] = {"at": before, "found": PARTS[name](arguments.rounds)}
        kept.write_text(json.dumps(results, indent=1))
    text = report.text(results)
    print(text)
    if not arguments.dry:
        report.write(text, results, ROOT / "docs")


if __name__ == "__main__":
    main()
