"""Large blocks that come and go do not fault their pages in again and again."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

CHURN = """
import resource, sys
if sys.argv[1] == "kept":
    from levo.engine.core.allocator import keep_pages
    assert keep_pages() and keep_pages()
held = bytearray(1 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    first, second = bytearray(9_000_000), bytearray(900_000)
    del first, second
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has the setting")
def test_pages_of_freed_blocks_are_used_again():
    def faults(how: str) -> int:
        argv = [sys.executable, "-c", CHURN, how]
        environment = {"MALLOC_MMAP_THRESHOLD_": "131072"} if how == "default" else {}
        return int(subprocess.run(argv, check=True, capture_output=True, text=True, env=environment).stdout)

    pages = (9_000_000 + 900_000) // 4096
    assert faults("default") > 10 * pages
    assert faults("kept") < 3 * pages


ROUND_TRIP = """
import sys, threading
from tests.engine.tcp.test_connections import exchange, packet
from levo.engine.engine import Engine

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

def freed_elsewhere(batches):
    thread = threading.Thread(target=batches.clear)
    thread.start()
    thread.join()

engine, sizes = Engine(), []
for turn in range(30):
    for client in range(1500):
        for octets in exchange(client, turn * 1000):
            engine.feed([(1_700_000_000_000_000_000 + turn, octets, None)])
    assert engine.ready == 1500
    freed_elsewhere([engine.take(500), engine.take(500), engine.take()])
    sizes.append(resident())
engine.finish()
engine.tick(1_700_000_100_000_000_000)
assert engine.memory_used_bytes == 0, engine.memory_used_bytes
print(max(sizes) - sizes[5])
"""


def test_memory_that_another_thread_gives_back_is_taken_again():
    argv = [sys.executable, "-c", ROUND_TRIP]
    grown = int(subprocess.run(argv, check=True, capture_output=True, text=True, cwd=ROOT).stdout)
    assert grown < 4 << 20


RETURNED = """
from levo.engine.core.allocator import keep_pages, return_pages

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

keep_pages()
blocks = [bytearray(100_000) for _ in range(100)]
del blocks[:-1]
before = resident()
assert return_pages()
print(before - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has the function")
def test_free_pages_below_a_block_in_use_are_given_back():
    returned = subprocess.run(
        [sys.executable, "-c", RETURNED], check=True, capture_output=True, text=True
    ).stdout

    assert int(returned) > 8_000_000
