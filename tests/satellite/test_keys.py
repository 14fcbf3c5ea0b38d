"""Keys that are missing or changed. What that does to a running Satellite is in ``test_faults.py``."""

from __future__ import annotations

from pathlib import Path

from levo.satellite.keys import KeyWatch
from levo.satellite.queue import Journal, Record, RecordKind


def installed(data_dir: Path) -> Path:
    with Journal(data_dir / "journal", max_bytes=1 << 20) as journal:
        journal.append(Record(RecordKind.TRACES, 1, "", b"x")).result(60)
    (data_dir / "learner.key").write_bytes(bytes(32))
    return data_dir


def test_a_new_installation_misses_no_key(tmp_path: Path) -> None:
    watch = KeyWatch(tmp_path)
    installed(tmp_path)
    watch.start()

    assert watch.faults() == []


def test_a_key_that_changes_is_reported_until_it_is_back(tmp_path: Path) -> None:
    watch = KeyWatch(installed(tmp_path))
    watch.start()
    key = tmp_path / "learner.key"
    octets = key.read_bytes()
    key.unlink()
    assert [fault.partition(";")[0] for fault in watch.faults()] == ["learner.key is missing"]
    key.write_bytes(bytes(31))
    assert watch.faults()[0].startswith(
        "learner.key is another file than at the start; put it back, or the next start is refused"
    )
    key.write_bytes(octets)
    assert watch.faults() == []


def test_a_key_that_was_missing_at_the_start_is_reported_for_a_minute(tmp_path: Path) -> None:
    now = [5.0]
    (installed(tmp_path) / "journal" / "journal.key").unlink()
    watch = KeyWatch(tmp_path, lambda: now[0])
    Journal(tmp_path / "journal", max_bytes=1 << 20).close()
    watch.start()

    assert watch.faults() == [
        "journal/journal.key was missing at the start and was made anew:"
        " what waits in the journal cannot be read"
    ]
    now[0] += 60.0
    assert watch.faults() == []
