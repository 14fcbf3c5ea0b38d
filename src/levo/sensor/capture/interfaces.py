"""Network interfaces of the current network namespace, asked from the kernel by rtnetlink(7).

Netlink rather than /sys/class/net: a process that changed its network namespace still sees the old /sys.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address

_NEWLINK, _GETLINK, _NEWADDR, _GETADDR = 16, 18, 20, 22
_ERROR, _DONE = 2, 3
_REQUEST_DUMP = 0x301
_LINK_NAME = 3
_ADDRESS, _LOCAL = 1, 2

_UP, _LOOPBACK, _RUNNING = 0x1, 0x8, 0x40

ANY = "any"
"""libpcap's name for all interfaces, also those that come up later, on one handle."""
MOST_SEPARATE = 16
"""Interfaces that are captured each on its own where none is named."""

_UNREADABLE_TYPES = frozenset({280, 804, 805, 820, 824, 825, 826})
"""ARPHRD_ values of devices that carry no IP: CAN, IEEE 802.15.4, 6LoWPAN, phonet, netlink monitor, vsock."""


@dataclass(frozen=True, slots=True)
class Interface:
    """One network interface as it is now."""

    name: str
    index: int
    up: bool
    """Administratively up (IFF_UP); capture is possible."""
    running: bool
    """Has a carrier (IFF_RUNNING)."""
    loopback: bool
    hardware_type: int
    """ARPHRD_ value: 1 Ethernet, 772 loopback, 65534 none (tun) ..."""
    addresses: tuple[IPv4Address | IPv6Address, ...] = field(default=())
    """Own addresses, in the kernel's order."""

    @property
    def readable(self) -> bool:
        """Whether its frames can hold IP packets."""
        return self.hardware_type not in _UNREADABLE_TYPES


def list_interfaces() -> list[Interface]:
    """All interfaces, by index. Raises ``OSError`` where the kernel refuses netlink sockets."""
    addresses: dict[int, list[IPv4Address | IPv6Address]] = {}
    for payload in _dump(_GETADDR, _NEWADDR, struct.pack("=BBBBi", 0, 0, 0, 0, 0)):
        if len(payload) < 8:
            continue
        family, _, _, _, index = struct.unpack_from("=BBBBi", payload)
        if family not in (socket.AF_INET, socket.AF_INET6):
            continue
        attributes = dict(_attributes(payload[8:]))
        octets = attributes.get(_LOCAL, attributes.get(_ADDRESS))
        if octets is not None and len(octets) in (4, 16):
            addresses.setdefault(index, []).append(ip_address(octets))
    found = []
    for payload in _dump(_GETLINK, _NEWLINK, struct.pack("=BxHiII", 0, 0, 0, 0, 0)):
        if len(payload) < 16:
            continue
        _, hardware_type, index, flags, _ = struct.unpack_from("=BxHiII", payload)
        name = dict(_attributes(payload[16:])).get(_LINK_NAME)
        if name is None:
            continue
        found.append(
            Interface(
                name=name.rstrip(b"\0").decode("utf-8", "surrogateescape"),
                index=index,
                up=bool(flags & _UP),
                running=bool(flags & _RUNNING),
                loopback=bool(flags & _LOOPBACK),
                hardware_type=hardware_type,
                addresses=tuple(addresses.get(index, ())),
            )
        )
    return sorted(found, key=lambda each: each.index)


def default_interfaces(listed: Iterable[Interface]) -> list[str]:
    """What to capture on where nothing is named: all that are up and can carry IP; of many, ``ANY``."""
    names = [each.name for each in listed if each.up and each.readable]
    return names if len(names) <= MOST_SEPARATE else [ANY]


def _dump(request: int, answer: int, body: bytes) -> Iterator[bytes]:
    """Payloads of the *answer* messages to a dump *request* (RFC 3549 section 2.3)."""
    kind_of_socket = socket.SOCK_RAW | socket.SOCK_CLOEXEC
    with socket.socket(socket.AF_NETLINK, kind_of_socket, socket.NETLINK_ROUTE) as link:
        link.bind((0, 0))
        link.settimeout(5.0)
        link.send(struct.pack("=IHHII", 16 + len(body), request, _REQUEST_DUMP, 1, 0) + body)
        while True:
            data = link.recv(262144)
            at = 0
            while at + 16 <= len(data):
                length, kind, _, _, _ = struct.unpack_from("=IHHII", data, at)
                if length < 16 or at + length > len(data):
                    return
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    code = struct.unpack_from("=i", data, at + 16)[0] if length >= 20 else 0
                    raise OSError(-code, "the kernel refused to list network interfaces")
                if kind == answer:
                    yield data[at + 16 : at + length]
                at += (length + 3) & ~3


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(type, value) of the route attributes in *data*."""
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4 or at + length > len(data):
            return
        yield kind & 0x3FFF, data[at + 4 : at + length]
        at += (length + 3) & ~3
