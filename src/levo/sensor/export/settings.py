"""Where to send, how to connect there, and who we are."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from levo.config import ProxyUrl, SatelliteUrl
from levo.errors import ConfigError, Problem

EXPORT_MARK = "levo-sensor-export"
"""Header field, or metadata, of everything that a sensor sends. By it sensors recognize exports, also each
other's and those behind address translation, and leave them out (``engine/sampling``)."""


@dataclass(frozen=True, slots=True)
class OtlpSettings:
    """How to reach the Satellite and who we are there."""

    address: SatelliteUrl
    organization_id: str | None = None
    """Sent as header or metadata ``x-levo-organization-id``."""
    token: str | None = field(default=None, repr=False)
    """Sent as ``authorization: Bearer …``."""
    ca_cert_path: Path | None = None
    """PEM bundle that replaces the system's certificate authorities."""
    client_cert_path: Path | None = None
    client_key_path: Path | None = None
    ignore_ssl_verify: bool = False
    http_proxy: ProxyUrl | None = None
    """For plain HTTP and gRPC."""
    https_proxy: ProxyUrl | None = None
    """For connections under TLS."""
    connect_timeout_s: float = 5.0
    request_timeout_s: float = 10.0
    """Longest wait for the answer to one request."""

    instance: str = field(default_factory=lambda: os.urandom(8).hex())
    """Value of the mark: which sensor sends."""

    def headers(self) -> dict[str, str]:
        """Header fields (HTTP) or metadata (gRPC) that say who sends. Raises ConfigError if unsendable."""
        headers: dict[str, str] = {EXPORT_MARK: self.instance}
        if self.organization_id:
            _check_sendable(self.organization_id, "--levoai-org-id")
            headers["x-levo-organization-id"] = self.organization_id
        if self.token:
            _check_sendable(self.token, "token")
            headers["authorization"] = f"Bearer {self.token}"
        return headers

    @property
    def proxy(self) -> ProxyUrl | None:
        """The proxy that applies to the address."""
        return self.https_proxy if self.address.tls else self.http_proxy


def _check_sendable(value: str, where: str) -> None:
    if not value.isascii() or not value.isprintable() or value != value.strip():
        text = "must be printable ASCII without surrounding spaces, it is sent as a header"
        raise ConfigError(Problem(where, text))
