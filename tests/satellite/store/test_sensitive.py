"""Sensitive data as it is found, stored and read, over made-up traffic."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from levo.satellite.catalog.place import place_of
from levo.satellite.catalog.sensitive import sensitive_of
from levo.satellite.learn import State, learn_all
from levo.satellite.openapi import Operation
from levo.satellite.queue import Position
from levo.satellite.store import CatalogReader, CatalogWriter, EndpointFilter, sensitive
from levo.satellite.store.sensitive import SensitiveFilter, SensitiveItem
from levo.satellite.store.userdata import UserData
from tests.satellite.openapi.learned import shop
from tests.satellite.store.catalogs import NOW, catalog

EVERYTHING = SensitiveFilter()


class Shop:
    """The catalog of a shop's traffic, and what users say."""

    def __init__(self, folder: Path, *, looked: bool) -> None:
        self.path = folder / "catalog"
        self.userdata = UserData(folder / "userdata.sqlite3")
        catalog(self.path, shop(), looked=looked).close()
        self.reader = CatalogReader(self.path, self.userdata.path)

    @property
    def items(self) -> list[SensitiveItem]:
        return self.reader.sensitive(EVERYTHING)[1]

    def decide(self, kind: str, item: SensitiveItem) -> int:
        row = self.reader.endpoint(item.endpoint)
        assert row is not None
        detail = f"{item.location} {item.kind}"
        return self.userdata.decisions.decide(kind, place_of(row), detail, "anna", NOW)  # type: ignore[arg-type]


@pytest.fixture
def learned(tmp_path: Path) -> Shop:
    return Shop(tmp_path, looked=True)


def test_nothing_is_claimed_before_the_first_look_is_over(tmp_path: Path) -> None:
    learned = Shop(tmp_path, looked=False)
    assert not learned.reader.is_looked_at()
    with CatalogWriter(learned.path) as writer:
        endpoints = len(learned.reader.endpoints(EndpointFilter())[1])
        for _ in range(endpoints):
            assert writer.look(1)
            assert not learned.reader.is_looked_at()
        assert writer.look(1)
        assert learned.reader.is_looked_at()
        revision = learned.reader.revision()
        assert writer.look(1) is None and learned.reader.revision() == revision

    assert {(f.method, f.direction, f.kind) for f in learned.items} == {
        ("GET", "response", "email"),
        ("POST", "request", "email"),
        ("POST", "response", "email"),
    }


def test_the_sensitive_data_of_one_endpoint_is_that_of_the_whole(learned: Shop) -> None:
    rows = learned.reader.endpoints(EndpointFilter())[1]
    by_row = [item for row in rows for item in sensitive_of(learned.reader, row)]

    assert sorted(map(repr, learned.items)) == sorted(map(repr, by_row))
    assert list(learned.reader.each_sensitive(EVERYTHING)) == learned.items
    assert learned.reader.count_sensitive() == len(learned.items)
    assert sum(count.fields for count in learned.reader.sensitive_by_kind()) == len(learned.items)
    assert all(" " not in item.location for item in learned.items)


@pytest.mark.parametrize("name", ["organization", "environment", "application", "kind", "endpoint"])
def test_each_part_of_a_filter_restricts(learned: Shop, name: str) -> None:
    value = getattr(learned.items[0], name)
    wanted = SensitiveFilter(**{name: value})
    nothing = SensitiveFilter(**{name: 999_999 if name == "endpoint" else "x"})

    expected = [item for item in learned.items if getattr(item, name) == value]
    assert learned.reader.sensitive(wanted) == (len(expected), expected)
    assert learned.reader.sensitive(nothing) == (0, [])
    assert list(learned.reader.each_sensitive(nothing)) == []


def test_pages_follow_each_other(learned: Shop) -> None:
    pages = [learned.reader.sensitive(EVERYTHING, limit=2, offset=offset)[1] for offset in (0, 2)]

    assert pages[0] + pages[1] == learned.items


def test_a_verdict_belongs_to_one_field_of_one_endpoint_and_the_last_one_counts(learned: Shop) -> None:
    first = learned.items[0]
    learned.decide("confirm", first)
    rejected = learned.decide("reject", first)

    assert [item.verdict for item in learned.items] == ["reject", "", ""]
    assert learned.reader.sure_sensitive(0.0) == learned.items[1:]
    assert sum(count.fields for count in learned.reader.sensitive_by_kind()) == 2
    assert learned.reader.count_sensitive() == 3
    learned.userdata.decisions.undo(rejected, NOW + 1)
    assert [item.verdict for item in learned.items] == ["confirm", "", ""]


def test_an_organization_sees_its_own(learned: Shop) -> None:
    mine, others = learned.reader.within("acme"), learned.reader.within("others")

    assert mine.sensitive(EVERYTHING)[1] == learned.items and mine.is_looked_at()
    assert others.sensitive(EVERYTHING) == (0, []) and others.sensitive_by_kind() == []
    assert others.count_sensitive() == 0 and others.sure_sensitive(0.0) == []


def test_an_endpoint_is_looked_at_again_when_it_has_a_quarter_more_traces(learned: Shop) -> None:
    with CatalogWriter(learned.path) as writer:
        assert writer.look() is None
        writer.commit(learn_all(State(), shop()), Position(2, 1))
        before, revision = learned.items, learned.reader.revision()
        assert writer.look() is not None
    assert len(learned.items) == len(before)
    assert learned.reader.revision() == revision + (learned.items != before)


def test_fields_keep_their_numbers_and_those_that_are_gone_go(
    learned: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rows() -> set[tuple[int, str]]:
        with sqlite3.connect(learned.path) as connection:
            return set(connection.execute("SELECT id, location FROM sensitive_field"))

    before = rows()
    monkeypatch.setattr(sensitive, "RULES", sensitive.RULES + 1)
    gone = learned.items[0]
    found = sensitive.sensitive_fields

    def known(operation: Operation) -> list[sensitive.SensitiveField]:
        every = found(operation)
        if (operation.method, operation.path) == (gone.method, gone.path):
            return [
                f for f in every if sensitive.location_of(f) != gone.location or f.detection.kind != gone.kind
            ]
        return every

    monkeypatch.setattr(sensitive, "sensitive_fields", known)
    with CatalogWriter(learned.path) as writer:
        assert writer.look()
        assert writer.look() is None

    assert len(rows()) == len(before) - 1 and rows() < before


def test_what_other_rules_found_stays_until_each_was_looked_at_again(
    learned: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = learned.items
    monkeypatch.setattr(sensitive, "RULES", sensitive.RULES + 1)
    with CatalogWriter(learned.path) as writer:
        assert writer.look(1)
        assert learned.items == before and learned.reader.is_looked_at()
        while writer.look(1):
            pass
    assert learned.items == before


def test_a_look_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learned = Shop(tmp_path, looked=False)

    def fails(self: sensitive.SensitiveTable) -> bool:
        raise RuntimeError

    with CatalogWriter(learned.path) as writer:
        with monkeypatch.context() as patch:
            patch.setattr(sensitive.SensitiveTable, "note_all_looked", fails)
            with pytest.raises(RuntimeError):
                writer.look()
        assert learned.items == [] and not learned.reader.is_looked_at()
        assert writer.look()
    assert len(learned.items) == 3
