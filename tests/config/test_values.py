"""Parsers of single values, by properties: total, and inverse to what is shown."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.config import BadValue, values

PARSERS = [
    values.text,
    values.header_text,
    values.flag,
    values.duration_ns,
    values.size_bytes,
    values.rate,
    values.pattern,
    values.host_port,
    values.satellite_url,
    values.proxy_url,
    values.output,
    values.port_range,
    values.network,
    values.choice("a", "b"),
]


@pytest.mark.parametrize("parse", PARSERS, ids=lambda parse: parse.__name__)
@given(written=st.text())
def test_any_text_is_a_value_or_one_line(parse, written) -> None:
    try:
        parse(written)
    except BadValue as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 400


@given(st.integers(1_000, 86_400_000_000_000))
def test_a_duration_shown_reads_back(nanoseconds) -> None:
    assert values.duration_ns(values.show_duration(nanoseconds)) == nanoseconds


@given(st.integers(0, 1 << 40))
def test_a_size_shown_reads_back(size) -> None:
    assert values.size_bytes(values.show_size(size)) == size


@given(st.floats(0, 1e12, allow_nan=False))
def test_a_rate_shown_reads_back(number) -> None:
    assert values.rate(values.show_rate(number)) == number


@given(
    st.integers(1, 65535),
    st.sampled_from(["host", "a.b-c.example", "192.0.2.1", "2001:db8::1"]),
    st.booleans(),
)
def test_a_satellite_url_shown_reads_back(port, host, tls) -> None:
    for url in (
        values.SatelliteUrl("grpc", host, port, tls),
        values.SatelliteUrl("http", host, port, tls, "/p/q"),
    ):
        assert values.satellite_url(str(url)) == url


@pytest.mark.parametrize(
    ("written", "traces"),
    [
        ("http://h", "http://h:80/v1/traces"),
        ("https://h:9999/", "https://h:9999/v1/traces"),
        ("http://h/levo", "http://h:80/levo/v1/traces"),
        ("http://h/levo/v1/traces", "http://h:80/levo/v1/traces"),
        ("HTTP://[::1]:4318", "http://[::1]:4318/v1/traces"),
    ],
)
def test_where_http_posts_to(written: str, traces: str) -> None:
    address = values.satellite_url(written)
    assert address.origin + address.traces_path == traces


@pytest.mark.parametrize(
    ("written", "nanoseconds"),
    [
        ("10", 10**10),
        ("10s", 10**10),
        ("1.0", 10**9),
        ("500ms", 5 * 10**8),
        (".5s", 5 * 10**8),
        ("2m", 120 * 10**9),
    ],
)
def test_durations_of_the_specification(written: str, nanoseconds: int) -> None:
    assert values.duration_ns(written) == nanoseconds


def test_a_hostile_regex_on_a_hostile_path_costs_linear_time() -> None:
    """Doubling the input about doubles the time; a backtracking engine would not return at all."""
    regex = values.pattern("(a+)+$")

    def cost(length: int) -> float:
        path = "/" + "a" * length + "!"
        started = time.process_time()
        for _ in range(20):
            assert not regex.search(path)
        return time.process_time() - started

    small, large = min(cost(20_000) for _ in range(3)), min(cost(40_000) for _ in range(3))
    assert large < 20 * max(small, 1e-4)


def test_a_pattern_searches_text_and_octets() -> None:
    regex = values.pattern("a,b")

    assert regex.search("xa,by") and regex.search(b"xa,by") and not regex.search("ab")
    assert str(regex) == "a,b"


def test_a_proxy_is_shown_without_its_password() -> None:
    proxy = values.proxy_url("http://bob:hunter%402@[::1]:3128/")

    assert (str(proxy), proxy.url) == ("http://***@[::1]:3128", "http://[::1]:3128")
    assert proxy.credentials == "bob:hunter@2"
    assert "hunter" not in repr(proxy)
    assert str(values.proxy_url("https://proxy:3128")) == "https://proxy:3128"


@pytest.mark.parametrize(
    "bad",
    ["", "proxy", "proxy:3128", "ftp://h:1", "http://", "http://h", "http://h:x", "http://[", "http://a b:1"],
)
def test_anything_else_is_no_proxy(bad: str) -> None:
    with pytest.raises(values.BadValue):
        values.proxy_url(bad)
