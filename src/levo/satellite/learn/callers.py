"""How many callers an endpoint has: an estimate that merges."""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache

import msgspec

from levo.satellite.learn.columns import joined_callers

_SKETCH_BITS = 8
SKETCH_SIZE = 1 << _SKETCH_BITS
_LONGEST_CACHED = 45
"""Characters of an IP address as text, at most; what is longer is none and not remembered."""


@lru_cache(maxsize=1 << 13)
def _hashed(address: str, key: bytes) -> tuple[int, int, int]:
    """Return the register of *address*, its rank, and a hash of 32 bits that is not 0.

    The latest callers are remembered: they come again.
    """
    digest = hashlib.blake2b(address.encode(), key=key, digest_size=8).digest()
    number = int.from_bytes(digest)
    rest = number >> _SKETCH_BITS
    return number & (SKETCH_SIZE - 1), 64 - _SKETCH_BITS - rest.bit_length() + 1, (number >> 32) or 1


def caller_hash(key: bytes, address: str) -> int:
    """Return a keyed hash of *address* of 32 bits, by which one caller is told from another; 0 for none."""
    if not address:
        return 0
    hashed = _hashed if len(address) <= _LONGEST_CACHED else _hashed.__wrapped__
    return hashed(address, key)[2]


class Callers(msgspec.Struct, array_like=True):
    """How many different client addresses, estimated over keyed hashes (HyperLogLog, 6.5 % error)."""

    registers: bytes = b""

    def add(self, key: bytes, address: str) -> None:
        """Count *address*; *key* makes the hashes of this installation its own."""
        hashed = _hashed if len(address) <= _LONGEST_CACHED else _hashed.__wrapped__
        register, rank, _ = hashed(address, key)
        if not self.registers:
            self.registers = bytes(SKETCH_SIZE)
        if self.registers[register] < rank:
            changed = bytearray(self.registers)
            changed[register] = rank
            self.registers = bytes(changed)

    def absorb(self, other: Callers) -> None:
        """Add *other*, which is not changed."""
        self.registers = joined_callers(self.registers, other.registers)

    def estimate(self) -> int:
        """Return about how many different ones were counted."""
        if not self.registers:
            return 0
        raw = 0.7213 / (1 + 1.079 / SKETCH_SIZE) * SKETCH_SIZE**2 / sum(2.0**-r for r in self.registers)
        zeros = self.registers.count(0)
        if raw <= 2.5 * SKETCH_SIZE and zeros:
            raw = SKETCH_SIZE * math.log(SKETCH_SIZE / zeros)
        return round(raw)
