"""The fields that say who sends."""

from __future__ import annotations

import pytest

from levo.config import SatelliteUrl
from levo.config.values import proxy_url, satellite_url
from levo.errors import ConfigError
from levo.sensor.export import OtlpSettings
from levo.sensor.export.settings import EXPORT_MARK

ADDRESS = SatelliteUrl("http", "s", 1, tls=False)


@pytest.mark.parametrize("bad", ["acme\n7", "acme\r\nx: y", "äcme", " acme-7"])
def test_an_id_or_token_that_could_break_a_header_is_refused(bad: str) -> None:
    with pytest.raises(ConfigError) as caught:
        OtlpSettings(ADDRESS, organization_id=bad).headers()
    assert str(caught.value).startswith("--levoai-org-id: ") and "\n" not in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        OtlpSettings(ADDRESS, token=bad).headers()
    assert bad not in str(caught.value)


def test_each_sensor_marks_what_it_sends_with_a_value_of_its_own() -> None:
    marks = {OtlpSettings(ADDRESS).headers()[EXPORT_MARK] for _ in range(3)}
    assert len(marks) == 3 and all(marks)


def test_secrets_are_not_shown() -> None:
    settings = OtlpSettings(ADDRESS, token="s3cret", http_proxy=proxy_url("http://b:s3cret@p:1"))
    assert "s3cret" not in repr(settings)


def test_the_proxy_follows_the_scheme_of_the_address() -> None:
    plain, secure = proxy_url("http://plain:3128"), proxy_url("https://secure:3128")
    both = {"http_proxy": plain, "https_proxy": secure}

    assert OtlpSettings(satellite_url("http://s:1"), **both).proxy == plain
    assert OtlpSettings(satellite_url("s:1"), **both).proxy == plain
    assert OtlpSettings(satellite_url("https://s:1"), **both).proxy == secure
    assert OtlpSettings(satellite_url("https://s:1"), http_proxy=plain).proxy is None
