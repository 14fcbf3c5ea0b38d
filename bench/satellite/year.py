"""A catalog after 400 days of 5,000 endpoints that are always in use: ``python -m bench.satellite.year``.

Its room on disk beside the formula of ``docs/satellite.md``, how long deleting takes that is due every ten
minutes, how the file shrinks after half of the endpoints were deleted, and how long pages take. Needs the
tests' libraries.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from bench.satellite.pages import measure
from bench.satellite.seed import SECOND, seed
from tests.satellite.running import RunningSatellite

from levo.satellite.learner import Bounds
from levo.satellite.store import DATABASE_NAME, CatalogReader, CatalogWriter
from levo.satellite.store.retention import HOUR_S, Retention

ROLLUPS = 180 + 192 + 400
"""Of an endpoint that is always in use, with the retention as it is set by default."""
OCTETS_A_ROLLUP, OCTETS_AN_ENDPOINT = 85, 9_000
"""The formula of the page."""
PAGES = ("/", "/?range=90d", "/?range=all", "/catalog", "/endpoints/77?range=all", "/changes", "/sensors")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--endpoints", type=int, default=5000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data" / DATABASE_NAME
        path.parent.mkdir(mode=0o700)
        now_ns = time.time_ns()
        seed(path, endpoints=given.endpoints, days=400, hours=192, minutes=180, now_ns=now_ns)
        formula = given.endpoints * (ROLLUPS * OCTETS_A_ROLLUP + OCTETS_AN_ENDPOINT)
        print(f"{path.stat().st_size / 1e6:.0f} MB, by the formula {formula / 1e6:.0f} MB", flush=True)
        with RunningSatellite(path.parent) as satellite:
            print("pages: median, slowest, CPU (ms)")
            for each in PAGES:
                median, slowest, busy, _ = measure(satellite, each, 15)
                print(f"  {median:7.1f} {slowest:7.1f} {busy:7.1f}  {each}", flush=True)
        with CatalogWriter(path, limits=Bounds().limits) as writer:
            for title, later_s in (
                ("nothing is due", 0),
                ("ten minutes later", 600),
                ("an hour later", HOUR_S),
            ):
                _mark(writer, now_ns, later_s)
                begun = (time.perf_counter(), time.process_time())
                gone = writer.prune(now_ns + later_s * SECOND, Retention(), is_right=True)
                took_s, busy_s = time.perf_counter() - begun[0], time.process_time() - begun[1]
                print(f"prune, {title}: {took_s:.2f} s, CPU {busy_s:.2f} s, {gone:,} rollups", flush=True)
            writer._connection.execute("DELETE FROM place WHERE id % 2 = 0")
            begun, prunes = time.perf_counter(), 0
            reader = CatalogReader(path)
            while reader.storage().free_bytes > reader.storage().stored_bytes / 10:
                writer.prune(now_ns + HOUR_S * SECOND, Retention())
                prunes += 1
            found = reader.storage()
            reader.close()
            print(
                f"half deleted: {found.file_bytes / 1e6:.0f} MB after {prunes} prunes of"
                f" {(time.perf_counter() - begun) / max(1, prunes):.2f} s"
            )


def _mark(writer: CatalogWriter, now_ns: int, later_s: int) -> None:
    """Note that there was traffic in the minutes until then, which makes room for none of the old ones."""
    now_s = now_ns // SECOND
    writer._connection.executemany(
        "INSERT OR IGNORE INTO learned_step VALUES (?, ?)",
        [
            (size, at // size * size)
            for size in Retention().rollups_s()
            for at in range(now_s, now_s + later_s + 1, 60)
        ],
    )


if __name__ == "__main__":
    main()
