"""How long the Satellite takes to answer: ``python -m bench.satellite.pages``, needs the tests' libraries.

A real Satellite over a catalog of 5,000 endpoints (a full one has 100,000) with 90 days of rollups, asked by
one client over loopback.
Beside the time that passed stands the CPU time of the Satellite, which a busy machine changes less.
"""

from __future__ import annotations

import argparse
import http.client
import os
import statistics
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from bench.satellite.seed import seed
from tests.satellite.running import RunningSatellite

from levo.satellite.store import DATABASE_NAME

PAGES = (
    "/",
    "/?range=90d",
    "/catalog",
    "/endpoints/77",
    "/endpoints/77?range=90d",
    "/sensitive",
    "/sensitive?kind=email",
    "/changes",
    "/changes?kind=status",
    "/encrypted",
    "/reference",
    "/reference?application=app%207",
    "/sensors",
    "/settings",
)
FILTERS = (
    "/catalog?q=order",
    "/catalog?q=nothing-like-it",
    "/catalog?application=app%203",
    "/catalog?application=app%203&status=5xx&sort=exchanges",
    "/catalog?method=POST&environment=staging",
    "/catalog?review=open",
    "/catalog?new=24h&sort=first_seen",
    "/catalog?offset=4900",
)
REST = (
    "/api/summary",
    "/api/endpoints?limit=1000",
    "/api/endpoints?q=order",
    "/api/endpoints?format=csv",
    "/api/sensitive",
    "/api/sensitive?format=csv",
    "/api/changes",
    "/api/changes?format=csv",
    "/api/openapi?application=app%207&environment=staging",
)


def measure(satellite: RunningSatellite, path: str, times: int) -> tuple[float, float, float, int]:
    """Return the median and the slowest answer and the CPU time of one in milliseconds, and its octets."""
    connection = http.client.HTTPConnection(urlsplit(satellite.web).netloc, timeout=60)
    took = []
    for number in range(times + 1):
        if number == 1:
            busy = cpu_ms(satellite.process.pid)
        start = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        size = len(answer.read())
        took.append((time.perf_counter() - start) * 1000)
        assert answer.status == 200, (path, answer.status)
    connection.close()
    busy = cpu_ms(satellite.process.pid) - busy
    return statistics.median(took[1:]), max(took[1:]), busy / times, size


def cpu_ms(process: int) -> float:
    """Return the CPU time that *process* has had, in milliseconds."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") * 1000


def main() -> None:
    """Print a table for each group."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--endpoints", type=int, default=5000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--times", type=int, default=15)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data" / DATABASE_NAME
        path.parent.mkdir(mode=0o700)
        seed(path, endpoints=given.endpoints, days=given.days, now_ns=time.time_ns())
        print(f"{given.endpoints:,} endpoints, {given.days} days, {path.stat().st_size / 1e6:.0f} MB")
        with RunningSatellite(path.parent) as satellite:
            start, busy = time.monotonic(), cpu_ms(satellite.process.pid)
            # 0.3 ms of CPU time an endpoint. Who asks all the time for a page of so many takes its turns.
            while "not looked for yet" in satellite.get("/").body.decode():
                time.sleep(given.endpoints / 20_000)
            took, busy = time.monotonic() - start, cpu_ms(satellite.process.pid) - busy
            print(
                f"sensitive data of all endpoints found {took:.0f} s after the start, {busy / 1000:.0f} s CPU"
            )
            for title, paths in (("Pages", PAGES), ("Filters of the catalog", FILTERS), ("REST", REST)):
                print(f"\n{title}: median, slowest, CPU (ms), size (KiB)")
                for each in paths:
                    median, slowest, busy, size = measure(satellite, each, given.times)
                    print(
                        f"  {median:7.1f} {slowest:7.1f} {busy:7.1f} {size / 1024:8.0f}  {each}", flush=True
                    )


if __name__ == "__main__":
    main()
