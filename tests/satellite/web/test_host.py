"""A Host header is used only where it is a plain name or address."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.config.values import satellite_url
from levo.satellite.web.host import names_loopback, read_host


@pytest.mark.parametrize(
    ("header", "read"),
    [
        ("satellite.internal:9999", "satellite.internal:9999"),
        ("Satellite.Internal", "satellite.internal"),
        ("10.99.21.1:21060", "10.99.21.1:21060"),
        ("[2001:db8:0::7]:9999", "[2001:db8::7]:9999"),
        ("[::1]", "[::1]"),
        ("my_host-1.example.", "my_host-1.example."),
    ],
)
def test_names_and_addresses_are_read(header: str, read: str) -> None:
    assert str(read_host(header)) == read


@pytest.mark.parametrize(
    "header",
    [
        *(
            "",
            ":9999",
            "host:",
            "host:0",
            "host:65536",
            "host:99x",
            "host:9999:1",
            "host:٣",
            "höst",
            "-o",
            "a..b",
        ),
        *(
            "a;id",
            "a$(id)",
            "a`id`",
            "a b",
            "a'b",
            'a"b',
            "a\\b",
            "a\nb",
            "a&b",
            "<b>",
            "u@h",
            "h/p",
            "h?q",
            "h#f",
        ),
        *("[::1", "::1", "[fe80::1%eth0]", "[::1]x:1", "[not]", "x" * 254, "x" * 64),
    ],
)
def test_everything_else_is_not(header: str) -> None:
    assert read_host(header) is None


@given(st.text(max_size=40))
def test_whatever_is_read_is_an_address_that_the_sensor_takes(header: str) -> None:
    read = read_host(header)
    if read is not None:
        assert str(satellite_url(f"http://{read}")).isascii()
        assert not set(str(read)) & set(" '\"\\`$;&|<>(){}*?#~\n")


def test_loopback() -> None:
    assert names_loopback("localhost:9999") and names_loopback("[::1]:1") and names_loopback("127.0.0.1")
    assert not names_loopback("satellite:9999")
