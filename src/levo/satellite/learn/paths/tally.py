"""About how often literals that are not kept were answered with success, in memory that does not grow.

Counters are shared by keyed hash (a count-min sketch): nobody without the key can choose who shares one. Each
literal has one counter in each row, and the least of them is its count, never too low. Sums saturate, so
parts add up to the whole in any order.
"""

from __future__ import annotations

from hashlib import blake2b
from itertools import compress

ROWS = 4
COLUMNS = 1 << 14
MOST = 255
"""What a counter counts to."""
_SPARSE = ROWS * COLUMNS // 8
"""With fewer counters in use, each is stored with its number."""
_NUMBERS = range(ROWS * COLUMNS)


class Tally:
    """Successes by place in the tree of paths; without memory until something is added."""

    __slots__ = ("_counters",)

    def __init__(self) -> None:
        self._counters: bytearray | None = None

    def __bool__(self) -> bool:
        return self._counters is not None

    def add(self, place: str, successes: int, key: bytes) -> None:
        """Add *successes* of the literal at *place*; *key* is this installation's."""
        if not successes:
            return
        counters = self._counters
        if counters is None:
            counters = self._counters = bytearray(ROWS * COLUMNS)
        for at in _cells(place, key):
            counters[at] = min(MOST, counters[at] + successes)

    def count(self, place: str, key: bytes) -> int:
        """Return how many successes were added for *place*, or a few more; at most :data:`MOST`."""
        counters = self._counters
        return 0 if counters is None else min([counters[at] for at in _cells(place, key)])

    def merge(self, other: Tally) -> None:
        """Take in *other*, which is not changed and was made with the same key."""
        theirs = other._counters
        if theirs is None:
            return
        mine = self._counters
        if mine is None:
            self._counters = bytearray(theirs)
            return
        for at in compress(_NUMBERS, theirs):
            mine[at] = min(MOST, mine[at] + theirs[at])

    def stored(self) -> list[int] | bytes:
        """Return what ``read`` reads; equal tallies are stored alike."""
        counters = self._counters
        if counters is None:
            return []
        used = list(compress(_NUMBERS, counters))
        if len(used) >= _SPARSE:
            return bytes(counters)
        return [number for at in used for number in (at, counters[at])]

    @classmethod
    def read(cls, stored: list[int] | bytes) -> Tally:
        """Return the tally that ``stored`` wrote. Raises ``ValueError`` or ``TypeError`` for others."""
        tally = cls()
        if isinstance(stored, bytes):
            if len(stored) != ROWS * COLUMNS:
                raise ValueError(f"{len(stored)} octets are no tally")
            tally._counters = bytearray(stored)
        elif stored:
            tally._counters = bytearray(ROWS * COLUMNS)
            for at, count in zip(stored[::2], stored[1::2], strict=True):
                tally._counters[at] = count
        return tally


def _cells(place: str, key: bytes) -> list[int]:
    """Return the number of the counter of *place* in each row."""
    digest = int.from_bytes(blake2b(place.encode(errors="replace"), digest_size=8, key=key).digest())
    return [row * COLUMNS + (digest >> (16 * row)) % COLUMNS for row in range(ROWS)]
