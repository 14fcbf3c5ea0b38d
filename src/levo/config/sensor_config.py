"""The sensor's configuration: one frozen value, valid as a whole. See also ``options.OPTIONS``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from levo.config.rules import IpFilter, Redaction, UrlFilter
from levo.config.values import HostPort, OutputSpec, Pattern, ProxyUrl, SatelliteUrl


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorConfig:
    """Field names are the option names with ``_`` for ``-``. Times are nanoseconds, sizes octets."""

    satellite_url: SatelliteUrl | None
    """As given; use :attr:`satellite`, which falls back to ``collector_endpoint``."""
    collector_endpoint: SatelliteUrl
    collector_grpc_transport: bool
    satellite_token: str | None = field(repr=False)
    levo_env: str
    levoai_org_id: str | None
    aws_region: str | None
    default_service_name: str
    service_name: str | None

    rate_limit: float
    """Traces per minute; 0 is no limit."""
    max_per_endpoint_exported_requests_per_second: float
    """0 is no limit."""
    trace_export_interval: int

    filter: str | None
    interfaces: tuple[str, ...]
    """Empty is all that are up."""
    read: str | None
    """A capture file, ``-`` is standard input; None is live capture."""
    host_allow: tuple[Pattern, ...]
    host_exclusions: tuple[Pattern, ...]
    path_allow: tuple[Pattern, ...]
    path_exclusions: tuple[Pattern, ...]
    ip_filter_list: IpFilter
    url_filter: UrlFilter

    redact: Redaction
    no_redact: bool

    output: tuple[OutputSpec, ...]
    spool_dir: str | None
    spool_max_size: int
    ignore_ssl_verify: bool
    tls_ca_cert_path: str | None
    tls_client_cert_path: str | None
    tls_client_key_path: str | None
    http_proxy: ProxyUrl | None
    https_proxy: ProxyUrl | None

    max_http_length: int
    stream_timeout_seconds: int
    """Nanoseconds, in spite of the option's name."""
    connection_idle_timeout: int
    """Nanoseconds."""
    tls_keylog: str | None
    """A key log file to read TLS with; it may not exist yet."""
    max_memory: int

    listen: HostPort | None
    log_format: Literal["text", "json"]
    log_level: Literal["debug", "info", "warning", "error"]
    dry_run: bool

    @property
    def satellite(self) -> SatelliteUrl:
        """Where traces go: ``satellite-url``, else ``collector-endpoint`` over its transport."""
        if self.satellite_url is not None:
            return self.satellite_url
        end = self.collector_endpoint
        transport: Literal["http", "grpc"] = "grpc" if self.collector_grpc_transport else "http"
        return SatelliteUrl(transport, end.host, end.port, end.tls, "" if transport == "grpc" else end.prefix)
