"""The sensor's configuration: one frozen value, valid as a whole. See also ``options.OPTIONS``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from levo.config.rules import IpFilter, Redaction, UrlFilter
from levo.config.table import Origins, Remarks
from levo.config.values import HostPort, OutputSpec, Pattern, ProxyUrl, SatelliteUrl

MOST_VXLAN_PORTS = 16
"""The engine's bound (``engine/net/layer.pxd``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorConfig:
    """Fields are named like the options, with ``_`` for ``-``; times end in ``_ns``, sizes in ``_bytes``."""

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
    trace_export_interval_ns: int

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
    spool_max_bytes: int
    ignore_ssl_verify: bool
    tls_ca_cert_path: str | None
    tls_client_cert_path: str | None
    tls_client_key_path: str | None
    http_proxy: ProxyUrl | None
    https_proxy: ProxyUrl | None

    max_http_length_bytes: int
    stream_timeout_ns: int
    connection_idle_timeout_ns: int
    ignore_network_tags: bool
    merge_hops: bool
    vxlan_ports: tuple[int, ...]
    """Besides the usual ones."""
    tls_keylog: str | None
    """A key log file to read TLS with; it may not exist yet."""
    tls_probe: str
    """Where ``levo tls probe`` listens, if it runs; ``off``: it is not looked for."""
    max_memory_bytes: int

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


def contradictions(config: SensorConfig, origins: Origins) -> Remarks:
    """Settings that cannot go together, by the option to blame."""
    found: Remarks = []
    on_stdout = [spec for spec in config.output if spec.on_stdout]
    if len(on_stdout) > 1:
        both = " and ".join(map(str, on_stdout))
        found.append(("output", f"{both} both write to standard output; give one a PATH"))
    paths = [spec.path for spec in config.output if spec.path is not None]
    if len(set(paths)) < len(paths):
        found.append(("output", "two outputs write to the same file; give each its own"))
    kinds = [spec.kind for spec in config.output]
    if kinds.count("otlp") > 1:
        found.append(("output", "otlp is given twice; there is one Satellite"))
    if config.no_redact and "otlp" in kinds:
        found.append(
            ("no-redact", "sends credentials to the Satellite; use it with jsonl, har or null outputs only")
        )
    if config.tls_client_key_path and not config.tls_client_cert_path:
        found.append(("tls-client-key-path", "needs tls-client-cert-path beside it"))
    if len(config.vxlan_ports) > MOST_VXLAN_PORTS:
        found.append(("vxlan-port", f"{len(config.vxlan_ports)} ports; write at most {MOST_VXLAN_PORTS}"))
    if config.read is not None and config.interfaces:
        found.append(("interfaces", "cannot go with --read: capture, or read a file"))
    if (
        config.max_http_length_bytes > config.max_memory_bytes
        and origins["max-http-length"].kind != "default"
    ):
        found.append(("max-http-length", "is larger than max-memory; no such message could be kept"))
    return found


def without_effect(config: SensorConfig, origins: Origins) -> Remarks:
    """Settings that were written and that the others leave nothing to do."""
    found: Remarks = []
    if all(spec.kind != "otlp" for spec in config.output):
        for name in ("satellite-url", "spool-dir"):
            if origins[name].kind != "default":
                found.append((name, "no output is otlp"))
    if config.no_redact and config.redact != Redaction():
        found.append(("redact", "--no-redact masks nothing"))
    return found
