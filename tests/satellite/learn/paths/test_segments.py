"""What a single segment says by itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.satellite.learn.paths.segments import (
    KIND_TYPES,
    is_version,
    known_rank,
    literal_stem,
    literal_suffix,
    may_be_version,
    segment_key,
    split_key,
    words,
)


@pytest.mark.parametrize(
    ("segment", "key"),
    [
        ("users", "users"),
        ("123", "{integer}"),
        ("-5", "{integer}"),
        ("12.50", "12.50"),
        ("52.5163", "{number}"),
        ("3b1f8b7e-6f0c-4a8e-9d0c-2f1e5a7b9c3d", "{uuid}"),
        ("507f1f77bcf86cd799439011", "{hex}"),
        ("2024-01-02", "{date}"),
        ("2024-01-02T03:04:05Z", "{date-time}"),
        ("jane%40example.org", "{email}"),
        ("192.0.2.1", "{ip}"),
        ("52.1,13.4", "{numbers}"),
        ("ord-123456", "{code}"),
        ("cus_9s6XKzkNRiz8i3", "{token}"),
        ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "{token}"),
        ("eyJhbGciOiJIUzI1NiJ9.e30.abc", "{token}"),
        ("aZ3kP9qL2m", "{token}"),
        ("17.json", "{integer}.json"),
        ("17:cancel", "{integer}:cancel"),
        ("17:setIamPolicy", "{integer}:setIamPolicy"),
        ("17:listGcpProjectDeployments", "{integer}:listGcpProjectDeployments"),
        ("17:getMargaret", "{token}"),
        ("17:getMargaretPolicy", "{token}"),
        ("17:getBobName", "{token}"),
        ("GetAnnOrders(7)", "{token}"),
        ("17:setIamKgb", "{token}"),
        ("17:bob", "{token}"),
        ("Users('jane')", "Users({quoted})"),
        ("zy" * 41, "{long}"),
        ("NamSorAPIv2", "NamSorAPIv2"),
        ("oauth2", "oauth2"),
        ("sha256", "sha256"),
        ("getUserByIdV2", "getUserByIdV2"),
        ("customer-addresses", "customer-addresses"),
        ("v1", "v1"),
        ("v1beta1", "v1beta1"),
        ("users;jsessionid=1", "users"),
        ("%7Bx%7D", "%7Bx%7D"),
        ("%2Fetc", "%2Fetc"),
        ("x%00y", "x%00y"),
    ],
)
def test_keys(segment, key):
    assert segment_key(segment, False) == key


@pytest.mark.parametrize(("segment", "key"), [("1", "1"), ("123", "{integer}"), ("2015-03-31", "2015-03-31")])
def test_a_version_may_open_the_path(segment, key):
    assert segment_key(segment, True) == key


@given(st.text(min_size=1, max_size=100), st.booleans())
def test_braces_and_slashes_in_a_key_are_syntax(segment, first):
    key = segment_key(segment, first)
    prefix, kind, suffix = split_key(key)
    assert kind in KIND_TYPES or not kind
    assert not set("{}/ ") & set(prefix + suffix)
    assert (prefix + suffix).isprintable()


@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=30))
def test_a_literal_key_stands_for_itself(segment):
    key = segment_key(segment, False)
    if "{" not in key:
        assert segment_key(key, False) == key


@pytest.mark.parametrize(
    ("path", "index", "expected"),
    [
        ("2015-03-31/functions", 0, True),
        ("rest/api/3/issues", 2, True),
        ("REST/2/issues", 1, True),
        ("users/3/orders", 1, False),
        ("a/b/c/api/3", 4, False),
    ],
)
def test_where_a_number_may_be_a_version(path, index, expected):
    assert may_be_version(path.split("/"), index) is expected


@pytest.mark.parametrize(
    "version", ["v1", "v20180820", "V2", "v1.2", "2.0", "v1alpha2", "latest", "2019-01-01-preview"]
)
def test_versions(version):
    assert is_version(version)


@pytest.mark.parametrize(
    ("literal", "suffix", "stem"),
    [
        ("blue-fox:cancel", ":cancel", "blue-fox"),
        ("list.json", ".json", "list.json"),
        ("example.com", "", "example.com"),
        ("users", "", "users"),
    ],
)
def test_suffixes(literal, suffix, stem):
    assert literal_suffix(literal) == suffix
    assert literal_stem(literal) == stem


def test_words_and_their_rank():
    assert words("listOpenOrders") == ("list", "open", "orders")
    assert known_rank("users") > 3
    assert known_rank("xyzzyq") == -1
    assert known_rank("customeraddresses") >= 0
