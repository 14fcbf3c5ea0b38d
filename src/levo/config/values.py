"""How one setting is read from text. Every function takes what the user wrote and returns a typed value.

A parser raises :class:`BadValue` whose text names the value and the fix; whoever called it knows whether
the text came from a flag, a variable or a file, and says so.
"""

from __future__ import annotations

import ipaddress
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from levo.model.regex import Regex

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_DURATION = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(ms|s|m|h|d)?", re.ASCII)
_DURATION_UNITS_NS = {
    "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000, "d": 86_400_000_000_000,
}  # fmt: skip
LONGEST_NS = 31 * 86_400_000_000_000
_SIZE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([A-Za-z]*)", re.ASCII)
_SIZE_UNITS = {
    "": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
    "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30, "ti": 1 << 40,
}  # fmt: skip
_PLACEHOLDER = re.compile(r"\s*<.*>\s*", re.DOTALL)
_LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
_HOST_NAME = re.compile(rf"(?=.{{1,254}}$){_LABEL}(?:\.{_LABEL})*\.?")


class BadValue(ValueError):
    """A value that cannot be used. The text names it and says what to write instead."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression of the user's, searched and not anchored, in linear time (RE2 syntax)."""

    text: str
    compiled: Regex = field(repr=False, compare=False)
    """A compiled ``re2`` expression; ``search`` takes str or bytes."""

    def __str__(self) -> str:
        return self.text

    def search(self, value: str | bytes) -> bool:
        return self.compiled.search(value) is not None


@dataclass(frozen=True, slots=True)
class HostPort:
    """An address to listen on or to connect to."""

    host: str
    """A name or an address; IPv6 without its brackets."""
    port: int
    """0, where it is allowed, lets the system choose."""

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class SatelliteUrl:
    """Where traces go, and which of the two OTLP transports takes them there."""

    transport: Literal["http", "grpc"]
    host: str
    port: int
    tls: bool
    prefix: str = ""
    """Path in front of ``/v1/traces``, without a final slash; always empty for gRPC."""

    @property
    def authority(self) -> str:
        """``host:port``, IPv6 in brackets."""
        return str(HostPort(self.host, self.port))

    @property
    def origin(self) -> str:
        """Without the prefix: ``http://host:port``."""
        return f"{self.transport}{'s' if self.tls else ''}://{self.authority}"

    @property
    def traces_path(self) -> str:
        """What an OTLP/HTTP exporter posts traces to (OTLP specification, OTLP/HTTP request)."""
        return f"{self.prefix}/v1/traces"

    @property
    def metrics_path(self) -> str:
        return f"{self.prefix}/v1/metrics"

    def __str__(self) -> str:
        return self.origin + self.prefix


@dataclass(frozen=True, slots=True)
class ProxyUrl:
    """An HTTP proxy. ``str()`` is for people's eyes: without the credentials."""

    scheme: Literal["http", "https"]
    host: str
    """A name or an address; IPv6 without its brackets."""
    port: int
    credentials: str | None = field(default=None, repr=False)
    """``user:password`` for basic authentication, percent-decoding undone."""
    written: str = field(default="", repr=False, compare=False)
    """As the user wrote it, credentials included."""

    @property
    def url(self) -> str:
        """``scheme://host:port``, without credentials."""
        return f"{self.scheme}://{HostPort(self.host, self.port)}"

    def __str__(self) -> str:
        return self.url if self.credentials is None else self.url.replace("://", "://***@", 1)


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """One destination: ``otlp``, ``null``, ``jsonl[:PATH]`` or ``har[:PATH]``."""

    kind: Literal["otlp", "jsonl", "har", "null"]
    path: str | None = None
    """None is standard output (``jsonl``, ``har``)."""

    @property
    def on_stdout(self) -> bool:
        return self.kind in ("jsonl", "har") and self.path is None

    def __str__(self) -> str:
        return self.kind if self.path is None else f"{self.kind}:{self.path}"


@dataclass(frozen=True, slots=True)
class PortRange:
    """TCP ports from *first* to *last*, both included."""

    first: int
    last: int

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


def text(value: str) -> str:
    """One line of printable text, not empty, and no placeholder left from an example."""
    stripped = value.strip()
    if not stripped:
        raise BadValue("is empty; give a value or leave it out")
    if _PLACEHOLDER.fullmatch(stripped):
        raise BadValue(f"{shown(value)} is the placeholder of the example; put your own value there")
    if any(ord(char) < 32 or ord(char) == 127 for char in stripped):
        raise BadValue(f"{shown(value)} holds a control character; write it without")
    return stripped


def header_text(value: str) -> str:
    """Text that may become the value of an HTTP field: visible ASCII and blanks (RFC 9110 section 5.5)."""
    result = text(value)
    if not result.isascii():
        raise BadValue(f"{shown(value)} holds characters outside ASCII; it is sent as a header")
    return result


def token(value: str) -> str:
    """A bearer token. The value is not named when it is bad."""
    try:
        result = header_text(value)
    except BadValue:
        result = ""
    if not result or any(char.isspace() for char in result):
        raise BadValue("is not a token; give it as the Satellite printed it: visible ASCII, without blanks")
    return result


def path(value: str) -> str:
    """A path; ``~`` is the home directory, also where no shell replaces it."""
    return os.path.expanduser(text(value))


def readable_file(value: str) -> str:
    """The path of a file that can be read."""
    written = path(value)
    if not os.path.isfile(written):
        raise BadValue(f"{shown(value)} is not a file")
    if not os.access(written, os.R_OK):
        raise BadValue(f"{shown(value)} cannot be read; check its permissions")
    return written


def flag(value: str) -> bool:
    """``true`` or ``false``, in the spellings people use."""
    lowered = value.strip().lower()
    if lowered in ("true", "yes", "on", "1"):
        return True
    if lowered in ("false", "no", "off", "0"):
        return False
    raise BadValue(f"{shown(value)} is neither true nor false")


def duration_ns(value: str) -> int:
    """A time above zero, nanoseconds: ``10`` (seconds), ``1.0``, ``500ms``, ``1h``, ``1d``, ``1m30s``."""
    written = text(value).lower()
    total, at = 0.0, 0
    while at < len(written):
        found = _DURATION.match(written, at)
        plain = found is not None and found[1] is None
        if found is None or (plain and found.end() - at != len(written)):
            at = -1
            break
        digits = found[0][: len(found[0]) - len(found[1] or "")]
        total += float(digits) * _DURATION_UNITS_NS[found[1] or "s"]
        at = found.end()
    if at <= 0:
        raise BadValue(f"{shown(value)} is not a time; write seconds or a unit, for example 10, 10s or 500ms")
    if not 0 < total <= LONGEST_NS:
        raise BadValue(f"{shown(value)} is out of range; write a time above zero, at most 31d")
    return max(1, round(total))


def size_bytes(value: str, least: int = 0, most: int = 1 << 40) -> int:
    """A number of octets: ``10000000``, ``64MiB`` (2**20), ``10MB`` (10**6)."""
    found = _SIZE.fullmatch(text(value).replace("_", ""))
    unit = _SIZE_UNITS.get(found[2].lower()) if found else None
    if found is None or unit is None:
        if found is not None and found[2].lower() in ("k", "m", "g"):
            letter = found[2].upper()
            raise BadValue(f"{shown(value)} is ambiguous; write {found[1]}{letter}iB or {found[1]}{letter}B")
        raise BadValue(f"{shown(value)} is not a size; write octets or a unit, for example 10000000 or 64MiB")
    size = round(float(found[1]) * unit) if "." in found[1] else int(found[1]) * unit
    if size < least:
        raise BadValue(f"{shown(value)} is too small; at least {show_size(least)} are needed")
    if size > most:
        raise BadValue(f"{shown(value)} is too large; at most {show_size(most)} are possible")
    return size


def count(value: str, *, least: int, most: int) -> int:
    """A whole number from *least* to *most*."""
    if not value.strip().isascii() or not value.strip().isdigit() or not least <= int(value) <= most:
        raise BadValue(f"{shown(value)} is not a whole number from {least} to {most}")
    return int(value)


def rate(value: str) -> float:
    """A number of things per unit of time, 0 or above, decimals allowed."""
    try:
        number = float(text(value))
    except ValueError:
        raise BadValue(f"{shown(value)} is not a number; for example 1000 or 0.5 (0 = no limit)") from None
    if not math.isfinite(number) or number < 0:
        raise BadValue(f"{shown(value)} is out of range; write a number of 0 or above (0 = no limit)")
    return number


def pattern(value: str) -> Pattern:
    """A regular expression in RE2 syntax, compiled. Commas belong to it."""
    if not value:
        raise BadValue("is an empty regex, which matches everything; leave it out")
    if _PLACEHOLDER.fullmatch(value) and "INSERT" in value.upper():
        raise BadValue(f"{shown(value)} is the placeholder of the example; put your own value there")
    import re2  # type: ignore[import-untyped]  # about 8 ms, only for users who have a regex

    options = re2.Options()
    options.log_errors = False
    options.max_mem = 8 << 20
    try:
        return Pattern(value, re2.compile(value, options))
    except re2.error as error:
        reason = error.args[0] if error.args else "not a regex"
        if isinstance(reason, bytes):
            reason = reason.decode("utf-8", "replace")
        hint = "; look-around and back-references are not supported" if "invalid perl operator" in reason or (
            "invalid escape sequence: \\" in reason and reason[-1:].isdigit()) else ""  # fmt: skip
        raise BadValue(f"{shown(value)} is not a regex: {_one_line(reason)}{hint}") from None


def host_port(value: str) -> HostPort:
    """``host:port``, ``[v6]:port`` or ``:port`` (every address)."""
    written = text(value)
    host, port = _split_host_port(written)
    if port is None:
        raise BadValue(f"{shown(value)} has no port; write host:port, for example 127.0.0.1:9464")
    return HostPort(host or "0.0.0.0", port)


def listen_address(value: str) -> HostPort:
    """As :func:`host_port`; port 0 lets the system choose."""
    host, colon, port = text(value).rpartition(":")
    if colon and port.isascii() and port.isdigit() and not int(port[:6]):
        return HostPort(host_port(f"{host}:1").host, 0)
    return host_port(value)


def satellite_url(value: str) -> SatelliteUrl:
    """The Satellite: ``http(s)://host[:port][/prefix]``, ``host:port`` or ``grpc(s)://host:port``."""
    if "@" in value.partition("://")[2].partition("/")[0] or "@" in value.partition("/")[0]:
        raise BadValue("holds a user name or a password; write the URL without them")
    written = text(value)
    scheme, mark, rest = written.partition("://")
    scheme = scheme.lower()
    if not mark:
        if "/" in written:
            raise BadValue(f"{shown(value)} has a path; write http:// in front of it, or host:port")
        host, port = _split_host_port(written)
        if not host or port is None:
            raise BadValue(
                f"{shown(value)} is not a Satellite address; write http(s)://host[:port] or host:port "
                "(for example localhost:4317)"
            )
        return SatelliteUrl("grpc", host, port, tls=False)
    if scheme not in ("http", "https", "grpc", "grpcs"):
        raise BadValue(f"{shown(value)} has an unknown scheme; write http://, https://, grpc:// or grpcs://")
    try:
        parts = urlsplit(f"{scheme}://{rest}")
    except ValueError as error:
        raise BadValue(f"{shown(value)} is not a URL: {error}") from None
    host, port = _split_host_port(parts.netloc)
    if not host:
        raise BadValue(f"{shown(value)} has no host; write {scheme}://host:port")
    if parts.query or parts.fragment or "?" in rest or "#" in rest:
        raise BadValue(f"{shown(value)} has a query or a fragment; write the URL without")
    tls = scheme.endswith("s")
    prefix = parts.path.rstrip("/").removesuffix("/v1/traces").rstrip("/")
    if scheme.startswith("grpc"):
        if prefix:
            raise BadValue(
                f"{shown(value)} has a path, which gRPC does not know; write {scheme}://{parts.netloc}"
            )
        if port is None:
            raise BadValue(f"{shown(value)} has no port; write {scheme}://{host}:4317")
        return SatelliteUrl("grpc", host, port, tls)
    if any(char.isspace() for char in prefix):
        raise BadValue(f"{shown(value)} holds a blank; write the URL without")
    return SatelliteUrl("http", host, port if port is not None else (443 if tls else 80), tls, prefix)


def proxy_url(value: str) -> ProxyUrl:
    """``http://[user:password@]host:port``. The value is not named when it is bad: it may hold a password."""
    try:
        written = text(value)
        parts = urlsplit(written)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError:  # BadValue is one
        scheme, host, port = "", None, None
    if scheme not in ("http", "https") or not host or port is None or " " in written:
        raise BadValue("is not the URL of a proxy; write http://host:port")
    credentials = None
    if parts.username is not None:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return ProxyUrl("https" if scheme == "https" else "http", host, port, credentials, written)


def output(value: str) -> OutputSpec:
    """``otlp``, ``null``, ``jsonl[:PATH]`` or ``har[:PATH]``."""
    kind, colon, path = text(value).partition(":")
    kind = kind.lower()
    if kind in ("jsonl", "har"):
        if colon and not path:
            raise BadValue(f"{shown(value)} names no file; write {kind}:PATH, or {kind} for standard output")
        return OutputSpec("jsonl" if kind == "jsonl" else "har", None if path in ("", "-") else path)
    if kind in ("otlp", "null"):
        if colon:
            raise BadValue(f"{shown(value)}: {kind} takes no path; write {kind}")
        return OutputSpec("otlp" if kind == "otlp" else "null")
    raise BadValue(f"{shown(value)} is not an output; write otlp, jsonl[:PATH], har[:PATH] or null")


def choice(*allowed: str) -> Any:
    """A parser for one of *allowed*."""

    def parse(value: str) -> str:
        lowered = value.strip().lower()
        if lowered not in allowed:
            raise BadValue(f"{shown(value)} is not known; write {_either(allowed)}")
        return lowered

    return parse


def port(value: str) -> int:
    """A port from 1 to 65535."""
    return _port(value.strip())


def port_range(value: str) -> PortRange:
    """``53`` or ``2379-2380``."""
    first, dash, last = value.strip().partition("-")
    try:
        found = PortRange(_port(first.strip()), _port((last if dash else first).strip()))
    except BadValue:
        found = PortRange(1, 0)
    if found.first > found.last:
        raise BadValue(f"{shown(value)} is not a port or range of ports; write for example 53 or 2379-2380")
    return found


def network(value: str) -> Network:
    """An address, ``10.0.0.0/8`` or ``10.0.0.0/255.0.0.0``; bits behind the prefix are ignored."""
    try:
        return ipaddress.ip_network(value.strip(), strict=False)
    except ValueError:
        raise BadValue(
            f"{shown(value)} is not a network; write for example 10.0.0.0/8 or 192.0.2.7"
        ) from None


def shown(value: str) -> str:
    """*value* as an error message shows it: quoted, on one line, not endless."""
    return f"'{_one_line(value)}'"


def show_flag(value: bool) -> str:
    return "true" if value else "false"


def show_duration(nanoseconds: int) -> str:
    """The shortest spelling that :func:`duration_ns` reads back."""
    for unit in ("h", "m", "s", "ms"):
        size = _DURATION_UNITS_NS[unit]
        if nanoseconds % size == 0 and (unit != "h" or nanoseconds >= size):
            return f"{nanoseconds // size}{unit}"
    return f"{nanoseconds / 1e6:.6f}".rstrip("0") + "ms"


def show_size(size: int) -> str:
    """The shortest exact spelling that :func:`size_bytes` reads back."""
    for unit in ("GiB", "MiB", "KiB"):
        step = _SIZE_UNITS[unit.lower()]
        if size and size % step == 0:
            return f"{size // step}{unit}"
    return str(size)


def show_rate(number: float) -> str:
    return str(int(number)) if number == int(number) else repr(number)


def _either(words: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _one_line(value: str) -> str:
    flat = "".join(char if char.isprintable() else "?" for char in value)
    return f"{flat[:117]}..." if len(flat) > 120 else flat


def _split_host_port(written: str) -> tuple[str, int | None]:
    if written.startswith("["):
        host, bracket, rest = written[1:].partition("]")
        try:
            ipaddress.IPv6Address(host.partition("%")[0])
        except ValueError:
            bracket = ""
        if not bracket or (rest and not rest.startswith(":")):
            raise BadValue(f"{shown(written)} is not an address; write [2001:db8::1]:4317")
        return host, _port(rest[1:]) if rest else None
    if written.count(":") > 1:
        raise BadValue(f"{shown(written)} is not a host:port; put an IPv6 address in brackets: [::1]:4317")
    host, colon, port = written.partition(":")
    if host and not _HOST_NAME.fullmatch(host):
        raise BadValue(f"{shown(written)}: {shown(host)} is not a host name or address")
    return host, _port(port) if colon else None


def _port(written: str) -> int:
    if not (written.isascii() and written.isdigit()) or len(written) > 5 or not 1 <= int(written) <= 65535:
        raise BadValue(f"{shown(written)} is not a port; ports go from 1 to 65535")
    return int(written)
