"""Which proxy applies, and how it is written."""

from __future__ import annotations

import pytest

from levo.config.values import satellite_url
from levo.errors import ConfigError
from levo.sensor.export import OtlpSettings
from levo.sensor.export.proxy import Proxy, proxy_of

PLAIN, SECURE = satellite_url("http://s:1"), satellite_url("https://s:1")


def test_the_proxy_follows_the_scheme_of_the_address() -> None:
    both = {"http_proxy": "http://plain:3128", "https_proxy": "https://secure"}
    assert proxy_of(OtlpSettings(PLAIN, **both)) == Proxy("http://plain:3128", None, "http://plain:3128")
    assert proxy_of(OtlpSettings(SECURE, **both)) == Proxy("https://secure", None, "https://secure")
    assert proxy_of(OtlpSettings(SECURE, http_proxy="http://plain:3128")) is None


def test_credentials_are_decoded_and_not_shown() -> None:
    proxy = proxy_of(OtlpSettings(PLAIN, http_proxy="http://bob:p%40ss@[::1]:3128"))
    assert proxy is not None
    assert (proxy.url, proxy.credentials) == ("http://[::1]:3128", "bob:p@ss")
    assert "p@ss" not in repr(proxy) and "p%40ss" not in repr(proxy)


@pytest.mark.parametrize(
    "bad", ["", "proxy", "proxy:3128", "ftp://h", "http://", "http://h:x", "http://[", "http://a b"]
)
def test_anything_else_is_refused_in_one_line(bad: str) -> None:
    for address, where in ((PLAIN, "http-proxy"), (SECURE, "https-proxy")):
        with pytest.raises(ConfigError) as caught:
            proxy_of(OtlpSettings(address, http_proxy=bad, https_proxy=bad))
        assert str(caught.value) == f"{where}: is no proxy URL: write http://host:port"
