"""Warnings about room."""

from __future__ import annotations

import pytest

from levo.satellite.catalog.storage import storage_warnings
from levo.satellite.store.storage import Storage

MB, GB = 10**6, 10**9


@pytest.mark.parametrize(
    ("stored", "free", "growth", "limit", "said"),
    [
        (100 * MB, 50 * GB, 0, 0, ""),
        (100 * MB, 50 * GB, -5 * MB, 200 * MB, ""),
        (100 * MB, 50 * GB, GB, 0, ""),
        (100 * MB, 50 * GB, 2 * GB, 0, "as the catalog grew lately, it is full in 25 days"),
        (100 * MB, 500 * MB, 0, 0, "0.5 GB left"),
        (95 * MB, 50 * GB, 0, 100 * MB, "takes 95% of catalog-max-bytes"),
        (101 * MB, 50 * GB, 0, 100 * MB, "larger than catalog-max-bytes"),
    ],
)
def test_what_is_worth_a_warning(stored: int, free: int, growth: int, limit: int, said: str) -> None:
    found = storage_warnings(Storage(stored, 0, 0, free, growth), limit)

    assert len(found) == bool(said) and all(said in line for line in found)
