"""Sensitive fields and what users said of them."""

from __future__ import annotations

from pathlib import Path

from levo.satellite.catalog.place import place_of
from levo.satellite.catalog.sensitive import (
    MAX_APPLICATIONS,
    SensitiveItem,
    known_fields,
    sensitive_items,
    table_of,
)
from levo.satellite.store import EndpointFilter
from tests.satellite.openapi.learned import shop
from tests.satellite.store.catalogs import catalog


def test_a_location_is_one_word_and_a_verdict_belongs_to_it(tmp_path: Path) -> None:
    reader = catalog(tmp_path / "catalog", shop())
    rows = {row.id: row for row in reader.endpoints(EndpointFilter())[1]}
    found = ((identity, known_fields(each)) for identity, each in reader.operations_of(list(rows)))
    identity, fields = next((identity, fields) for identity, fields in found if fields)
    first, row = fields[0], rows[identity]
    verdicts = {(place_of(row), f"{first.location} {first.kind}"): "reject"}

    assert all(" " not in field.location for field in fields)
    assert [f.verdict for f in sensitive_items(row, fields, verdicts)] == [
        "reject",
        *("" for _ in fields[1:]),
    ]
    assert {f.verdict for f in sensitive_items(row, fields, {})} == {""}
    assert sensitive_items(row, fields, {})[0].endpoint == row.id


def an_item(kind: str, application: str, direction: str = "response", verdict: str = "") -> SensitiveItem:
    names = ("acme", "staging", application, "h", "GET", "/x")
    return SensitiveItem(1, *names, kind, "personal", "response-body:200:x", direction, 0.9, False, verdict)


def test_the_table_counts_fields_by_kind_and_application_without_rejected_ones() -> None:
    table = table_of(
        [
            an_item("email", "shop"),
            an_item("email", "shop", "request"),
            an_item("email", "bank"),
            an_item("iban", "bank"),
            an_item("iban", "shop", verdict="reject"),
        ]
    )

    assert table.applications == ("bank", "shop")
    assert table.rows == (
        ("email", "personal", 1, 2, (("bank", 1), ("shop", 2))),
        ("iban", "personal", 0, 1, (("bank", 1), ("shop", 0))),
    )


def test_the_table_has_a_bounded_number_of_columns() -> None:
    table = table_of([an_item("email", f"app {number:02}") for number in range(40)])

    assert len(table.applications) == len(table.rows[0].cells) == MAX_APPLICATIONS
