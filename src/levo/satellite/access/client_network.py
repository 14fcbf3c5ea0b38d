"""What counts as one client where clients are counted."""

from __future__ import annotations

import ipaddress


def network_of(host: str) -> str:
    """Return what belongs to one client: an IPv4 address, or the /64 network of an IPv6 address."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if address.version == 4 or address.ipv4_mapped is not None:
        return str(address)
    return f"{int(address) >> 64:x}/64"
