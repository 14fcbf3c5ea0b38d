"""Requests in a capture as dpkt reads them, and where in the frames their request lines lie."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import dpkt

from tests.helpers.packets import CapturedFrame

_LINKS = {1: dpkt.ethernet.Ethernet, 113: dpkt.sll.SLL, 276: dpkt.sll2.SLL2}
_MOST = 1 << 22
_REQUEST_LINE = re.compile(rb"[!-~]+ +[^ ].* HTTP/1\.[01]\r?\n")
"""RFC 9112 section 3; dpkt also takes lines without a target or a version."""

Key = tuple[bytes, int, bytes, int]


@dataclass(frozen=True, slots=True)
class Line:
    """One request line."""

    method: str
    target: str
    host: str | None
    line: tuple[tuple[int, int], ...]
    """(frame, offset behind the last octet of it) for each frame that the request line needs."""
    with_host: tuple[tuple[int, int], ...]
    """The same for the head up to the end of the Host line; empty when there is none."""

    def within(self, snap: int, needs: tuple[tuple[int, int], ...]) -> bool:
        """Whether a capture with that snap length has all of *needs*."""
        return bool(needs) and all(end <= snap for _, end in needs)


@dataclass(slots=True)
class _Direction:
    first: int
    octets: bytearray = field(default_factory=bytearray)
    pieces: list[tuple[int, int, int]] = field(default_factory=list)
    """(offset in the stream, frame, offset in the frame)"""
    held: dict[int, tuple[int, int, bytes]] = field(default_factory=dict)
    lost: bool = False

    def add(self, seq: int, payload: bytes, frame: int, at: int) -> None:
        offset = (seq - self.first) % 2**32
        if offset >= 2**31 or self.lost:
            return
        if offset > len(self.octets):
            self.held.setdefault(offset, (frame, at, payload))
            return
        skip = len(self.octets) - offset
        if skip < len(payload):
            self.pieces.append((len(self.octets), frame, at + skip))
            self.octets += payload[skip:]
        while (found := self.held.pop(len(self.octets), None)) is not None:
            self.pieces.append((len(self.octets), found[0], found[1]))
            self.octets += found[2]

    def needs(self, start: int, stop: int) -> tuple[tuple[int, int], ...]:
        out = []
        for index, (begin, frame, at) in enumerate(self.pieces):
            end = self.pieces[index + 1][0] if index + 1 < len(self.pieces) else len(self.octets)
            if begin < stop and end > start:
                out.append((frame, at + min(end, stop) - begin))
        return tuple(out)


def request_lines(frames: Iterable[CapturedFrame], link_type: int) -> list[Line]:
    """Return the requests of whole frames, connection by connection; none for a link dpkt cannot read."""
    if link_type not in _LINKS:
        return []
    directions: dict[Key, _Direction] = {}
    for number, (_, octets, _) in enumerate(frames):
        for key, tcp, at in _segments(octets, link_type):
            if tcp.flags & dpkt.tcp.TH_SYN or key not in directions:
                if tcp.flags & dpkt.tcp.TH_SYN and key in directions and directions[key].octets:
                    directions[key].lost = True  # the ports are used again: not followed
                    continue
                directions[key] = _Direction((tcp.seq + bool(tcp.flags & dpkt.tcp.TH_SYN)) % 2**32)
            if tcp.flags & dpkt.tcp.TH_URG:
                directions[key].lost = True  # an octet is not part of what a server reads: not followed
            if tcp.data:
                directions[key].add(tcp.seq, tcp.data, number, at)
    return [line for direction in directions.values() for line in _requests(direction)]


def _segments(octets: bytes, link_type: int) -> Iterator[tuple[Key, dpkt.tcp.TCP, int]]:
    try:
        packet = _LINKS[link_type](octets).data
        tcp = packet.data
        if not isinstance(packet, dpkt.ip.IP | dpkt.ip6.IP6) or not isinstance(tcp, dpkt.tcp.TCP):
            return
        if isinstance(packet, dpkt.ip.IP) and (packet.mf or packet.offset):
            return
    except (dpkt.UnpackError, AttributeError, struct.error, ValueError, IndexError):
        return
    at = octets.find(tcp.data) if not tcp.data else octets.rfind(tcp.data)
    yield (packet.src, tcp.sport, packet.dst, tcp.dport), tcp, at


def _requests(direction: _Direction) -> Iterator[Line]:
    at = 0
    octets = bytes(direction.octets[:_MOST])
    while at < len(octets):
        while octets[at : at + 2] == b"\r\n":
            at += 2
        try:
            request = dpkt.http.Request(octets[at:])
        except (dpkt.UnpackError, ValueError, TypeError, IndexError):
            return
        line = octets.find(b"\n", at) + 1
        if not _REQUEST_LINE.fullmatch(octets[at:line]):
            at = len(octets) - len(request.data)
            continue
        host_at = octets.lower().find(b"\nhost:", at, octets.find(b"\r\n\r\n", at) + 2)
        host_end = octets.find(b"\n", host_at + 1) + 1
        host = request.headers.get("host")
        yield Line(
            request.method,
            request.uri,
            host if isinstance(host, str) else None,
            direction.needs(at, line),
            direction.needs(at, host_end) if host_at >= 0 and isinstance(host, str) else (),
        )
        at = len(octets) - len(request.data)
