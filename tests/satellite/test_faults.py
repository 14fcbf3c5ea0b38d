"""Faults of a running Satellite, induced for real: each is reported everywhere; test_readiness says when."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from levo.satellite.learner import JOURNAL_NAME
from levo.satellite.queue.journal import KEY_NAME
from levo.satellite.queue.segment import SUFFIX
from levo.satellite.readiness import Cause
from tests.satellite.receive.test_http_routes import PROTOBUF
from tests.satellite.requests import Call, traces
from tests.satellite.running import RunningSatellite, until
from tests.satellite.small_disk import mounted_disk
from tests.satellite.test_app import learner_of

pytestmark = pytest.mark.slow


def send(satellite: RunningSatellite, spans: int = 1, pad: int = 0) -> int:
    calls = [Call(path=f"/orders/{n}", more={"x.pad": secrets.token_hex(pad)}) for n in range(spans)]
    return satellite.post("/v1/traces", traces(calls).SerializeToString(), content_type=PROTOBUF).status


def reported(satellite: RunningSatellite, cause: Cause, text: str) -> None:
    """*cause* comes up in ``/readyz``, ``/metrics``, the log and the sensors page."""
    until(lambda: not is_ready(satellite))
    answer = satellite.get("/readyz")
    assert answer.status == 503 and text in answer.body.decode()
    assert satellite.metric(f'levo_satellite_not_ready{{cause="{cause}"}}') == 1
    assert satellite.metric("levo_satellite_ready") == 0
    assert text in satellite.get("/sensors").body.decode()
    until(lambda: f"not ready: {text}" in satellite.errors)
    assert satellite.errors.count(text) == 1


def is_ready(satellite: RunningSatellite) -> bool:
    return satellite.get("/readyz").status == 200


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 128 MiB."""
    with mounted_disk(tmp_path / "disk", 128) as folder:
        yield folder


@pytest.mark.root
def test_a_disk_below_its_reserve(small_disk: Path) -> None:
    with RunningSatellite(small_disk / "data") as satellite:
        assert is_ready(satellite)
        (small_disk / "filler").write_bytes(bytes(80 << 20))

        reported(satellite, Cause.REFUSING, "traces are refused: the disk is full")
        assert send(satellite) == 429

        (small_disk / "filler").unlink()
        until(lambda: is_ready(satellite))
        assert send(satellite) == 200
        until(lambda: "ready again" in satellite.errors)


@pytest.mark.parametrize("waiting", [False, True], ids=["with nothing to learn", "with traces waiting"])
def test_a_stopped_learner(tmp_path: Path, waiting: bool) -> None:
    with RunningSatellite(tmp_path) as satellite:
        assert is_ready(satellite)
        learner = learner_of(satellite)
        os.kill(learner, signal.SIGSTOP)
        if waiting:
            assert send(satellite) == 200

        reported(satellite, Cause.LEARNER_STUCK, "the learner was stopped by a signal")

        os.kill(learner, signal.SIGCONT)
        until(lambda: is_ready(satellite))


def test_a_full_journal(tmp_path: Path) -> None:
    with RunningSatellite(tmp_path, "--journal-max-bytes", "256KiB") as satellite:
        learner = learner_of(satellite)
        os.kill(learner, signal.SIGSTOP)
        while send(satellite, pad=10_000) == 200:
            pass

        reported(
            satellite, Cause.REFUSING, "traces are refused: the learners are behind; the journal is full"
        )

        os.kill(learner, signal.SIGCONT)
        satellite.until_idle()
        until(lambda: send(satellite) == 200)


@pytest.mark.parametrize("middle", [True, False], ids=["before others", "the newest"])
def test_a_damaged_record(tmp_path: Path, middle: bool) -> None:
    with RunningSatellite(tmp_path) as satellite:
        learner = learner_of(satellite)
        os.kill(learner, signal.SIGSTOP)
        for _ in range(3):
            assert send(satellite) == 200
        (segment,) = (tmp_path / JOURNAL_NAME).glob(f"*{SUFFIX}")
        octets = bytearray(segment.read_bytes())
        octets[len(octets) // 2 if middle else -1] ^= 1
        segment.write_bytes(octets)
        os.kill(learner, signal.SIGCONT)

        reported(satellite, Cause.RECORDS_LOST, "1 record of the journal could not be read back")

        satellite.until_idle()
        assert satellite.summary()["counters"]["learned_traces"] == 2
        assert satellite.metric("levo_satellite_journal_damaged_total") == 1


def test_a_key_that_is_gone_while_records_wait(tmp_path: Path) -> None:
    key = tmp_path / JOURNAL_NAME / KEY_NAME
    with RunningSatellite(tmp_path) as satellite:
        assert is_ready(satellite)
        aside = key.rename(tmp_path / "aside")

        reported(satellite, Cause.KEY_MISSING, "journal/journal.key is missing")

        os.kill(
            learner_of(satellite), signal.SIGKILL
        )  # its successor cannot read, and must make no other key
        assert send(satellite) == 200
        until(lambda: "learner_down" in satellite.get("/metrics").body.decode())
        aside.rename(key)
        until(lambda: satellite.summary()["counters"].get("learned_traces") == 1)
        until(lambda: is_ready(satellite))
        assert satellite.metric("levo_satellite_journal_damaged_total") == 0


def test_a_key_that_was_gone_at_the_start(tmp_path: Path) -> None:
    with RunningSatellite(tmp_path) as satellite:
        learner = learner_of(satellite)
        os.kill(learner, signal.SIGSTOP)
        assert send(satellite) == 200
        satellite.process.kill()
        os.kill(learner, signal.SIGKILL)
        satellite.kill()
    (tmp_path / JOURNAL_NAME / KEY_NAME).unlink()

    with RunningSatellite(tmp_path) as satellite:
        reported(satellite, Cause.KEY_MISSING, "journal/journal.key was missing at the start")
        until(lambda: "1 record of the journal could not be read back" in satellite.errors)
        assert send(satellite) == 200
