"""What is known beyond counts, over made-up traffic."""

from __future__ import annotations

from pathlib import Path

import pytest

from levo.satellite.catalog.derived import DerivedCatalog
from levo.satellite.catalog.place import place_of
from levo.satellite.learn import State, learn_all
from levo.satellite.queue import Position
from levo.satellite.store import CatalogReader, CatalogWriter, EndpointFilter
from levo.satellite.store.userdata import UserData
from tests.satellite.openapi.learned import shop
from tests.satellite.store.catalogs import NOW, catalog

SHOP = ("acme", "staging", "shop")


class Learned:
    """What is derived of a shop's traffic."""

    def __init__(self, folder: Path) -> None:
        self.userdata = UserData(folder / "userdata.sqlite3")
        catalog(folder / "catalog", shop()).close()
        self.reader = CatalogReader(folder / "catalog", self.userdata.path)
        self.derived = DerivedCatalog(self.reader, self.userdata.decisions)


@pytest.fixture
def learned(tmp_path: Path) -> Learned:
    return Learned(tmp_path)


def test_nothing_is_claimed_before_the_first_look(learned: Learned) -> None:
    assert learned.derived.sensitive_fields() is None
    assert learned.derived.refresh()
    assert learned.derived.sensitive_fields() == 3


def test_a_look_ends_when_its_time_is_up(learned: Learned) -> None:
    times = iter((0.0, 9.0))

    assert not learned.derived.refresh(1.0, lambda: next(times))
    assert learned.derived.sensitive_fields() is None


def test_the_sensitive_data_of_one_endpoint_is_that_of_the_whole(learned: Learned) -> None:
    learned.derived.refresh()
    everything = learned.derived.all_sensitive()
    rows = learned.reader.endpoints(EndpointFilter())[1]
    by_row = [item for row in rows for item in learned.derived.sensitive(row)]

    assert sorted(map(repr, everything)) == sorted(map(repr, by_row))
    assert {(f.method, f.direction, f.kind) for f in everything} == {
        ("GET", "response", "email"),
        ("POST", "request", "email"),
        ("POST", "response", "email"),
    }


def test_a_verdict_belongs_to_one_field_of_one_endpoint(learned: Learned) -> None:
    learned.derived.refresh()
    first = learned.derived.all_sensitive()[0]
    row = learned.reader.endpoint(first.endpoint)
    assert row is not None
    made = learned.userdata.decisions.decide(
        "reject", place_of(row), f"{first.location} {first.kind}", "anna", NOW
    )

    assert sorted(f.verdict for f in learned.derived.all_sensitive()) == ["", "", "reject"]
    learned.userdata.decisions.undo(made, NOW + 1)
    assert {f.verdict for f in learned.derived.all_sensitive()} == {""}


def test_sensitive_data_is_worked_out_once_until_something_changes(learned: Learned) -> None:
    empty = learned.derived.all_sensitive()
    learned.derived.refresh()
    first = learned.derived.all_sensitive()
    assert not empty and first
    assert learned.derived.all_sensitive() is first

    with CatalogWriter(learned.reader.path) as writer:
        writer.commit(learn_all(State(), shop()), Position(2, 1))
    again = learned.derived.all_sensitive()
    assert again == first and again is not first


def test_there_is_a_document_only_of_what_was_seen(learned: Learned) -> None:
    document = learned.derived.document(SHOP)

    assert document is not None and set(document["paths"]) == {"/events", "/users", "/users/{userId}"}
    assert learned.derived.document(("acme", "staging", "other")) is None
