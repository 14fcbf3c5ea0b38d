"""Formats, checked against the standard library; names against values."""

from __future__ import annotations

import ipaddress
import uuid
from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.satellite.learn.schema.text import MIXED, Text, is_name, scalar, text_format


@given(st.uuids(), st.dates(min_value=date(1600, 1, 1), max_value=date(2199, 1, 1)), st.ip_addresses())
def test_formats_that_the_standard_library_writes_are_recognised(
    identity: uuid.UUID, day: date, address: ipaddress.IPv4Address | ipaddress.IPv6Address
) -> None:
    assert text_format(str(identity)) == "uuid"
    assert text_format(day.isoformat()) == "date"
    assert text_format(str(address)) == f"ipv{address.version}"


@given(st.text(max_size=60))
def test_a_text_that_is_called_a_date_or_an_address_is_one(text: str) -> None:
    found = text_format(text)
    if found == "date-time":
        datetime.fromisoformat(text)
    elif found in ("ipv4", "ipv6"):
        ipaddress.ip_address(text)
    elif found == "uuid":
        uuid.UUID(text)
    assert text or found == MIXED


@pytest.mark.parametrize(
    ("text", "value"),
    [("12", 12), ("-3", -3), ("007", "007"), ("1.5", 1.5), ("true", True), ("x", "x"), ("", "")],
)
def test_scalars_that_travel_as_text(text: str, value: object) -> None:
    assert scalar(Text(text)) == value
    assert type(scalar(Text(text))) is type(value)


@pytest.mark.parametrize(
    "key", ["firstName", "x-request-id", "page[size]", "@type", "user_id", "q", "address2"]
)
def test_names(key: str) -> None:
    assert is_name(key)


@pytest.mark.parametrize(
    "key",
    [
        "42",
        "a@example.com",
        "2024-05-17",
        str(uuid.UUID(int=77)),
        "kX9aQ2bT7cR4dW1e",
        "shop.example.com",
        "Zoë",
        "u12345",
    ],
)
def test_values_in_the_place_of_names(key: str) -> None:
    assert not is_name(key)
