"""The values of --output and --satellite-url."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.errors import ConfigError
from levo.sensor.export import (
    OtlpSettings,
    OutputKind,
    OutputTarget,
    SatelliteAddress,
    Transport,
    parse_output,
    parse_satellite_url,
)

HTTP, GRPC = Transport.HTTP, Transport.GRPC


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("otlp", OutputTarget(OutputKind.OTLP)),
        ("null", OutputTarget(OutputKind.NULL)),
        ("jsonl", OutputTarget(OutputKind.JSONL)),
        ("jsonl:-", OutputTarget(OutputKind.JSONL)),
        ("jsonl:/a:b.jsonl", OutputTarget(OutputKind.JSONL, Path("/a:b.jsonl"))),
        ("har:x.har", OutputTarget(OutputKind.HAR, Path("x.har"))),
    ],
)
def test_outputs(text: str, expected: OutputTarget) -> None:
    assert parse_output(text) == expected


@pytest.mark.parametrize(
    "text", ["", "jason", "jsonl:", "har:", "otlp:x", "null:-", "JSONL", ":x", "har:a\0b"]
)
def test_a_bad_output_is_one_line_that_names_it(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_output(text)
    assert_one_line(caught.value, "--output", text)


@pytest.mark.parametrize(
    ("text", "expected", "traces"),
    [
        ("http://s", SatelliteAddress(HTTP, "s", 80), "http://s:80/v1/traces"),
        ("https://s", SatelliteAddress(HTTP, "s", 443, tls=True), "https://s:443/v1/traces"),
        ("http://s:9999/", SatelliteAddress(HTTP, "s", 9999), "http://s:9999/v1/traces"),
        ("http://s:1/a/b/", SatelliteAddress(HTTP, "s", 1, prefix="/a/b"), "http://s:1/a/b/v1/traces"),
        ("http://s:1/v1/traces", SatelliteAddress(HTTP, "s", 1), "http://s:1/v1/traces"),
        ("HTTP://Sat.Example:1", SatelliteAddress(HTTP, "sat.example", 1), "http://sat.example:1/v1/traces"),
        ("http://[::1]:8/x", SatelliteAddress(HTTP, "::1", 8, prefix="/x"), "http://[::1]:8/x/v1/traces"),
        ("localhost:4317", SatelliteAddress(GRPC, "localhost", 4317), None),
        ("[fe80::1]:4317", SatelliteAddress(GRPC, "fe80::1", 4317), None),
        ("grpc://10.0.0.1:4317", SatelliteAddress(GRPC, "10.0.0.1", 4317), None),
        ("grpcs://s:4317/", SatelliteAddress(GRPC, "s", 4317, tls=True), None),
    ],
)
def test_satellite_addresses(text: str, expected: SatelliteAddress, traces: str | None) -> None:
    assert parse_satellite_url(text) == expected
    if traces is not None:
        assert expected.url("/v1/traces") == traces


BAD_URLS = [
    "",
    "localhost",
    "http://",
    "http://:80",
    "ftp://s:1",
    "http://s:0",
    "http://s:99999",
    "http://s:port",
    "http://s:",
    "s:",
    "s:x",
    "grpc://s",
    "grpc://s:4317/path",
    "s:4317/path",
    "http://s/?q=1",
    "http://s/#f",
    "http://a b",
    "http://s\n",
    "http://[::1",
    "::1",
    "http://s%00",
]


@pytest.mark.parametrize("text", [bad for bad in BAD_URLS if bad.strip() == bad])
def test_a_bad_address_is_one_line_that_names_it(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_satellite_url(text)
    assert_one_line(caught.value, "--satellite-url", text)


@pytest.mark.parametrize("text", ["http://bob:hunter2@s", "bob:hunter2@s:4317", "grpc://bob:hunter2@s:1"])
def test_a_password_in_an_address_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_satellite_url(text, "satellite-url")
    assert "hunter2" not in str(caught.value)
    assert_one_line(caught.value, "satellite-url", "")


@given(text=st.text() | st.from_regex(r"(https?://|grpcs?://|)[\[\]a-z0-9.:/@?#%-]*", fullmatch=True))
def test_any_text_is_an_address_or_a_config_error(text: str) -> None:
    try:
        address = parse_satellite_url(text)
    except ConfigError as error:
        assert_one_line(error, "--satellite-url", "")
    else:
        assert 1 <= address.port <= 65535
        assert parse_satellite_url(str(address)) == address


@pytest.mark.parametrize("bad", ["acme\n7", "acme\r\nx: y", "äcme", " acme-7"])
def test_an_id_that_could_break_a_header_is_refused(bad: str) -> None:
    address = SatelliteAddress(HTTP, "s", 1)
    with pytest.raises(ConfigError):
        OtlpSettings(address, organization_id=bad).headers()
    with pytest.raises(ConfigError) as caught:
        OtlpSettings(address, token=bad).headers()
    assert bad not in str(caught.value)


def assert_one_line(error: ConfigError, where: str, value: str) -> None:
    text = str(error)
    assert text.startswith(f"{where}: ") and "\n" not in text
    assert not value or repr(value) in text
