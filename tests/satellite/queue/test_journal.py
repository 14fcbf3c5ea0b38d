"""The writing end: groups, bounds, release, and a disk that refuses."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from levo.satellite.queue import (
    Journal,
    JournalFull,
    JournalReader,
    JournalStatistics,
    JournalUnavailable,
    Position,
    Record,
    RecordKind,
)
from tests.satellite.running import until


def record(size: int = 100, number: int = 0) -> Record:
    return Record(RecordKind.TRACES, number, "acme", bytes(size))


def segments(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.segment"))


def settle(journal: Journal) -> None:
    """Wait until the journal's thread has done what it was told."""
    journal.append(record()).result(60)


def balance(counts: JournalStatistics) -> int:
    return counts.appended_total - counts.durable_total - counts.failed_total - counts.pending


def test_positions_grow_and_lead_to_what_follows(tmp_path: Path) -> None:
    with Journal(tmp_path, max_bytes=1 << 20, segment_bytes=500) as journal:
        positions = [journal.append(record(number=number)).result(60) for number in range(12)]

        assert positions == sorted(set(positions))
        assert len({position.segment for position in positions}) > 2
        for number, position in enumerate(positions[:-1]):
            assert JournalReader(tmp_path, position).read(1)[0].received_ns == number + 1


def test_concurrent_appends_share_a_synchronization(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, go_on = threading.Event(), threading.Event()
    really = os.fdatasync

    def slow(descriptor: int) -> None:
        entered.set()
        go_on.wait(60)
        really(descriptor)

    with Journal(tmp_path, max_bytes=1 << 20) as journal:
        monkeypatch.setattr(os, "fdatasync", slow)
        first = journal.append(record())
        assert entered.wait(60)
        others = [journal.append(record()) for _ in range(50)]
        assert not first.done()
        go_on.set()
        for future in (first, *others):
            future.result(60)

        assert journal.statistics().groups_total == 2
        assert balance(journal.statistics()) == 0


def test_a_full_journal_refuses_until_something_is_released(tmp_path: Path) -> None:
    with Journal(tmp_path, max_bytes=3000) as journal:
        positions = []
        with pytest.raises(JournalFull):
            for _ in range(100):
                positions.append(journal.append(record()).result(60))
        counts = journal.statistics()
        assert counts.refused_total == 1 and 2000 < counts.stored_bytes <= 3000

        journal.release(positions[-1])
        until(lambda: not journal.statistics().stored_bytes)
        settle(journal)


def test_memory_for_what_waits_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    with Journal(tmp_path, max_bytes=1 << 30, max_pending_bytes=10_000) as journal:
        monkeypatch.setattr(os, "fdatasync", lambda _: go_on.wait(60))
        with pytest.raises(JournalFull):
            for _ in range(1000):
                journal.append(record())
        assert journal.statistics().pending_bytes <= 10_000
        go_on.set()


def test_the_last_of_the_disk_is_left_to_the_catalog(tmp_path: Path) -> None:
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    with Journal(tmp_path, max_bytes=1 << 60, min_free_bytes=free + (1 << 40)) as journal:
        with pytest.raises(JournalFull, match="disk"):
            journal.append(record())
        assert journal.statistics().refused_total == 1
    assert segments(tmp_path) == []


def test_learned_segments_are_deleted_the_current_one_too(tmp_path: Path) -> None:
    with Journal(tmp_path, max_bytes=1 << 20, segment_bytes=300) as journal:
        positions = [journal.append(record()).result(60) for _ in range(9)]
        assert len(segments(tmp_path)) > 3
        journal.release(Position(positions[4].segment, 0))
        last = journal.append(record()).result(60)
        journal.append(record()).result(60)
        assert int(segments(tmp_path)[0].partition(".")[0]) == positions[4].segment

        last = journal.append(record()).result(60)
        journal.release(last)
        until(lambda: not journal.statistics().stored_bytes)
        assert segments(tmp_path) == []
        assert journal.append(record()).result(60).segment > last.segment


def test_a_later_journal_never_reuses_a_position(tmp_path: Path) -> None:
    with Journal(tmp_path, max_bytes=1 << 20) as journal:
        last = journal.append(record()).result(60)
        journal.release(last)
        settle(journal)
    for path in tmp_path.glob("*.segment"):
        path.unlink()
    with Journal(tmp_path, max_bytes=1 << 20) as journal:
        journal.skip_past(Position(7, 99))
        assert journal.append(record()).result(60).segment == 8


def test_the_key_changes_when_the_journal_is_found_empty(tmp_path: Path) -> None:
    Journal(tmp_path, max_bytes=1 << 20).close()
    first = (tmp_path / "journal.key").read_bytes()
    with Journal(tmp_path, max_bytes=1 << 20) as journal:
        second = (tmp_path / "journal.key").read_bytes()
        settle(journal)
    Journal(tmp_path, max_bytes=1 << 20).close()

    assert first != second == (tmp_path / "journal.key").read_bytes()


def test_a_failed_write_is_told_taken_back_and_followed_by_a_new_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = os.fdatasync
    failing = threading.Event()

    def sometimes(descriptor: int) -> None:
        if failing.is_set():
            failing.clear()
            raise OSError(28, "No space left on device")
        really(descriptor)

    monkeypatch.setattr(os, "fdatasync", sometimes)
    with Journal(tmp_path, max_bytes=1 << 20) as journal:
        journal.append(record(number=1)).result(60)
        failing.set()
        with pytest.raises(JournalUnavailable, match="No space left"):
            journal.append(record(number=2)).result(60)
        journal.append(record(number=3)).result(60)

        counts = journal.statistics()
        assert (counts.durable_total, counts.failed_total, balance(counts)) == (2, 1, 0)
        assert len(segments(tmp_path)) == 2
    reader = JournalReader(tmp_path, Position(0, 0))
    assert [r.received_ns for _ in range(3) for r in reader.read()] == [1, 3]


def test_a_segment_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    with Journal(folder, max_bytes=1 << 20) as journal:
        os.rename(folder, tmp_path / "away")
        with pytest.raises(JournalUnavailable):
            journal.append(record()).result(60)
        os.rename(tmp_path / "away", folder)
        settle(journal)


def test_closing_writes_what_waits_and_takes_no_more(tmp_path: Path) -> None:
    journal = Journal(tmp_path, max_bytes=1 << 20)
    futures = [journal.append(record()) for _ in range(30)]
    journal.close()
    journal.close()

    assert all(future.done() and future.exception() is None for future in futures)
    with pytest.raises(JournalUnavailable):
        journal.append(record())


def test_what_is_learned_after_closing_is_tidied_away(tmp_path: Path) -> None:
    journal = Journal(tmp_path, max_bytes=1 << 20, segment_bytes=600)
    positions = [journal.append(record(number=number)).result(60) for number in range(12)]
    journal.close()
    journal.release(positions[5])
    journal.tidy()
    assert segments(tmp_path) == sorted({f"{p.segment:016d}.segment" for p in positions[5:]})

    journal.release(positions[-1])
    journal.tidy()
    assert segments(tmp_path) == []
