"""Where to send: the values of ``--output`` and ``--satellite-url``, and how to connect there."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

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


def parse_output(text: str, where: str = "--output") -> OutputTarget:
    """Read ``otlp``, ``jsonl[:PATH]``, ``har[:PATH]`` or ``null``; ``-`` or no PATH is standard output."""
    name, colon, path = text.strip().partition(":")
    try:
        kind = OutputKind(name)
    except ValueError:
        raise _problem(where, f"{text!r} is no output: use otlp, jsonl[:PATH], har[:PATH] or null") from None
    if colon and kind in (OutputKind.OTLP, OutputKind.NULL):
        raise _problem(where, f"{text!r}: {kind.value} takes no path, write just {kind.value!r}")
    if colon and not path:
        raise _problem(
            where, f"{text!r} has no path behind the colon: write {kind.value}:PATH, or {kind.value}:-"
        )
    if "\0" in path:
        raise _problem(where, f"{text!r}: a path cannot hold a NUL character")
    return OutputTarget(kind, Path(path) if path and path != "-" else None)


def parse_satellite_url(text: str, where: str = "--satellite-url") -> SatelliteAddress:
    """Read the Satellite's address.

    ``http(s)://host[:port][/prefix]`` is OTLP/HTTP (the prefix may already end in ``/v1/traces``);
    ``host:port`` and ``grpc(s)://host:port`` are OTLP/gRPC. Raises ConfigError with one line that names the
    value and the fix; a user and password in the URL are not repeated.
    """
    text = text.strip()
    if not text:
        raise _problem(where, "is empty: give http(s)://host[:port][/prefix] or host:port")
    if any(not character.isprintable() or character.isspace() for character in text):
        raise _problem(where, f"{text!r} holds a space or an unprintable character")
    scheme, separator, _ = text.partition("://")
    if not separator:
        if "@" in text:
            raise _problem(
                where, "a user or password cannot be part of the address: use the organisation's token"
            )
        return _grpc(text, _split(text, "//" + text, where), where, tls=False)
    url = _split(text, text, where)
    if "@" in url.netloc:
        raise _problem(where, "a user or password cannot be part of the URL: use the organisation's token")
    scheme = scheme.lower()
    if scheme in ("grpc", "grpcs"):
        return _grpc(text, url, where, tls=scheme == "grpcs")
    if scheme not in ("http", "https"):
        raise _problem(
            where, f"{text!r}: scheme {scheme!r} is not known: use http, https, grpc, grpcs or host:port"
        )
    if url.query or url.fragment or text.endswith(("?", "#")):
        raise _problem(where, f"{text!r}: leave out what follows the path (? or #)")
    tls = scheme == "https"
    port = _port(text, url, where)
    prefix = url.path.rstrip("/").removesuffix("/v1/traces").rstrip("/")
    return SatelliteAddress(
        Transport.HTTP, _host(text, url, where), (443 if tls else 80) if port is None else port, tls, prefix
    )


def _grpc(text: str, url: SplitResult, where: str, tls: bool) -> SatelliteAddress:
    if url.path.strip("/") or url.query or url.fragment:
        raise _problem(
            where,
            f"{text!r}: OTLP/gRPC has no path: write host:port, or http://host:port/prefix for OTLP/HTTP",
        )
    host = _host(text, url, where)
    port = _port(text, url, where)
    if port is None:
        raise _problem(where, f"{text!r} has no port: write for example {text.rstrip('/')}:4317")
    return SatelliteAddress(Transport.GRPC, host, port, tls)


def _split(text: str, url: str, where: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # unbalanced brackets
        raise _problem(
            where, f"{text!r} has no usable host: write for example http://satellite:9999"
        ) from None


def _host(text: str, url: SplitResult, where: str) -> str:
    try:
        host = url.hostname
    except ValueError:
        host = None
    if not host or (":" in host and not url.netloc.startswith("[")) or not _is_host(host):
        raise _problem(where, f"{text!r} has no usable host: write for example http://satellite:9999")
    return host


def _is_host(host: str) -> bool:
    if ":" in host:
        return all(character in "0123456789abcdef:.%" or "%" in host for character in host)
    return all(character.isalnum() or character in "-._" for character in host)


def _port(text: str, url: SplitResult, where: str) -> int | None:
    try:
        port = url.port
    except ValueError:
        port = 0
    if port == 0 or (port is None and url.netloc.endswith(":")):
        raise _problem(where, f"{text!r}: the port must be a number from 1 to 65535")
    return port


def _check_sendable(value: str, where: str) -> None:
    if not value.isascii() or not value.isprintable() or value != value.strip():
        raise _problem(where, "must be printable ASCII without surrounding spaces, it is sent as a header")


def _problem(where: str, text: str) -> ConfigError:
    return ConfigError(Problem(where, text))
