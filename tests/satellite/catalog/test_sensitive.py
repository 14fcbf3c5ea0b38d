"""Sensitive fields and what users said of them."""

from __future__ import annotations

from pathlib import Path

from levo.satellite.catalog.place import place_of
from levo.satellite.catalog.sensitive import findings_of, known_fields
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
    assert [f.verdict for f in findings_of(row, fields, verdicts)] == ["reject", *("" for _ in fields[1:])]
    assert {f.verdict for f in findings_of(row, fields, {})} == {""}
    assert findings_of(row, fields, {})[0].endpoint == row.id
