"""Opens connections of webhooks, and none to what only this machine's cloud or link may ask.

Link-local addresses answer with credentials of the machine (cloud metadata) or belong to devices nearby. An
admin of the Satellite need not be one of the machine, so they are refused at the connection, whatever name,
notation or DNS answer led there.
"""

from __future__ import annotations

import ipaddress
import socket
from http.client import HTTPConnection, HTTPSConnection
from typing import Any
from urllib.request import HTTPHandler, HTTPSHandler, Request

_METADATA = frozenset(
    ipaddress.ip_address(each)
    for each in ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16", "192.0.0.192")
)
"""Of clouds whose metadata services have other addresses than link-local ones."""
_EMBEDDING = tuple(
    ipaddress.IPv6Network(each) for each in ("64:ff9b::/96", "64:ff9b:1::/48", "::/96", "::ffff:0:0:0/96")
)
"""Networks whose last 32 bits are an IPv4 address: translation (RFC 6052, 8215, 2765), IPv4-compatible."""


class AddressRefused(OSError):
    """The address may not be connected to. The text says why."""


def refusal(host: str) -> str:
    """Return why the IP address *host* may not be asked; empty if it may."""
    address = ipaddress.ip_address(host.partition("%")[0])
    for each in _meant(address):
        if each.is_link_local:
            return "a link-local address"
        if each in _METADATA:
            return "the address of a cloud's metadata service"
    return ""


def _meant(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Return *address*, and the IPv4 address in it."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    inner = [address.ipv4_mapped, address.sixtofour]
    if any(address in network for network in _EMBEDDING):
        inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [address, *(each for each in inner if each is not None)]


def _connect(
    place: tuple[str, int], timeout: Any = None, source_address: tuple[str, int] | None = None
) -> socket.socket:
    """Connect to the first address of *place* that answers.

    Raises:
        AddressRefused: one of its addresses may not be asked: then none of them is.
    """
    found = socket.getaddrinfo(*place, type=socket.SOCK_STREAM)
    for *_, address in found:
        if reason := refusal(str(address[0])):
            raise AddressRefused(reason)
    failure: OSError = OSError("no address")
    for family, kind, protocol, _, address in found:
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(timeout)
            if source_address:
                connection.bind(source_address)
            connection.connect(address)
            return connection
        except OSError as error:
            failure = error
            connection.close()
    raise failure


class _Connection(HTTPConnection):
    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._create_connection = _connect


class _TlsConnection(HTTPSConnection):
    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._create_connection = _connect


class GuardedHttp(HTTPHandler):
    """Opens ``http`` addresses."""

    def http_open(self, req: Request) -> Any:
        """Called by urllib."""
        return self.do_open(_Connection, req)


class GuardedHttps(HTTPSHandler):
    """Opens ``https`` addresses."""

    def https_open(self, req: Request) -> Any:
        """Called by urllib."""
        return self.do_open(_TlsConnection, req)
