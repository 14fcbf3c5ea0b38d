"""The demo's traffic as a capture file, for machines where nobody may capture. No socket is opened.

A pcap file with nanosecond times and Ethernet frames, written after the published format. Each client is one
keep-alive TCP connection: handshake, requests and responses in segments of at most one MSS, acknowledgements,
close. Checksums are right, so other tools read the file without complaint.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import BinaryIO

from levo.demo.children import DemoError
from levo.demo.sample_api import SampleApi
from levo.demo.traffic import Traffic
from levo.files import open_for_writing

MAGIC_NANOSECONDS = 0xA1B23C4D
LINKTYPE_ETHERNET = 1
SNAP_LENGTH = 262_144
MSS = 1_460
SERVER = ("10.20.0.10", 8080)
CLIENTS = 4

FIN, SYN, PSH, ACK = 1, 2, 8, 16

Frame = tuple[int, bytes]
"""(time in nanoseconds since the Unix epoch, octets from the Ethernet header on)"""


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _octets(address: str) -> bytes:
    return bytes(int(part) for part in address.split("."))


@dataclass(slots=True)
class Endpoint:
    """One end of a connection: where it is and the next sequence number it will send."""

    address: str
    port: int
    seq: int


def frame(source: Endpoint, target: Endpoint, flags: int, payload: bytes = b"") -> bytes:
    """One TCP segment in IPv4 in Ethernet; advances ``source.seq`` (RFC 9293 section 3.4)."""
    ports_and_numbers = struct.pack(
        "!HHII", source.port, target.port, source.seq, target.seq if flags & ACK else 0
    )
    tail = struct.pack("!BBHHH", 5 << 4, flags, 0xFFFF, 0, 0) + payload
    addresses = _octets(source.address) + _octets(target.address)
    pseudo = addresses + struct.pack("!BBH", 0, 6, len(ports_and_numbers) + len(tail))
    tail = tail[:4] + struct.pack("!H", checksum(pseudo + ports_and_numbers + tail)) + tail[6:]
    ip = (
        struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(ports_and_numbers) + len(tail), 0, 0x4000, 64, 6, 0)
        + addresses
    )
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    source.seq = (source.seq + len(payload) + bool(flags & SYN) + bool(flags & FIN)) & 0xFFFFFFFF
    hardware = b"\x02\0" + _octets(target.address) + b"\x02\0" + _octets(source.address)
    return hardware + b"\x08\0" + ip + ports_and_numbers + tail


def _message(source: Endpoint, target: Endpoint, octets: bytes) -> Iterator[bytes]:
    for at in range(0, len(octets), MSS):
        yield frame(source, target, ACK | PSH, octets[at : at + MSS])
    yield frame(target, source, ACK)


def frames(seed: int, exchanges: int, start_ns: int, rate: float, part: int = 0) -> Iterator[Frame]:
    """Frames of *exchanges* exchanges, *rate* of them a second on average, from *start_ns* on, in time order.

    *part* chooses other requests to the same shop, so that several captures tell one story.
    """
    rng = Random(f"capture {seed} {part}")
    api = SampleApi(seed)
    now_ns = start_ns

    def timed(octets: bytes) -> Frame:
        nonlocal now_ns
        now_ns += rng.randint(8_000, 60_000)
        return now_ns, octets

    connections = []
    for number in range(CLIENTS):
        client = Endpoint(f"10.20.1.{number + 1}", rng.randint(32_768, 60_000), rng.getrandbits(32))
        server = Endpoint(*SERVER, rng.getrandbits(32))
        connections.append((client, server))
        yield timed(frame(client, server, SYN))
        yield timed(frame(server, client, SYN | ACK))
        yield timed(frame(client, server, ACK))
    for request, (client, server) in zip(
        islice(Traffic(seed + part, api.shop), exchanges), cycle(connections), strict=False
    ):
        now_ns += int(rng.expovariate(rate) * 1e9)
        for octets in _message(client, server, request.wire()):
            yield timed(octets)
        now_ns += int(rng.uniform(0.4e6, 9e6))
        for octets in _message(server, client, api.answer(request).wire()):
            yield timed(octets)
    for client, server in connections:
        yield timed(frame(client, server, FIN | ACK))
        yield timed(frame(server, client, FIN | ACK))
        yield timed(frame(client, server, ACK))


def write_capture(
    file: BinaryIO, seed: int, exchanges: int, start_ns: int, rate: float, part: int = 0
) -> int:
    """Write the capture of ``frames`` to *file*; return the time of its last frame."""
    file.write(struct.pack("<IHHiIII", MAGIC_NANOSECONDS, 2, 4, 0, 0, SNAP_LENGTH, LINKTYPE_ETHERNET))
    last_ns = start_ns
    for time_ns, octets in frames(seed, exchanges, start_ns, rate, part):
        file.write(struct.pack("<IIII", *divmod(time_ns, 10**9), len(octets), len(octets)) + octets)
        last_ns = time_ns
    return last_ns


def save_capture(path: Path, seed: int, exchanges: int, start_ns: int, rate: float) -> None:
    """Write the capture to a file of its own, replaced if it is there.

    Raises:
        DemoError: it cannot be written.
    """
    try:
        with open(open_for_writing(path), "wb") as file:
            write_capture(file, seed, exchanges, start_ns, rate)
    except OSError as error:
        raise DemoError(f"--write-capture {path}: {error.strerror}") from None
