"""What proc(5) says of a process, against what the system's own interfaces say."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
import time

from levo.wire.process_use import ProcessUse, process_metrics
from levo.wire.prometheus import exposition

SLEEPER = "import sys, threading; print(flush=True); sys.stdin.read()"


def test_our_own_use_is_what_the_system_says() -> None:
    held = [os.open("/dev/null", os.O_RDONLY) for _ in range(3)]
    before, used = ProcessUse.of(os.getpid()), resource.getrusage(resource.RUSAGE_SELF)
    for each in held:
        os.close(each)
    after = ProcessUse.of(os.getpid())

    assert before is not None and after is not None
    assert before.open_files - after.open_files == 3
    assert before.threads >= threading.active_count()
    assert 0 < before.resident_bytes <= before.virtual_bytes
    assert before.max_files == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert before.cpu_s <= used.ru_utime + used.ru_stime + 0.02
    assert 0 < before.started_s <= time.time()


def test_threads_and_files_are_counted() -> None:
    ended = threading.Event()
    before, thread = ProcessUse.of(os.getpid()), threading.Thread(target=ended.wait)
    with open("/dev/null"):
        thread.start()
        during = ProcessUse.of(os.getpid())
    ended.set()
    thread.join()
    after = ProcessUse.of(os.getpid())

    assert before is not None and during is not None and after is not None
    assert (during.open_files, during.threads) == (before.open_files + 1, before.threads + 1)
    assert after.open_files == before.open_files >= 3 and before.resident_bytes > 1 << 20


def test_another_process_is_seen_until_it_is_gone() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SLEEPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None and other.stdout.readline()
        use = ProcessUse.of(other.pid)
        assert use is not None and use.threads == 1 and use.open_files >= 3
        other.communicate()
    assert ProcessUse.of(other.pid) is None


def test_names_are_those_of_prometheus() -> None:
    use = ProcessUse.of(os.getpid())
    assert use is not None
    page = exposition(process_metrics({"web": use}))
    for name in (
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
        "process_open_fds",
        "process_max_fds",
        "process_start_time_seconds",
    ):
        assert f'\n{name}{{process="web"}} ' in page
