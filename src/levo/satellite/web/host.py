"""What a Host header names: checked, because it comes back in pages and in commands to copy."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

LOOPBACK_NAMES = "localhost, names that end in .localhost, 127.0.0.0/8 and [::1]"
"""What :func:`names_loopback` accepts, in words."""
_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")


@dataclass(frozen=True, slots=True)
class Address:
    """Where somebody reached this Satellite: a host, checked, and a port."""

    host: str
    """A DNS name or an IP address, an IPv6 address without brackets."""
    port: int | None
    """None: the scheme's own."""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"


def read_host(header: str) -> Address | None:
    """Return what a Host header (RFC 9110 section 7.2) names, None if that is not a name or IP address."""
    if len(header) > 300 or not header.isascii():
        return None
    text, port = header.strip(), None
    closing = text.rfind("]")
    host, colon, digits = text.rpartition(":") if text.rfind(":") > closing else (text, "", "")
    if colon:
        if not digits.isdigit() or len(digits) > 5 or not 0 < int(digits) < 65536:
            return None
        port = int(digits)
    if host.startswith("[") and host.endswith("]"):
        try:
            return Address(str(ipaddress.IPv6Address(host[1:-1])), port) if "%" not in host else None
        except ValueError:
            return None
    if not _NAME.fullmatch(host) or len(host) > 253:
        return None
    return Address(host.lower(), port)


def names_loopback(host: str) -> bool:
    """Whether a Host header (RFC 9110 section 7.2) names this machine's loopback. An absent one does."""
    name = host.strip().lower()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") <= 1:
        name = name.partition(":")[0]
    if name in ("", "localhost") or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
