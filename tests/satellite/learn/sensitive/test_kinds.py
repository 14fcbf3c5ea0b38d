"""The table of kinds."""

from __future__ import annotations

from levo.satellite.learn.sensitive.checksums import validator
from levo.satellite.learn.sensitive.detectors import ALPHANUMERIC_KINDS, KINDS_BY_DIGITS
from levo.satellite.learn.sensitive.kinds import KINDS, NATIONAL_IDS, Category


def test_every_category_has_kinds_and_every_country_its_own() -> None:
    assert {kind.category for kind in KINDS.values()} == set(Category) - {Category.CUSTOM}
    assert all(f"national-id.{name}" in KINDS for name in NATIONAL_IDS)


def test_every_national_kind_can_be_found() -> None:
    by_number = {kind for kinds in KINDS_BY_DIGITS.values() for kind in kinds}
    by_letters = {kind for kind, _, _ in ALPHANUMERIC_KINDS}
    checked = by_number | {kind for kind, _, checked in ALPHANUMERIC_KINDS if checked}
    of_their_own = {"us.ssn", "dk.cpr"}
    by_field_name = {"ar.dni"}

    assert {kind for kind in checked if validator(kind) is None} == set()
    assert set(NATIONAL_IDS) - by_number - by_letters - of_their_own - by_field_name == set()
