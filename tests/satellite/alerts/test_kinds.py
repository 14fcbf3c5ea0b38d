"""Where alerts lead to."""

from __future__ import annotations

import pytest

from levo.satellite.alerts.kinds import KINDS, page_of
from levo.satellite.store.userdata import Alert


@pytest.mark.parametrize(
    ("kind", "endpoint", "page"),
    [
        ("new-endpoint", 7, "/endpoints/7"),
        ("breaking-change", 7, "/endpoints/7"),
        ("sensor-silent", 0, "/sensors"),
        ("new-sensitive-field", 0, "/changes"),
    ],
)
def test_an_alert_leads_to_what_it_is_about(kind: str, endpoint: int, page: str) -> None:
    assert kind in KINDS
    assert page_of(Alert(1, 1, kind, "s", "t", 0, endpoint, 0)) == page
