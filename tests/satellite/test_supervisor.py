"""Keeping a learner alive. What a killed learner leaves behind is tested with the whole Satellite."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from levo.errors import LevoError
from levo.satellite.learner import JOURNAL_NAME, Progress
from levo.satellite.queue import Journal, Record, RecordKind
from levo.satellite.store import DATABASE_NAME, CatalogReader
from levo.satellite.supervisor import LearnerSupervisor
from tests.satellite.requests import Call, traces


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
            body = traces([Call()]).SerializeToString()
            position = journal.append(Record(RecordKind.TRACES, 1, "", body)).result(10)
            for _ in range(5):
                supervisor.wake()
            await eventually(lambda: told[-1].position == position)
            last = journal.append(Record(RecordKind.TRACES, 1, "", body)).result(10)
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
            children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
            (child,) = [c for c in children if bytes(tmp_path) in Path(f"/proc/{c}/cmdline").read_bytes()]
            os.kill(int(child), signal.SIGSTOP)
            assert not await supervisor.stop(0.1)
            assert not Path(f"/proc/{child}").exists()

    asyncio.run(run())


def test_a_learner_that_cannot_start_is_an_error(tmp_path: Path) -> None:
    (tmp_path / JOURNAL_NAME).mkdir()
    (tmp_path / DATABASE_NAME).write_bytes(b"no database" * 1000)

    async def run() -> None:
        supervisor = LearnerSupervisor(tmp_path, lambda _: None)
        with pytest.raises(LevoError, match="cannot start"):
            await supervisor.start()
        await supervisor.stop(10)

    asyncio.run(run())
