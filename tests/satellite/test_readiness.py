"""Readiness, with a real learner that is stopped and a real disk that is full."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from levo.satellite.learner import JOURNAL_NAME
from levo.satellite.queue import Journal, JournalFull, Record, RecordKind
from levo.satellite.readiness import RECENT_S, Cause, Readiness
from levo.satellite.supervisor import LearnerSupervisor, SupervisorStatistics
from tests.satellite.requests import Call, traces
from tests.satellite.test_supervisor import eventually, learner_of

WELL = SupervisorStatistics(0, True, None, 0.0)


def record(size: int = 0) -> Record:
    return Record(RecordKind.TRACES, 1, "", bytes(size) or traces([Call()]).SerializeToString())


def test_a_learner_that_hangs_or_is_gone_is_reported_until_it_works(tmp_path: Path) -> None:
    async def run() -> None:
        with Journal(tmp_path / JOURNAL_NAME, max_bytes=1 << 20) as journal:
            supervisor = LearnerSupervisor(
                tmp_path, lambda _: None, journal_end=lambda: journal.end, backoff_s=1.0
            )
            readiness = Readiness(
                stopping=lambda: False,
                refusal=journal.refusal,
                learner=supervisor.statistics,
                stuck_after_s=0.5,
            )
            await supervisor.start()
            assert readiness.causes() == {}
            learner, _ = learner_of(tmp_path)
            os.kill(learner, signal.SIGSTOP)
            await eventually(lambda: "stopped by a signal" in readiness.causes().get(Cause.LEARNER_STUCK, ""))
            os.kill(learner, signal.SIGCONT)
            await eventually(lambda: readiness.causes() == {})
            os.kill(learner, signal.SIGKILL)
            await eventually(lambda: set(readiness.causes()) == {Cause.LEARNER_DOWN})
            await eventually(lambda: readiness.causes() == {})
            assert await supervisor.stop(30)

    asyncio.run(run())


def test_a_learner_that_does_not_work_on_what_waits_is_reported_sooner_than_one_that_does() -> None:
    seen = [WELL]
    readiness = Readiness(stopping=lambda: False, refusal=lambda: "", learner=lambda: seen[0])
    for seen[0], stuck in (
        (replace(WELL, stuck_s=7.0), False),
        (replace(WELL, stuck_s=7.0, idle_s=7.0), True),
        (replace(WELL, stuck_s=30.0), True),
    ):
        assert (Cause.LEARNER_STUCK in readiness.causes()) is stuck


def test_lost_records_are_a_cause_for_a_minute_and_a_note_for_good() -> None:
    now, seen = [100.0], [WELL]
    readiness = Readiness(
        stopping=lambda: False, refusal=lambda: "", learner=lambda: seen[0], clock_s=lambda: now[0]
    )
    assert (readiness.causes(), readiness.notes()) == ({}, [])
    seen[0] = replace(WELL, damaged_total=1, unreadable_total=2)
    lines = [
        "1 record of the journal could not be read back since the start",
        "2 records of the journal could not be learned from since the start",
    ]
    assert readiness.causes() == {Cause.RECORDS_LOST: "; ".join(lines)}
    now[0] += RECENT_S
    assert (readiness.causes(), readiness.notes()) == ({}, lines)
    seen[0] = replace(WELL, damaged_total=1, unreadable_total=3)
    assert Cause.RECORDS_LOST in readiness.causes()


def test_what_a_learner_commits_while_more_comes_in_is_no_end_of_being_behind(tmp_path: Path) -> None:
    async def run() -> None:
        with Journal(tmp_path / JOURNAL_NAME, max_bytes=1 << 20) as journal:
            supervisor = LearnerSupervisor(tmp_path, lambda _: None, journal_end=lambda: journal.end)
            await supervisor.start()
            for _ in range(3):
                journal.append(record()).result(60)
                supervisor.wake()
            await eventually(lambda: supervisor.statistics().stuck_s == 0.0)
            progress = supervisor.statistics().progress
            assert progress is not None and progress.position == journal.end
            assert await supervisor.stop(30)

    asyncio.run(run())


def test_a_full_journal_or_disk_is_reported_before_and_after_a_refusal(tmp_path: Path) -> None:
    now = [0.0]
    with Journal(tmp_path, max_bytes=1 << 20, clock_s=lambda: now[0]) as journal:
        readiness = Readiness(stopping=lambda: False, refusal=journal.refusal, learner=lambda: WELL)
        assert readiness.causes() == {}
        journal.append(record(600_000)).result(60)
        assert readiness.causes() == {}
        with pytest.raises(JournalFull):
            journal.append(record(600_000))
        assert "the journal is full" in readiness.causes()[Cause.REFUSING]
        now[0] += 60.0  # one record was too large; ordinary ones are taken in
        assert readiness.causes() == {}
        journal.append(record(400_000)).result(60)
        assert Cause.REFUSING in readiness.causes()
    with Journal(tmp_path / "other", max_bytes=1 << 20, min_free_bytes=1 << 60) as journal:
        assert journal.refusal() == "the disk is full"


def test_the_log_has_a_line_for_a_cause_and_one_for_its_end(caplog: pytest.LogCaptureFixture) -> None:
    now, refusal = [0.0], [""]
    readiness = Readiness(
        stopping=lambda: False, refusal=lambda: refusal[0], learner=lambda: WELL, clock_s=lambda: now[0]
    )
    for refusal[0] in ["", "the disk is full"] * 50 + [""]:
        now[0] += 1.0
        readiness.log()

    assert caplog.messages == [
        "not ready: traces are refused: the disk is full",
        "ready again",
        "not ready: traces are refused: the disk is full",
        "ready again",
    ]
