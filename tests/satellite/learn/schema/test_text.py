"""Formats and scalars; names against values."""

from __future__ import annotations

import uuid

import pytest

from levo.satellite.learn.schema.observe import text_format
from levo.satellite.learn.schema.text import MIXED, is_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a.b@example.com", "email"),
        ("https://user@example.com/a?b", "uri"),
        ("urn:x", MIXED),
        ("12:30:45", MIXED),
        ("fe80::1", "ipv6"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "jwt"),
        ("a sentence.", MIXED),
    ],
)
def test_formats_that_are_told_by_their_signs(text: str, name: str) -> None:
    assert text_format(text) == name


@pytest.mark.parametrize(
    "key",
    [
        "firstName",
        "x-request-id",
        "page[size]",
        "@type",
        "@odata.context",
        "items@odata.nextLink",
        "total@Org.OData.Measures.V1.Unit",
        "user_id",
        "q",
        "address2",
        "sha256",
        "blake2b_256",
        "x509",
        "24hVolume",
        "2fa_enabled",
        "total2024",
        "is_valid?",
        "price (EUR)",
        "Address Line 1",
        "Größe",
        "名前",
        "+1",
        "-1",
        "$",
        "p99.9",
    ],
)
def test_names(key: str) -> None:
    assert is_name(key)


@pytest.mark.parametrize(
    "key",
    [
        "42",
        "a@example.com",
        "a@odata.example.com",
        "a@microsoft.fr",
        "2024-05-17",
        str(uuid.UUID(int=77)),
        "kX9aQ2bT7cR4dW1e",
        "shop.example.com",
        "u12345",
        "order-2024-0017",
        "12.5",
        "10.0.0.1",
        "1600x900",
        "a1b2c3d4",
        "https://shop.example/a",
        "3f2504e04f8911d3",
        "",
        "two\nlines",
        "a" * 65,
    ],
)
def test_values_in_the_place_of_names(key: str) -> None:
    assert not is_name(key)
