"""Frames of a connection that switched to another protocol, from octets per direction."""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import Collection, Sequence
from itertools import pairwise

CLIENT, SERVER = socket.inet_aton("10.0.0.1"), socket.inet_aton("10.0.0.2")


def frame(from_client: bool, seq: int, ack: int, payload: bytes, flags: int = 0x18) -> bytes:
    """One Ethernet frame of the conversation 10.0.0.1:40000 - 10.0.0.2:80."""
    ports = (40000, 80) if from_client else (80, 40000)
    ends = (CLIENT, SERVER) if from_client else (SERVER, CLIENT)
    tcp = struct.pack(">HHIIBBHHH", *ports, seq, ack, 0x50, flags, 65535, 0, 0) + payload
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0, *ends) + tcp
    return b"\x02\0\0\0\0\1\x02\0\0\0\0\2\x08\0" + ip


def conversation_frames(
    chunks: Sequence[tuple[bool, bytes]], cuts: random.Random | None = None, drop: Collection[int] = ()
) -> list[tuple[int, bytes, int | None]]:
    """(time_ns, octets, wire length) of a whole connection that sends *chunks* one after another.

    Each chunk is one segment, cut further by *cuts*; the chunks whose number is in *drop* are not captured.
    """
    seqs = {True: 1, False: 1}
    frames = [frame(True, 0, 0, b"", 2), frame(False, 0, 1, b"", 0x12), frame(True, 1, 1, b"", 0x10)]
    for number, (from_client, octets) in enumerate(chunks):
        pieces = [octets]
        if cuts is not None and len(octets) > 1:
            marks = sorted({0, len(octets), *(cuts.randrange(len(octets)) for _ in range(cuts.randrange(4)))})
            pieces = [octets[start:end] for start, end in pairwise(marks)]
        for whole in pieces:
            for start in range(0, len(whole), 60000):
                piece = whole[start : start + 60000]
                if number not in drop:
                    frames.append(frame(from_client, seqs[from_client], seqs[not from_client], piece))
                seqs[from_client] += len(piece)
        frames.append(frame(not from_client, seqs[not from_client], seqs[from_client], b"", 0x10))
    for side in (True, False):
        frames.append(frame(side, seqs[side], seqs[not side], b"", 0x11))
        seqs[side] += 1
    frames.append(frame(True, seqs[True], seqs[False], b"", 0x10))
    return [(1_700_000_000_000_000_000 + i * 100_000, octets, None) for i, octets in enumerate(frames)]
