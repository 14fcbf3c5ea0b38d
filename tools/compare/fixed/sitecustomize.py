"""Python imports this by itself where the folder is on its path: a clock that stands still, and a fixed key.

For the Satellite and its learner process only. What waits uses ``time.monotonic``, which goes on. With a
stopwatch that stands still, no decision is put off because the last one took long.
"""

import os
import time

CLOCK_NS = 1_700_000_600_000_000_000
"""Ten minutes after the generated traffic began."""


def _fixed_octets(size: int) -> bytes:
    return (b"compare-commits!" * (size // 16 + 1))[:size]


time.time_ns = lambda: CLOCK_NS
time.time = lambda: CLOCK_NS / 1e9
time.perf_counter = lambda: 0.0
os.urandom = _fixed_octets
