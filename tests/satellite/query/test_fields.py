"""The table of fields, and the values that they take."""

from __future__ import annotations

import pytest

from levo.satellite.query import ENDPOINTS, FINDINGS, Fields, Kind, parse
from levo.satellite.query.fields import INVALID, NO_ANSWER, WrongValue, checked, number, status_range
from levo.satellite.store.reader import REVIEWS


@pytest.mark.parametrize("fields", [ENDPOINTS, FINDINGS], ids=["endpoints", "findings"])
def test_every_field_can_be_used_as_its_example_says(fields: Fields) -> None:
    for field in fields.all:
        (read,) = [parse(field.example, fields)]
        assert getattr(read, "field", "") == field.name
        assert (field.kind in (Kind.CHOICE, Kind.LEVEL)) == bool(field.choices)
    assert set(fields.words) <= set(fields.by_name)


def test_words_are_those_of_the_catalog() -> None:
    assert ENDPOINTS.by_name["review"].choices == REVIEWS


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("callers", "2.5k", 2500),
        ("callers", "1M", 1e6),
        ("errors", "5%", 0.05),
        ("p95", "200", 200),
        ("p95", "1.5s", 1500),
        ("p95", "50us", 0.05),
        ("first-seen", "7d", 604_800),
        ("first-seen", "4w", 2_419_200),
        ("severity", "high", 3),
    ],
)
def test_a_number_in_its_unit(name: str, value: str, meant: float) -> None:
    assert number(ENDPOINTS.by_name[name], value) == pytest.approx(meant)


@pytest.mark.parametrize("value", ["", "-1", "1e3", "1x", "1" * 16, "٣", "inf", "nan"])
@pytest.mark.parametrize("name", ["callers", "errors", "p95", "first-seen", "status"])
def test_what_is_no_number_is_refused(name: str, value: str) -> None:
    with pytest.raises(WrongValue, match=r"^expected "):
        checked(ENDPOINTS.by_name[name], ":", value)


def test_statuses_by_code_and_class() -> None:
    assert status_range("404") == (404, 404)
    assert status_range("5xx") == (500, 599)
    assert status_range("none") == (NO_ANSWER, NO_ANSWER)
    assert status_range("invalid") == (INVALID, INVALID)
