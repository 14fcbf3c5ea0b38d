"""Large blocks that come and go do not fault their pages in again and again."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

CHURN = """
import resource, sys
if sys.argv[1] == "kept":
    from levo.engine.allocator import keep_pages
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
