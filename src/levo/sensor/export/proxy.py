"""The HTTP proxy of a destination."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from levo.errors import ConfigError, Problem
from levo.sensor.export.settings import OtlpSettings


@dataclass(frozen=True, slots=True)
class Proxy:
    """A checked proxy."""

    url: str
    """``scheme://host[:port]``, without credentials."""
    credentials: str | None = field(default=None, repr=False)
    """``user:password`` for basic authentication, percent-decoding undone."""
    url_with_credentials: str = field(default="", repr=False)


def proxy_of(settings: OtlpSettings) -> Proxy | None:
    """The proxy that applies to the address, if any. Raises ConfigError without the password."""
    if settings.proxy is None:
        return None
    where = "https-proxy" if settings.address.tls else "http-proxy"
    try:
        url = urlsplit(settings.proxy)
        host, port = url.hostname, url.port
    except ValueError:
        host = port = None
        url = urlsplit("")
    if url.scheme not in ("http", "https") or not host or " " in settings.proxy:
        raise ConfigError(Problem(where, "is no proxy URL: write http://host:port"))
    authority = f"[{host}]" if ":" in host else host
    if port is not None:
        authority += f":{port}"
    credentials = None
    if url.username is not None:
        credentials = f"{unquote(url.username)}:{unquote(url.password or '')}"
    return Proxy(f"{url.scheme}://{authority}", credentials, settings.proxy)
