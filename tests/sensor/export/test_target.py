"""Addresses, targets and the fields that say who sends."""

from __future__ import annotations

from pathlib import Path

import pytest

from levo.errors import ConfigError
from levo.sensor.export import OtlpSettings, OutputKind, OutputTarget, SatelliteAddress, Transport

HTTP, GRPC = Transport.HTTP, Transport.GRPC


@pytest.mark.parametrize(
    ("address", "shown", "traces"),
    [
        (SatelliteAddress(HTTP, "s", 80), "http://s:80", "http://s:80/v1/traces"),
        (SatelliteAddress(HTTP, "s", 443, tls=True), "https://s:443", "https://s:443/v1/traces"),
        (SatelliteAddress(HTTP, "s", 1, prefix="/a/b"), "http://s:1/a/b", "http://s:1/a/b/v1/traces"),
        (SatelliteAddress(HTTP, "::1", 8, prefix="/x"), "http://[::1]:8/x", "http://[::1]:8/x/v1/traces"),
        (SatelliteAddress(GRPC, "localhost", 4317), "grpc://localhost:4317", None),
        (SatelliteAddress(GRPC, "fe80::1", 4317, tls=True), "grpcs://[fe80::1]:4317", None),
    ],
)
def test_an_address_is_shown_as_it_is_written(
    address: SatelliteAddress, shown: str, traces: str | None
) -> None:
    assert str(address) == shown
    if traces is not None:
        assert address.url("/v1/traces") == traces


def test_a_target_is_shown_as_it_is_written() -> None:
    assert str(OutputTarget(OutputKind.HAR, Path("a:b"))) == "har:a:b"
    assert str(OutputTarget(OutputKind.JSONL)) == "jsonl"


@pytest.mark.parametrize("bad", ["acme\n7", "acme\r\nx: y", "äcme", " acme-7"])
def test_an_id_or_token_that_could_break_a_header_is_refused(bad: str) -> None:
    address = SatelliteAddress(HTTP, "s", 1)
    with pytest.raises(ConfigError) as caught:
        OtlpSettings(address, organization_id=bad).headers()
    assert str(caught.value).startswith("--levoai-org-id: ") and "\n" not in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        OtlpSettings(address, token=bad).headers()
    assert bad not in str(caught.value)


def test_secrets_are_not_shown() -> None:
    settings = OtlpSettings(
        SatelliteAddress(HTTP, "s", 1), token="s3cret", http_proxy="http://b:s3cret@p:1", https_proxy="s3cret"
    )
    assert "s3cret" not in repr(settings)
