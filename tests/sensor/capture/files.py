"""Capture files of every shape, octet by octet: what the reader must understand, written without its help."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass

TLS_KEY_LOG = 0x544C534B


def frames(count: int, seed: int = 1, largest: int = 300) -> list[tuple[int, bytes, int]]:
    """(time_ns, octets, wire_length) with growing times, whole microseconds."""
    source = random.Random(seed)
    made = []
    for index in range(count):
        octets = source.randbytes(source.randrange(largest))
        made.append((1_700_000_000_000_000_000 + index * 1_001_000, octets, len(octets) + index % 3))
    return made


def tcp_frame(source_port: int, destination_port: int, tags: tuple[int, ...] = (), size: int = 10) -> bytes:
    """Ethernet, VLAN *tags* (their identifiers), IPv4, TCP."""
    tcp = struct.pack("!HHIIBBHHH", source_port, destination_port, 1, 1, 0x50, 0x18, 1000, 0, 0) + bytes(size)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0, b"\x0a\0\0\1", b"\x0a\0\0\2")
    tagging = b"".join(struct.pack("!HH", 0x8100, tag) for tag in tags)
    return b"\2\0\0\0\0\1" + b"\2\0\0\0\0\2" + tagging + b"\x08\0" + ip + tcp


def pcap(
    records: list[tuple[int, bytes, int]],
    *,
    order: str = "<",
    nano: bool = False,
    modified: bool = False,
    link_type: int = 1,
) -> bytes:
    """A pcap file; *modified* is the old form with eight octets more in each record's header."""
    magic = 0xA1B2CD34 if modified else 0xA1B23C4D if nano else 0xA1B2C3D4
    parts = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, link_type)]
    for time_ns, octets, wire in records:
        seconds, rest = divmod(time_ns, 10**9)
        parts.append(struct.pack(order + "IIII", seconds, rest if nano else rest // 1000, len(octets), wire))
        parts.append(bytes(8) if modified else b"")
        parts.append(octets)
    return b"".join(parts)


@dataclass(frozen=True)
class Pcapng:
    """Writes pcapng blocks in one byte order (``<`` or ``>``)."""

    order: str = "<"

    def block(self, kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        total = len(body) + 12
        return struct.pack(self.order + "II", kind, total) + body + struct.pack(self.order + "I", total)

    def option(self, code: int, value: bytes) -> bytes:
        return struct.pack(self.order + "HH", code, len(value)) + value + bytes(-len(value) % 4)

    def section(self) -> bytes:
        options = self.option(4, b"a test") + self.option(0, b"")
        return self.block(0x0A0D0D0A, struct.pack(self.order + "IHHq", 0x1A2B3C4D, 1, 0, -1) + options)

    def interface(
        self, link_type: int = 1, *, snaplen: int = 0, tsresol: int | None = None, tsoffset: int | None = None
    ) -> bytes:
        options = self.option(2, b"eth7")
        if tsresol is not None:
            options += self.option(9, bytes([tsresol]))
        if tsoffset is not None:
            options += self.option(14, struct.pack(self.order + "q", tsoffset))
        if tsresol is not None or tsoffset is not None:
            options += self.option(0, b"")
        return self.block(1, struct.pack(self.order + "HHI", link_type, 0, snaplen) + options)

    def packet(self, ticks: int, octets: bytes, wire: int, interface: int = 0) -> bytes:
        head = struct.pack(
            self.order + "IIIII", interface, ticks >> 32, ticks & 0xFFFFFFFF, len(octets), wire
        )
        comment = self.option(1, b"seen") + self.option(0, b"")
        return self.block(6, head + octets + bytes(-len(octets) % 4) + comment)

    def old_packet(self, ticks: int, octets: bytes, wire: int, interface: int = 0) -> bytes:
        head = struct.pack(
            self.order + "HHIIII", interface, 7, ticks >> 32, ticks & 0xFFFFFFFF, len(octets), wire
        )
        return self.block(2, head + octets)

    def simple_packet(self, octets: bytes, wire: int) -> bytes:
        return self.block(3, struct.pack(self.order + "I", wire) + octets)

    def secrets(self, text: bytes, kind: int = TLS_KEY_LOG) -> bytes:
        return self.block(10, struct.pack(self.order + "II", kind, len(text)) + text)

    def names(self) -> bytes:
        return self.block(4, struct.pack(self.order + "HH", 0, 0))

    def file(self, records: list[tuple[int, bytes, int]]) -> bytes:
        """One section, one interface with nanoseconds."""
        packets = [self.packet(time_ns, octets, wire) for time_ns, octets, wire in records]
        return self.section() + self.interface(tsresol=9) + b"".join(packets)
