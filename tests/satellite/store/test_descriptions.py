"""Uploads."""

from __future__ import annotations

from pathlib import Path

import pytest

from levo.errors import LevoError
from levo.satellite.learn import Scope
from levo.satellite.store import CatalogWriter
from levo.satellite.store.descriptions import remove_description, store_description

PLACE = ("acme", "staging", "shop")


def test_the_paths_of_a_description_reach_the_learner(tmp_path: Path) -> None:
    with CatalogWriter(tmp_path / "catalog") as writer:
        for path in ("/a", "/users/{name}"):
            store_description(tmp_path / "catalog", PLACE, 1, f'{{"paths": {{"{path}": {{}}}}}}')
        found = writer.overrides(Scope(*PLACE, "shop.example"))

    assert [(each.kind, each.template) for each in found] == [("import", "/users/{name}")]


def test_a_catalog_that_is_none_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(LevoError, match="cannot be written"):
        store_description(tmp_path / "no" / "catalog", PLACE, 1, "{}")


def test_a_description_is_forgotten_once(tmp_path: Path) -> None:
    CatalogWriter(tmp_path / "catalog").close()
    store_description(tmp_path / "catalog", PLACE, 1, "{}")

    assert [remove_description(tmp_path / "catalog", PLACE) for _ in range(2)] == [True, False]
    with pytest.raises(LevoError, match="cannot be written"):
        remove_description(tmp_path / "no" / "catalog", PLACE)
