"""The table of kinds."""

from __future__ import annotations

from levo.satellite.learn.sensitive.kinds import KINDS, NATIONAL_IDS, Category


def test_every_category_has_kinds_and_every_country_its_own() -> None:
    assert {kind.category for kind in KINDS.values()} == set(Category) - {Category.CUSTOM}
    assert all(f"national-id.{name}" in KINDS for name in NATIONAL_IDS)
