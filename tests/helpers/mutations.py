"""What a network or a sensor's vantage point does to segments. Each returns a new list."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from tests.helpers.packets import ACK, Segment

T = TypeVar("T")


def drop(items: Sequence[T], *indices: int) -> list[T]:
    gone = {i % len(items) for i in indices}
    return [item for i, item in enumerate(items) if i not in gone]


def duplicate(items: Sequence[T], index: int, later: int = 1) -> list[T]:
    """Repeat item *index* so that *later* - 1 other items lie between the two."""
    at = min(index + later, len(items))
    return [*items[:at], items[index], *items[at:]]


def move(items: Sequence[T], index: int, by: int) -> list[T]:
    """Deliver item *index* later by *by* places."""
    rest = list(items)
    rest.insert(min(index + by, len(items) - 1), rest.pop(index))
    return rest


def one_sided(segments: Sequence[Segment], from_client: bool) -> list[Segment]:
    return [s for s in segments if s.from_client == from_client]


def resend(segments: Sequence[Segment], from_client: bool, start: int, size: int) -> Segment:
    """A segment that carries octets *start* .. *start* + *size* of one side's stream once more.

    *start* counts from the first octet of the stream; octets past its end are left out.
    """
    pieces = [s for s in segments if s.from_client == from_client and s.payload]
    first = pieces[0].seq
    stream = bytearray()
    for piece in pieces:
        at = (piece.seq - first) % 2**32
        stream[at : at + len(piece.payload)] = piece.payload
    acks = [s.ack for s in pieces]
    return Segment(from_client, (first + start) % 2**32, acks[-1], ACK, bytes(stream[start : start + size]))


def forge(segment: Segment, payload: bytes) -> Segment:
    """The same place in the stream with other octets."""
    return replace(segment, payload=payload)


def lossy(
    items: Sequence[T], seed: int, *, hidden: float = 0.01, doubled: float = 0.01, moved: float = 0.01
) -> list[T]:
    """Hide, double and delay items at random, as an overloaded tap would. Seeded, so repeatable.

    A delayed item comes one to eight places later than it was sent.
    """
    chance = random.Random(seed)
    out: list[tuple[float, int, T]] = []
    for i, item in enumerate(items):
        roll = chance.random()
        if roll < hidden:
            continue
        place = i + (chance.randint(1, 8) + 0.5 if roll > 1 - moved else 0)
        out.append((place, 0, item))
        if hidden <= roll < hidden + doubled:
            out.append((i + chance.randint(0, 8) + 0.25, 1, item))
    out.sort(key=lambda entry: entry[:2])
    return [item for _, _, item in out]
