"""``make bench``: make the inputs, measure, print a table with ratios to tshark.

``bench/run.py [--rounds N] [--exchanges N] [--no-peers] [--json FILE]``
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import http1, inputs

ROOT = Path(__file__).resolve().parents[1]


def machine() -> str:
    """Processor, cores, kernel, Python and commit: a figure without them means nothing."""
    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True
    ).stdout.strip()
    return (
        f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, commit {commit or 'unknown'}, "
        f"load {os.getloadavg()[0]:.1f}"
    )


def table(results: list[http1.Result]) -> str:
    """The results as a Markdown table."""
    reference = next((r for r in results if r.name.startswith("tshark")), None)
    lines = [
        "| what | exchanges | CPU s | exchanges per CPU s | times tshark |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for r in results:
        times = f"{r.rate / reference.rate:.1f}" if reference else "-"
        lines.append(f"| {r.name} | {r.exchanges:,} | {r.cpu_s:.3f} | {r.rate:,.0f} | {times} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--rounds", type=int, default=http1.ROUNDS)
    parser.add_argument("--exchanges", type=int, default=inputs.EXCHANGES)
    parser.add_argument("--no-peers", action="store_true", help="measure this program only")
    parser.add_argument("--json", type=Path, help="write the results here, too")
    arguments = parser.parse_args()
    folder = ROOT / "build" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    path = inputs.http1(folder / f"http1-{arguments.exchanges}.pcap", exchanges=arguments.exchanges)
    results = http1.measure(path, arguments.exchanges, rounds=arguments.rounds, peers=not arguments.no_peers)
    print(f"HTTP/1 from a capture file: {2 * arguments.exchanges:,} packets, {path.stat().st_size:,} octets,")
    print(f"{inputs.CONNECTIONS} keep-alive connections. {machine()}\n")
    print(table(results))
    if arguments.json:
        arguments.json.write_text(
            json.dumps({"machine": machine(), "results": [asdict(r) for r in results]}, indent=1)
        )


if __name__ == "__main__":
    main()
