"""What is known beyond counts, over made-up traffic."""

from __future__ import annotations

from pathlib import Path

import pytest

from levo.satellite.catalog.derived import DerivedCatalog
from levo.satellite.store import CatalogReader
from levo.satellite.store.userdata import UserData
from tests.satellite.openapi.learned import shop
from tests.satellite.store.catalogs import catalog

SHOP = ("acme", "staging", "shop")


class Learned:
    """What is derived of a shop's traffic."""

    def __init__(self, folder: Path) -> None:
        self.userdata = UserData(folder / "userdata.sqlite3")
        catalog(folder / "catalog", shop()).close()
        self.reader = CatalogReader(folder / "catalog", self.userdata.path)
        self.derived = DerivedCatalog(self.reader)


@pytest.fixture
def learned(tmp_path: Path) -> Learned:
    return Learned(tmp_path)


def test_there_is_a_document_only_of_what_was_seen(learned: Learned) -> None:
    document = learned.derived.document(SHOP)

    assert document is not None and set(document["paths"]) == {"/events", "/users", "/users/{userId}"}
    assert learned.derived.document(("acme", "staging", "other")) is None
