"""How many callers an endpoint has: an estimate that merges."""

from __future__ import annotations

import hashlib
import math

import msgspec

from levo.satellite.learn.columns import joined_callers

_SKETCH_BITS = 8
SKETCH_SIZE = 1 << _SKETCH_BITS


class Callers(msgspec.Struct, array_like=True):
    """How many different client addresses, estimated over keyed hashes (HyperLogLog, 6.5 % error)."""

    registers: bytes = b""

    def add(self, key: bytes, address: str) -> None:
        """Count *address*; *key* makes the hashes of this installation its own."""
        digest = hashlib.blake2b(address.encode(), key=key, digest_size=8).digest()
        number = int.from_bytes(digest)
        register = number & (SKETCH_SIZE - 1)
        rest = number >> _SKETCH_BITS
        rank = 64 - _SKETCH_BITS - rest.bit_length() + 1
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
