"""The table of sensitive data."""

from __future__ import annotations

from levo.satellite.catalog.sensitive import MAX_APPLICATIONS, table_of
from levo.satellite.store.sensitive import SensitiveCount


def test_the_table_counts_fields_by_kind_and_application() -> None:
    table = table_of(
        [
            SensitiveCount("email", "personal", "response", "shop", 3),
            SensitiveCount("email", "personal", "request", "shop", 1),
            SensitiveCount("email", "personal", "response", "bank", 1),
            SensitiveCount("iban", "personal", "response", "bank", 1),
        ]
    )

    assert table.applications == ("bank", "shop")
    assert table.rows == (
        ("email", "personal", 1, 4, (("bank", 1), ("shop", 4))),
        ("iban", "personal", 0, 1, (("bank", 1), ("shop", 0))),
    )


def test_the_table_has_a_bounded_number_of_columns() -> None:
    table = table_of(
        SensitiveCount("email", "personal", "response", f"app {number:02}", 1) for number in range(40)
    )

    assert len(table.applications) == len(table.rows[0].cells) == MAX_APPLICATIONS
