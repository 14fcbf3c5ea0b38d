"""The table of what is masked by default."""

from __future__ import annotations

from levo.config.credentials import FIELDS, HEADERS, NAMES, URL_HEADERS


def test_names_are_lower_case_and_stand_once() -> None:
    for names in (HEADERS, FIELDS, URL_HEADERS):
        assert len(set(names)) == len(names)
        assert all(name == name.lower().strip() for name in names)
    assert len(HEADERS) >= 40 and len(FIELDS) >= 25 and set(HEADERS) <= NAMES
