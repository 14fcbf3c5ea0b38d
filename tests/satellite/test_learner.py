"""Journal to catalog, without the process around it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from levo.satellite.learn import State
from levo.satellite.learner import (
    BUSY_SHARE,
    COMMIT_INTERVAL_S,
    GATHER_S,
    IDLE_SHARE,
    Learner,
    Mode,
    learn_record,
)
from levo.satellite.queue import Journal, JournalReader, Record, RecordKind
from levo.satellite.store import CatalogReader, CatalogWriter
from tests.satellite.requests import Call, metrics, traces

NOW = 1_700_000_000_000_000_000


def record(path: str = "/users/1", kind: RecordKind = RecordKind.TRACES) -> Record:
    return Record(kind, NOW, "", traces([Call(path=path, weight=3)]).SerializeToString())


@contextmanager
def learning(tmp_path: Path, records: list[Record], mode: Mode = Mode.NORMAL) -> Iterator[Learner]:
    with Journal(tmp_path / "journal", max_bytes=1 << 20) as journal:
        for one in records:
            journal.append(one).result(60)
    with CatalogWriter(tmp_path / "catalog") as writer:
        yield Learner(JournalReader(tmp_path / "journal", writer.checkpoint().position), writer, mode)


def catalog(tmp_path: Path) -> dict[str, float]:
    reader = CatalogReader(tmp_path / "catalog")
    found = {row.path: row.exchanges for row in reader.endpoints(reader_filter())[1]}
    reader.close()
    return found


def reader_filter():  # type: ignore[no-untyped-def]
    from levo.satellite.store import EndpointFilter

    return EndpointFilter()


def test_what_was_not_committed_is_learned_again_and_what_was_is_not(tmp_path: Path) -> None:
    with learning(tmp_path, [record("/a"), record("/b")]) as learner:
        assert learner.step(0.0)
        learner.commit(0.0)
    with learning(tmp_path, [record("/c")]) as learner:
        assert learner.step(0.0)  # and then the process dies
    with learning(tmp_path, []) as learner:
        assert learner.step(0.0)
        assert not learner.step(0.0)
        learner.commit(0.0)

    assert catalog(tmp_path) == {"/a": 3, "/b": 3, "/c": 3}


def test_commits_wait_for_company_and_then_keep_their_distance(tmp_path: Path) -> None:
    with learning(tmp_path, [record()]) as learner:
        assert learner.wait_s(100.0) is None
        learner.step(100.0)
        assert learner.wait_s(100.0) == pytest.approx(GATHER_S)
        assert learner.wait_s(101.0) == 0.0
        learner.commit(101.0)
        assert learner.wait_s(101.0) is None
        with Journal(tmp_path / "journal", max_bytes=1 << 20) as journal:
            journal.append(record()).result(60)
        learner.step(101.1)
        assert learner.wait_s(101.1) == pytest.approx(COMMIT_INTERVAL_S - 0.1)


def test_sensitive_data_is_looked_for_after_commits_and_takes_its_share_of_the_time(tmp_path: Path) -> None:
    times = iter((100.0, 101.0, 200.0, 202.0))
    with learning(tmp_path, [record("/a"), record("/b")]) as learner:
        learner.look(lambda: 0.0)  # all of an empty catalog
        assert learner.step(0.0) and learner.look(lambda: 0.0) is None
        assert learner.look_wait_s(1.0) is None
        learner.commit(1.0)
        assert learner.look_wait_s(1000.0) == 0.0
        told = learner.look(lambda: next(times))
        assert told is not None and told == learner.progress()
        assert learner.look_wait_s(101.0) == pytest.approx(1 / IDLE_SHARE - 1)

        with Journal(tmp_path / "journal", max_bytes=1 << 20) as journal:
            journal.append(record("/c")).result(60)
        assert learner.step(200.0)
        assert learner.look(lambda: next(times)) is None
        assert learner.look_wait_s(0.0) is None, "nothing is new before the next commit"
        learner.commit(200.0)
        assert learner.look_wait_s(202.0) == pytest.approx(2 * (1 / BUSY_SHARE - 1))


def test_a_careful_learner_commits_after_each_record(tmp_path: Path) -> None:
    with learning(tmp_path, [record("/a"), record("/b")], Mode.CAREFUL) as learner:
        learner.step(0.0)
        assert learner.wait_s(0.0) == 0.0
        learner.commit(0.0)
        assert catalog(tmp_path) == {"/a": 3}


def test_the_record_that_kills_learners_is_left_out_and_counted(tmp_path: Path) -> None:
    with learning(tmp_path, [record("/poison"), record("/b")], Mode.SKIP_ONE) as learner:
        while learner.step(0.0):
            learner.commit(0.0)

    reader = CatalogReader(tmp_path / "catalog")
    assert catalog(tmp_path) == {"/b": 3}
    assert reader.summary().counters["unreadable_records"] == 1
    reader.close()


def test_an_unreadable_record_is_counted_and_nothing_else_lost() -> None:
    state = learn_record(State(), record("/a"))
    before = state.traces
    learn_record(state, Record(RecordKind.TRACES, NOW, "", b"\xff\xff"))
    learn_record(state, Record(RecordKind.METRICS, NOW, "", metrics({"levo.a": 1}).SerializeToString()))

    assert (state.traces, state.unreadable_records) == (before, 1)
    assert [sensor for _, sensor, _ in state.sensors] == ["sensor-1"]
