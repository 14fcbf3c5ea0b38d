"""Events in words."""

from __future__ import annotations

import pytest

from levo.satellite.catalog.changes import shown_change
from levo.satellite.store.learned import EventRow
from tests.satellite.store.catalogs import NOW


def event(kind: str, detail: str = "x") -> EventRow:
    return EventRow(1, NOW, 1, "acme", "staging", "shop", "GET", "/x", kind, detail)


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
