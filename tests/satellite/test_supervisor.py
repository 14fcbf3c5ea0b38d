"""Keeping a learner alive. What a killed learner leaves behind is tested with the whole Satellite."""

from __future__ import annotations

import asyncio
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from levo.errors import LevoError
from levo.satellite.learner import JOURNAL_NAME, Progress
from levo.satellite.queue import Journal, Record, RecordKind
from levo.satellite.store import DATABASE_NAME, CatalogReader
from levo.satellite.supervisor import LARGE_APART, LearnerSupervisor
from tests.satellite.requests import Call, traces


def learner_of(data_dir: Path) -> tuple[int, str]:
    """Process id and mode of the learner on *data_dir*; (0, "") while there is none."""
    for child in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split():
        try:
            arguments = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if bytes(data_dir) in arguments:
            return int(child), arguments[arguments.index(bytes(data_dir)) + 1].decode()
    return 0, ""


MAKE_HOLES = """
small = []
for _ in range(9):
    large = bytearray(8 << 20)
    small.append(bytes(900))
    del large
    large = [bytearray(8 << 20), bytes(900), bytearray(8 << 20)]
    small.append(large[1])
    del large
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmRSS:")))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is a setting of glibc")
def test_the_memory_of_something_large_goes_back_whatever_was_stored_behind_it() -> None:
    def left_kib(environment: Mapping[str, str]) -> int:
        done = subprocess.run(
            [sys.executable, "-c", MAKE_HOLES],
            capture_output=True,
            text=True,
            check=True,
            env={name: value for name, value in os.environ.items() if name not in LARGE_APART}
            | dict(environment),
        )
        return int(done.stdout)

    by_itself, apart = left_kib({}), left_kib(LARGE_APART)
    assert apart < by_itself - 8 * 1024


async def eventually(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.02)


def test_wakes_follows_and_drains(tmp_path: Path) -> None:
    told: list[Progress] = []

    async def run() -> None:
        with Journal(tmp_path / JOURNAL_NAME, max_bytes=1 << 20) as journal:
            supervisor = LearnerSupervisor(tmp_path, told.append)
            await supervisor.start()
            assert supervisor.statistics().running
            environment = Path(f"/proc/{learner_of(tmp_path)[0]}/environ").read_bytes().split(b"\0")
            assert all(f"{name}={value}".encode() in environment for name, value in LARGE_APART.items())
            body = traces([Call()]).SerializeToString()
            position = journal.append(Record(RecordKind.TRACES, 1, "", body)).result(60)
            for _ in range(5):
                supervisor.wake()
            await eventually(lambda: told[-1].position == position)
            body = traces([Call()]).SerializeToString()
            last = journal.append(Record(RecordKind.TRACES, 1, "", body)).result(60)
            assert await supervisor.stop(30)
            assert told[-1].position == last
            assert not supervisor.statistics().running

    asyncio.run(run())
    reader = CatalogReader(tmp_path / DATABASE_NAME)
    assert reader.summary().exchanges == 2
    reader.close()


def test_a_learner_that_hangs_is_ended(tmp_path: Path) -> None:
    async def run() -> None:
        with Journal(tmp_path / JOURNAL_NAME, max_bytes=1 << 20):
            supervisor = LearnerSupervisor(tmp_path, lambda _: None)
            await supervisor.start()
            child, _ = learner_of(tmp_path)
            os.kill(child, signal.SIGSTOP)
            assert not await supervisor.stop(0.1)
            assert not Path(f"/proc/{child}").exists()

    asyncio.run(run())


def test_a_learner_that_keeps_crashing_becomes_careful_and_then_leaves_the_record_out(tmp_path: Path) -> None:
    modes: list[str] = []

    async def run() -> None:
        with Journal(tmp_path / JOURNAL_NAME, max_bytes=1 << 20) as journal:
            supervisor = LearnerSupervisor(tmp_path, lambda _: None, backoff_s=0.001)
            await supervisor.start()
            child, mode = learner_of(tmp_path)
            while True:
                modes.append(mode)
                if mode == "skip-one":
                    break
                os.kill(child, signal.SIGKILL)
                dead = child
                await eventually(lambda dead=dead: learner_of(tmp_path)[0] not in (0, dead))  # type: ignore[misc]
                child, mode = learner_of(tmp_path)
            for _ in range(3):
                body = traces([Call()]).SerializeToString()
                journal.append(Record(RecordKind.TRACES, 1, "", body)).result(60)
            assert await supervisor.stop(30)

    asyncio.run(run())

    assert modes == ["normal"] * 3 + ["careful"] * 2 + ["skip-one"]
    reader = CatalogReader(tmp_path / DATABASE_NAME)
    assert reader.summary().counters["unreadable_records"] == 1
    assert reader.summary().exchanges == 2
    reader.close()


def test_stopping_waits_for_a_learner_that_is_being_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawn = asyncio.create_subprocess_exec
    spawned = asyncio.Event()

    async def slowly(*arguments: str, **options: int) -> asyncio.subprocess.Process:
        process = await spawn(*arguments, **options)
        spawned.set()
        await asyncio.sleep(0.2)
        return process

    async def run() -> None:
        with Journal(tmp_path / JOURNAL_NAME, max_bytes=1 << 20) as journal:
            supervisor = LearnerSupervisor(tmp_path, lambda _: None, backoff_s=0.001)
            await supervisor.start()
            journal.append(Record(RecordKind.TRACES, 1, "", traces([Call()]).SerializeToString())).result(60)
            monkeypatch.setattr(asyncio, "create_subprocess_exec", slowly)
            os.kill(learner_of(tmp_path)[0], signal.SIGKILL)
            await spawned.wait()
            assert await supervisor.stop(30)
            assert learner_of(tmp_path) == (0, "")

    asyncio.run(run())

    reader = CatalogReader(tmp_path / DATABASE_NAME)
    assert reader.summary().exchanges == 1
    reader.close()


def test_a_learner_that_cannot_start_is_an_error(tmp_path: Path) -> None:
    (tmp_path / JOURNAL_NAME).mkdir()
    (tmp_path / DATABASE_NAME).write_bytes(b"no database" * 1000)

    async def run() -> None:
        supervisor = LearnerSupervisor(tmp_path, lambda _: None)
        with pytest.raises(LevoError, match="cannot start"):
            await supervisor.start()
        await supervisor.stop(10)

    asyncio.run(run())


def test_the_age_of_the_oldest_record_counts_from_its_arrival(tmp_path: Path) -> None:
    now_s = 0.0

    async def run() -> None:
        nonlocal now_s
        with Journal(tmp_path / JOURNAL_NAME, max_bytes=1 << 20) as journal:
            end = journal.end
            supervisor = LearnerSupervisor(
                tmp_path, lambda _: None, journal_end=lambda: end, clock_s=lambda: now_s
            )
            assert supervisor.statistics().oldest_s == 0
            for now_s in range(1, 8000):
                end = journal.append(record()).result(60) if now_s % 1000 == 1 else end
                supervisor.wake()
            assert supervisor.statistics().oldest_s == now_s - 1
            await supervisor.start()
            await eventually(lambda: supervisor.statistics().oldest_s == 0)
            assert sum(supervisor.statistics().commits) > 0 and supervisor.statistics().pid
            assert await supervisor.stop(30)

    asyncio.run(run())


def record() -> Record:
    return Record(RecordKind.TRACES, 1, "", traces([Call()]).SerializeToString())
