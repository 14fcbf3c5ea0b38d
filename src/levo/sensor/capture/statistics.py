"""Immutable snapshots of what a frame source has seen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InterfaceStatistics:
    """Counters of one interface since capture began on it: 64 bits wide, kept when it is opened again."""

    name: str
    received: int
    """Frames that passed the kernel filter, dropped ones included (``tp_packets`` of packet(7))."""
    delivered: int
    """Frames handed to the sink. ``received - dropped - delivered`` frames wait in the ring, or had come
    before the filter was in place and did not match it."""
    dropped: int
    """Frames that passed the filter and were lost because the ring was full."""
    interface_dropped: int
    """Frames that the device or its driver dropped, as far as the kernel reports them."""
    open: bool
    """A capture handle is open on it now."""
    ring_bytes: int = 0
    """Size of the kernel's ring for it, octets."""


GONE = "gone interfaces"
"""Stands for all that have gone; no interface has a blank in its name."""


@dataclass(frozen=True, slots=True)
class LiveStatistics:
    """Counters of all interfaces, closed ones included; those that have gone count as one, ``GONE``."""

    interfaces: tuple[InterfaceStatistics, ...]
    interfaces_lost: int
    """Times that an interface ended its capture (it disappeared, or reading from it failed)."""

    @property
    def received(self) -> int:
        return sum(each.received for each in self.interfaces)

    @property
    def delivered(self) -> int:
        return sum(each.delivered for each in self.interfaces)

    @property
    def dropped(self) -> int:
        return sum(each.dropped for each in self.interfaces)

    @property
    def interface_dropped(self) -> int:
        return sum(each.interface_dropped for each in self.interfaces)


@dataclass(frozen=True, slots=True)
class FileStatistics:
    """Counters of one capture file. ``received == delivered + filtered`` always holds."""

    received: int
    """Whole packet records found."""
    delivered: int
    """Frames handed to the sink."""
    filtered: int
    """Frames that the filter expression did not match."""
    truncated_records: int
    """Records (or gzip streams) that the end of the file cuts; 0 or 1. Nothing of them is delivered."""
    malformed_records: int
    """Records or blocks whose lengths contradict each other. A pcap file cannot be read past one; the rest of
    it is in ``unread_bytes``. A pcapng file goes on with the next block."""
    unread_bytes: int
    """Octets (after decompression, as far as known) behind a malformed or truncated record."""
    ignored_blocks: int
    """pcapng blocks that carry no packet (names, statistics, custom blocks)."""
    secrets_bytes: int
    """Octets of key logs kept from Decryption Secrets Blocks."""
    secrets_ignored: int
    """Decryption Secrets Blocks of another kind, or past the size that is kept."""


@dataclass(frozen=True, slots=True)
class ProbeStatistics:
    """What became of the secrets that the probe of TLS libraries met. All but ``hits`` add up to it."""

    hits: int
    """Times that a library was about to log a secret."""
    delivered: int
    """Secrets handed to the engine."""
    before: int
    """Secrets that another process had taken from the ring when this one took it over."""
    filtered: int
    """Not needed to read packets, or of a process that is left out."""
    limited: int
    """Over the probe's limit of secrets a second."""
    ring_full: int
    """Given up because the ring was full."""
    fault: int
    """Could not be read from the process, or had no length of a secret."""
    waiting: int
    """In the ring, or being put there."""
