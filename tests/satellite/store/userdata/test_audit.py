"""The audit log."""

from __future__ import annotations

from pathlib import Path

from levo.satellite.store.userdata import UserData


def test_entries_come_newest_first_while_more_are_added(tmp_path: Path) -> None:
    audit = UserData(tmp_path / "userdata").audit
    for number in range(600):
        audit.record("anna" * 100, "accept", "x" * 2000, str(number), number)
    everything = audit.each()
    first = next(everything)
    audit.record("vera", "late", "", "", 700)

    assert [first.detail, *(entry.detail for entry in everything)] == [str(n) for n in reversed(range(600))]
    assert (len(first.actor), len(first.subject)) == (200, 1000), "texts have a bound"
    total, page = audit.page(2, 1)
    assert (total, [entry.time_ns for entry in page]) == (601, [599, 598])
