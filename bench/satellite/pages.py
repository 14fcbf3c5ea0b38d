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
FIRST = ("/", "/catalog", "/sensitive", "/endpoints/77", "/reference")
"""What is asked for right after the start."""
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
    parser.add_argument("--unlooked", action="store_true", help="no sensitive data is found yet")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data" / DATABASE_NAME
        path.parent.mkdir(mode=0o700)
        seed(
            path,
            endpoints=given.endpoints,
            days=given.days,
            now_ns=time.time_ns(),
            looked=not given.unlooked,
        )
        print(f"{given.endpoints:,} endpoints, {given.days} days, {path.stat().st_size / 1e6:.0f} MB")
        with RunningSatellite(path.parent) as satellite:
            print("first answers after the start (ms):")
            for each in FIRST:
                start = time.perf_counter()
                satellite.get(each)
                print(f"  {(time.perf_counter() - start) * 1000:7.0f}  {each}", flush=True)
            if given.unlooked:
                start = time.monotonic()
                while "not looked for yet" in satellite.get("/").body.decode():
                    time.sleep(1)
                print(f"sensitive data of all endpoints found after {time.monotonic() - start:.0f} s")
            for title, paths in (("Pages", PAGES), ("Filters of the catalog", FILTERS), ("REST", REST)):
                print(f"\n{title}: median, slowest, CPU (ms), size (KiB)")
                for each in paths:
                    median, slowest, busy, size = measure(satellite, each, given.times)
                    print(
                        f"  {median:7.1f} {slowest:7.1f} {busy:7.1f} {size / 1024:8.0f}  {each}", flush=True
                    )


if __name__ == "__main__":
    main()
