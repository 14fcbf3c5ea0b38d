"""What is known beyond counts, over made-up traffic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from levo.satellite.catalog.derived import DerivedCatalog, place_of, shown_change, shown_operation
from levo.satellite.learn import State, learn_all
from levo.satellite.queue import Position
from levo.satellite.store import CatalogReader, CatalogWriter, EndpointFilter
from levo.satellite.store.desk import Desk
from levo.satellite.store.learned import EventRow
from tests.satellite.openapi.learned import shop
from tests.satellite.store.catalogs import NOW, catalog

SHOP = ("acme", "staging", "shop")


class Learned:
    """What is derived of a shop's traffic."""

    def __init__(self, folder: Path) -> None:
        self.desk = Desk(folder / "desk.sqlite3")
        catalog(folder / "catalog", shop()).close()
        self.reader = CatalogReader(folder / "catalog", self.desk.path)
        self.derived = DerivedCatalog(self.reader, self.desk)


@pytest.fixture
def learned(tmp_path: Path) -> Learned:
    return Learned(tmp_path)


def event(kind: str, detail: str = "x") -> EventRow:
    return EventRow(1, NOW, 1, *SHOP, "GET", "/x", kind, detail)


def test_nothing_is_claimed_before_the_first_look(learned: Learned) -> None:
    assert learned.derived.sensitive_fields() is None
    assert learned.derived.refresh()
    assert learned.derived.sensitive_fields() == 3


def test_a_look_ends_when_its_time_is_up(learned: Learned) -> None:
    times = iter((0.0, 9.0))

    assert not learned.derived.refresh(1.0, lambda: next(times))
    assert learned.derived.sensitive_fields() is None


def test_findings_of_one_endpoint_are_those_of_the_whole(learned: Learned) -> None:
    learned.derived.refresh()
    everything = learned.derived.all_findings()
    rows = learned.reader.endpoints(EndpointFilter())[1]
    by_row = [finding for row in rows for finding in learned.derived.findings(row)]

    assert sorted(map(repr, everything)) == sorted(map(repr, by_row))
    assert {(f.method, f.direction, f.kind) for f in everything} == {
        ("GET", "response", "email"),
        ("POST", "request", "email"),
        ("POST", "response", "email"),
    }


def test_a_verdict_belongs_to_one_field_of_one_endpoint(learned: Learned) -> None:
    learned.derived.refresh()
    first = learned.derived.all_findings()[0]
    row = learned.reader.endpoint(first.endpoint)
    assert row is not None
    made = learned.desk.decide("reject", place_of(row), f"{first.location} {first.kind}", "anna", NOW)

    assert sorted(f.verdict for f in learned.derived.all_findings()) == ["", "", "reject"]
    learned.desk.undo(made, NOW + 1)
    assert {f.verdict for f in learned.derived.all_findings()} == {""}


def test_findings_are_worked_out_once_until_something_changes(learned: Learned) -> None:
    empty = learned.derived.all_findings()
    learned.derived.refresh()
    first = learned.derived.all_findings()
    assert not empty and first
    assert learned.derived.all_findings() is first

    with CatalogWriter(learned.reader.path) as writer:
        writer.commit(learn_all(State(), shop()), Position(2, 1))
    again = learned.derived.all_findings()
    assert again == first and again is not first


def test_rejected_findings_raise_no_alert(learned: Learned) -> None:
    learned.derived.refresh()
    sensitive = {a.subject for a in learned.derived.alerts(NOW) if a.kind == "new-sensitive-field"}
    rejected = learned.derived.all_findings()[0]
    row = learned.reader.endpoint(rejected.endpoint)
    assert row is not None and len(sensitive) == 3
    learned.desk.decide("reject", place_of(row), f"{rejected.location} {rejected.kind}", "anna", NOW)
    after = {a.subject for a in learned.derived.alerts(NOW) if a.kind == "new-sensitive-field"}

    assert sensitive - after == {f"{rejected.endpoint} {rejected.location} {rejected.kind}"}


def test_there_is_a_document_only_of_what_was_seen(learned: Learned) -> None:
    document = learned.derived.document(SHOP)

    assert document is not None and set(document["paths"]) == {"/events", "/users", "/users/{userId}"}
    assert learned.derived.document(("acme", "staging", "other")) is None


@pytest.mark.parametrize(
    ("kind", "detail", "style"),
    [
        ("status", "404", "warn"),
        ("status", "503", "bad"),
        ("authentication", "none", "bad"),
        ("endpoint", "", "info"),
        ("some-other-kind", "", "warn"),
    ],
)
def test_what_breaks_clients_is_bad(kind: str, detail: str, style: str) -> None:
    assert shown_change(event(kind, detail)).style == style


def test_an_unknown_kind_of_change_has_a_readable_title() -> None:
    assert shown_change(event("some-other-kind")).title == "Some other kind"


def test_an_operation_of_a_document() -> None:
    shown = shown_operation(
        {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}],
            "requestBody": {
                "content": {"application/json": {"schema": {"type": "object"}, "example": {"a": 1}}}
            },
            "responses": {"200": {"description": "OK"}, "default": {"description": "else"}},
        }
    )

    assert [(p.name, p.place, p.required, p.schema) for p in shown.parameters] == [
        ("id", "path", True, {"type": "integer"})
    ]
    assert [title for title, _ in shown.messages] == ["Request body", "Answer 200 OK"]
    assert shown.messages[0][1][0].example == '{\n  "a": 1\n}'


@pytest.mark.parametrize(
    "written",
    [
        {"parameters": ["x", 1, None]},
        {"requestBody": "x", "responses": {"200": "x"}},
        {"requestBody": {"content": []}, "responses": None},
        {"parameters": None, "responses": {"200": {"content": {"a/b": None}}}},
    ],
)
def test_anybodys_description_is_shown_without_an_error(written: dict[str, Any]) -> None:
    shown = shown_operation(written)

    assert shown.parameters == () and all(contents == () for _, contents in shown.messages)
