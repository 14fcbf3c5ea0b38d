"""Where to send and how to connect there, as values. ``levo.config`` reads them from what users write."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from levo.errors import ConfigError, Problem


class OutputKind(StrEnum):
    """The kinds of ``--output``."""

    OTLP = "otlp"
    JSONL = "jsonl"
    HAR = "har"
    NULL = "null"


class Transport(StrEnum):
    """How OTLP travels."""

    HTTP = "http"
    GRPC = "grpc"


@dataclass(frozen=True, slots=True)
class OutputTarget:
    """One ``--output``."""

    kind: OutputKind
    path: Path | None = None
    """File of ``jsonl`` and ``har``; None is standard output."""

    def __str__(self) -> str:
        return self.kind.value if self.path is None else f"{self.kind.value}:{self.path}"


@dataclass(frozen=True, slots=True)
class SatelliteAddress:
    """Where the Satellite, or any OpenTelemetry collector, listens."""

    transport: Transport
    host: str
    """Name or address; IPv6 without brackets."""
    port: int
    tls: bool = False
    prefix: str = ""
    """Path in front of ``/v1/traces``, empty or with a leading and without a trailing slash."""

    @property
    def authority(self) -> str:
        """``host:port``, IPv6 in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def url(self, path: str) -> str:
        """The URL of an OTLP/HTTP signal, such as ``/v1/traces``."""
        return f"{'https' if self.tls else 'http'}://{self.authority}{self.prefix}{path}"

    def __str__(self) -> str:
        if self.transport is Transport.HTTP:
            return self.url("")
        return f"{'grpcs' if self.tls else 'grpc'}://{self.authority}"


@dataclass(frozen=True, slots=True)
class OtlpSettings:
    """How to reach the Satellite and who we are there."""

    address: SatelliteAddress
    organization_id: str | None = None
    """Sent as header or metadata ``x-levo-organization-id``."""
    token: str | None = field(default=None, repr=False)
    """Sent as ``authorization: Bearer …``."""
    ca_cert_path: Path | None = None
    """PEM bundle that replaces the system's certificate authorities."""
    client_cert_path: Path | None = None
    client_key_path: Path | None = None
    ignore_ssl_verify: bool = False
    http_proxy: str | None = field(default=None, repr=False)
    """URL of the proxy for plain HTTP and gRPC; may hold a user and password."""
    https_proxy: str | None = field(default=None, repr=False)
    """URL of the proxy for connections under TLS."""
    connect_timeout_s: float = 5.0
    request_timeout_s: float = 10.0
    """Longest wait for the answer to one request."""

    def headers(self) -> dict[str, str]:
        """Header fields (HTTP) or metadata (gRPC) that say who sends. Raises ConfigError if unsendable."""
        headers: dict[str, str] = {}
        if self.organization_id:
            _check_sendable(self.organization_id, "--levoai-org-id")
            headers["x-levo-organization-id"] = self.organization_id
        if self.token:
            _check_sendable(self.token, "token")
            headers["authorization"] = f"Bearer {self.token}"
        return headers

    @property
    def proxy(self) -> str | None:
        """The proxy that applies to the address."""
        return self.https_proxy if self.address.tls else self.http_proxy


def _check_sendable(value: str, where: str) -> None:
    if not value.isascii() or not value.isprintable() or value != value.strip():
        raise _problem(where, "must be printable ASCII without surrounding spaces, it is sent as a header")


def _problem(where: str, text: str) -> ConfigError:
    return ConfigError(Problem(where, text))
