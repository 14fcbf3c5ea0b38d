"""What a command needs that asks a running Satellite. Names and meanings are those of the sensor's table."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from levo.config.options import BY_NAME
from levo.config.table import Origins, Remarks, Table
from levo.config.values import BadValue, ProxyUrl, SatelliteUrl, satellite_url, shown, text

PAGES = SatelliteUrl("http", "127.0.0.1", 9999, tls=False)
"""Where a Satellite's pages are when nobody said otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConfig:
    """Which Satellite, how to reach it, and whose part of the catalog."""

    satellite_url: SatelliteUrl
    satellite_token: str | None = field(repr=False)
    levoai_org_id: str | None
    levo_env: str | None
    """With :attr:`levoai_org_id`: None is any."""
    ignore_ssl_verify: bool
    tls_ca_cert_path: str | None
    tls_client_cert_path: str | None
    tls_client_key_path: str | None
    http_proxy: ProxyUrl | None
    https_proxy: ProxyUrl | None


def pages_url(value: str) -> SatelliteUrl:
    """``http(s)://host[:port][/prefix]``; without a scheme it is http."""
    written = text(value)
    scheme = written.partition("://")[0].lower() if "://" in written else ""
    if scheme.startswith("grpc"):
        raise BadValue(
            f"{shown(value)} is an address for traces (OTLP/gRPC); write that of the Satellite's pages, "
            "for example http://satellite:9999"
        )
    try:
        return satellite_url(written if scheme else f"http://{written}")
    except BadValue as error:
        if "://" in written:
            raise
        raise BadValue(f"{error}; for example {PAGES.host}:{PAGES.port} or https://satellite") from None


def _contradictions(config: ClientConfig, origins: Origins) -> Remarks:
    if config.tls_client_key_path and not config.tls_client_cert_path:
        return [("tls-client-key-path", "needs tls-client-cert-path beside it")]
    return []


CLIENT = Table(
    "Client",
    ClientConfig,
    (
        replace(
            BY_NAME["satellite-url"],
            help="Address of the Satellite's pages: [http(s)://]host[:port][/prefix].",
            parse=pages_url,
            default=PAGES,
            default_text=None,
            older_flags=("--satellite",),
        ),
        replace(
            BY_NAME["satellite-token"],
            help="Bearer token, made under Settings of the Satellite. A command line is visible to every "
            "user of the host: better in LEVO_SATELLITE_TOKEN.",
        ),
        replace(
            BY_NAME["levoai-org-id"],
            help="Organization, where the catalog holds several.",
            older_flags=("--organization",),
        ),
        replace(
            BY_NAME["levo-env"],
            help="Environment, where the application runs in several.",
            default=None,
            older_flags=("--environment",),
        ),
        BY_NAME["tls-ca-cert-path"],
        *(
            BY_NAME[name]
            for name in (
                "ignore-ssl-verify",
                "tls-client-cert-path",
                "tls-client-key-path",
                "http-proxy",
                "https-proxy",
            )
        ),
    ),
    {},
    contradictions=_contradictions,
)
