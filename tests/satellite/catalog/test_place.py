"""Names of endpoints that outlive renames."""

from __future__ import annotations

from pathlib import Path

from levo.satellite.catalog.place import place_of
from levo.satellite.store import EndpointFilter
from tests.satellite.store.catalogs import catalog, trace


def test_a_place_has_no_names_of_parameters(tmp_path: Path) -> None:
    reader = catalog(tmp_path / "catalog", [trace(f"/users/{number}") for number in range(30)])
    ((row,),) = (reader.endpoints(EndpointFilter())[1],)

    assert row.path == "/users/{userId}"
    assert place_of(row).template == "/users/{}"
    assert (place_of(row).organization, place_of(row).host, place_of(row).method) == (
        "acme",
        "shop.example",
        "GET",
    )
