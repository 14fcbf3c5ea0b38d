"""The fields that say who sends."""

from __future__ import annotations

import pytest

from levo.config import SatelliteUrl
from levo.errors import ConfigError
from levo.sensor.export import OtlpSettings

ADDRESS = SatelliteUrl("http", "s", 1, tls=False)


@pytest.mark.parametrize("bad", ["acme\n7", "acme\r\nx: y", "äcme", " acme-7"])
def test_an_id_or_token_that_could_break_a_header_is_refused(bad: str) -> None:
    with pytest.raises(ConfigError) as caught:
        OtlpSettings(ADDRESS, organization_id=bad).headers()
    assert str(caught.value).startswith("--levoai-org-id: ") and "\n" not in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        OtlpSettings(ADDRESS, token=bad).headers()
    assert bad not in str(caught.value)


def test_secrets_are_not_shown() -> None:
    settings = OtlpSettings(ADDRESS, token="s3cret", http_proxy="http://b:s3cret@p:1", https_proxy="s3cret")
    assert "s3cret" not in repr(settings)
