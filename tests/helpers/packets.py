"""Frames from their parts: Ethernet, 802.1Q, IPv4, IPv6, TCP (RFC 9293, 791, 8200).

Everything here builds octets for a test; nothing parses. Checksums are right, so that a capture made from
these frames can also be read by tools that verify them.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass, replace
from functools import cache

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32

ETHERNET = 1
"""LINKTYPE_ETHERNET of the capture file formats."""

CapturedFrame = tuple[int, bytes, int]
"""(capture time in ns, captured octets, length on the wire): what ``Engine.feed`` takes."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One TCP segment between the two ends of a conversation, not yet inside a packet."""

    from_client: bool
    seq: int
    """Absolute sequence number, modulo 2**32."""
    ack: int
    flags: int
    payload: bytes = b""
    options: bytes = b""
    """TCP options, a multiple of four octets."""
    urgent_pointer: int = 0

    @property
    def length(self) -> int:
        """Sequence space it takes: octets plus one each for SYN and FIN."""
        return len(self.payload) + bool(self.flags & SYN) + bool(self.flags & FIN)


@dataclass(frozen=True, slots=True)
class Ends:
    """The two ends of a conversation."""

    client: str = "10.0.0.1"
    client_port: int = 40001
    server: str = "10.0.0.2"
    server_port: int = 8080

    def with_client_port(self, port: int) -> Ends:
        return replace(self, client_port=port)


@cache
def octets_of(address: str) -> bytes:
    """Parsed once: a property test makes 100,000 packets between two addresses."""
    return ipaddress.ip_address(address).packed


def ones_complement_sum(data: bytes) -> int:
    """The Internet checksum (RFC 1071) of *data*."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def tcp(segment: Segment, ends: Ends) -> bytes:
    """The TCP header and payload of *segment*."""
    source, destination = ends.client, ends.server
    source_port, destination_port = ends.client_port, ends.server_port
    if not segment.from_client:
        source, destination = destination, source
        source_port, destination_port = destination_port, source_port
    offset = (20 + len(segment.options)) // 4
    header = struct.pack(
        "!HHIIBBHHH",
        source_port,
        destination_port,
        segment.seq % 2**32,
        segment.ack % 2**32,
        offset << 4,
        segment.flags,
        65535,
        0,
        segment.urgent_pointer,
    )
    octets = header + segment.options + segment.payload
    pseudo = octets_of(source) + octets_of(destination)
    if len(pseudo) == 8:
        pseudo += struct.pack("!BBH", 0, 6, len(octets))
    else:
        pseudo += struct.pack("!IHBB", len(octets), 0, 0, 6)
    return octets[:16] + struct.pack("!H", ones_complement_sum(pseudo + octets)) + octets[18:]


def ipv4(
    source: str, destination: str, payload: bytes, *, protocol: int = 6, fragment: int = 0, ident: int = 0
) -> bytes:
    """An IPv4 packet; *fragment* is the raw flags-and-offset field (0x4000 is DF)."""
    header = struct.pack(
        "!BBHHHBBH4s4s",
        0x45,
        0,
        20 + len(payload),
        ident,
        fragment,
        64,
        protocol,
        0,
        octets_of(source),
        octets_of(destination),
    )
    return header[:10] + struct.pack("!H", ones_complement_sum(header)) + header[12:] + payload


def ipv6(source: str, destination: str, payload: bytes, *, next_header: int = 6) -> bytes:
    """An IPv6 packet; extension headers, if any, are the start of *payload*."""
    return (
        struct.pack("!IHBB", 6 << 28, len(payload), next_header, 64)
        + octets_of(source)
        + octets_of(destination)
        + payload
    )


def ip(segment: Segment, ends: Ends) -> bytes:
    """The IP packet of *segment*, of the version its addresses have."""
    source, destination = ends.client, ends.server
    if not segment.from_client:
        source, destination = destination, source
    build = ipv6 if ":" in ends.client else ipv4
    return build(source, destination, tcp(segment, ends))


def ethernet(packet: bytes, *, vlans: tuple[int, ...] = (), pad: bytes | None = None) -> bytes:
    """An Ethernet frame around an IP *packet*.

    *vlans* are 802.1Q identifiers, outermost first. Frames below 60 octets get zeros as network cards add
    them (IEEE 802.3 clause 4.2.3.3), or *pad* where given, whatever its length.
    """
    ethertype = 0x86DD if packet[0] >> 4 == 6 else 0x0800
    tags = b"".join(struct.pack("!HH", 0x8100, vlan) for vlan in vlans)
    frame = b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01" + tags + struct.pack("!H", ethertype) + packet
    if pad is not None:
        return frame + pad
    return frame.ljust(60, b"\0")


def frame(segment: Segment, ends: Ends, *, vlans: tuple[int, ...] = ()) -> bytes:
    """The Ethernet frame of *segment*."""
    return ethernet(ip(segment, ends), vlans=vlans)


def captured(
    octets: list[bytes], *, start_ns: int = 1_700_000_000_000_000_000, step_ns: int = 100_000
) -> list[CapturedFrame]:
    """Give frames capture times *step_ns* apart, in the order they have here."""
    return [(start_ns + i * step_ns, data, len(data)) for i, data in enumerate(octets)]


def capture_segments(
    segments: list[Segment],
    ends: Ends | None = None,
    *,
    vlans: tuple[int, ...] = (),
    start_ns: int = 1_700_000_000_000_000_000,
    step_ns: int = 100_000,
) -> list[CapturedFrame]:
    """Segments of one conversation as captured Ethernet frames."""
    ends = ends or Ends()
    return captured([frame(s, ends, vlans=vlans) for s in segments], start_ns=start_ns, step_ns=step_ns)
