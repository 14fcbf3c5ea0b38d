"""Classic pcap files: written with nanosecond times, read in all four byte-order and unit forms."""

from __future__ import annotations

import gzip
import os
import struct
from collections.abc import Iterable
from pathlib import Path

from tests.helpers.packets import ETHERNET, CapturedFrame

NANOSECONDS, MICROSECONDS = 0xA1B23C4D, 0xA1B2C3D4


def pcap_octets(frames: Iterable[CapturedFrame], link_type: int = ETHERNET) -> bytes:
    """A little-endian pcap file with nanosecond times."""
    parts = [struct.pack("<IHHiIII", NANOSECONDS, 2, 4, 0, 0, 262144, link_type)]
    for time_ns, octets, wire_length in frames:
        seconds, rest = divmod(time_ns, 10**9)
        parts.append(struct.pack("<IIII", seconds, rest, len(octets), wire_length))
        parts.append(octets)
    return b"".join(parts)


def write_pcap(path: Path, frames: Iterable[CapturedFrame], link_type: int = ETHERNET) -> Path:
    path.write_bytes(pcap_octets(frames, link_type))
    return path


def read_pcap(path: Path) -> tuple[int, list[CapturedFrame]]:
    """(link type, frames) of a classic pcap file, gzip accepted. Raises ValueError for anything else."""
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    for order in "<>":
        magic = struct.unpack_from(order + "I", data)[0]
        if magic in (NANOSECONDS, MICROSECONDS):
            break
    else:
        raise ValueError(f"{path}: not a classic pcap file")
    unit = 1 if magic == NANOSECONDS else 1000
    link_type = struct.unpack_from(order + "I", data, 20)[0] & 0xFFFF
    frames, at = [], 24
    while at + 16 <= len(data):
        seconds, rest, kept, wire = struct.unpack_from(order + "IIII", data, at)
        at += 16
        frames.append((seconds * 10**9 + rest * unit, data[at : at + kept], wire))
        at += kept
    return link_type, frames


def shared_captures() -> Path | None:
    """The folder of shared captures (LEVO_CAPTURES), or None where it is absent."""
    default = Path(__file__).resolve().parents[3] / "shared" / "captures"
    folder = Path(os.environ.get("LEVO_CAPTURES", default))
    return folder if folder.is_dir() else None
