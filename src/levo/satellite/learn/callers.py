"""How many callers an endpoint has: an estimate that merges."""

from __future__ import annotations

import hashlib
import ipaddress
import math
from functools import lru_cache

import msgspec

from levo.satellite.learn.columns import joined_callers

_SKETCH_BITS = 8
SKETCH_SIZE = 1 << _SKETCH_BITS
_LONGEST_CACHED = 45
"""Characters of an IP address as text, at most; what is longer is none and not remembered."""


Hashed = tuple[int, int, int]
"""A keyed hash of a caller: the register, the rank, and 32 bits by which one is told from another, which are
0 for :data:`NOBODY` only."""
NOBODY: Hashed = (0, 0, 0)
"""Stands for a caller of whom nothing is known."""


_OWN_NETWORKS = tuple(map(ipaddress.IPv6Network, ("fc00::/7", "fe80::/10", "::/64")))
"""Where an address is one machine's: nobody gets a network of them from a provider (RFC 4193, RFC 4291)."""


def caller_of(address: str) -> str:
    """Return what tells the client with *address* from others.

    Whoever has one public IPv6 address has a network of 2^64 to choose from, so that network is one caller.
    """
    if ":" not in address:
        return address
    try:
        found = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    if any(found in network for network in _OWN_NETWORKS):
        return str(found)
    return f"{int(found) >> 64:x}/64"


@lru_cache(maxsize=1 << 13)
def _hashed(address: str, key: bytes) -> Hashed:
    digest = hashlib.blake2b(caller_of(address).encode(), key=key, digest_size=8).digest()
    number = int.from_bytes(digest)
    rest = number >> _SKETCH_BITS
    return number & (SKETCH_SIZE - 1), 64 - _SKETCH_BITS - rest.bit_length() + 1, (number >> 32) or 1


def hashed_caller(key: bytes, address: str) -> Hashed:
    """Return the hash of the client with *address*; *key* makes the hashes of this installation its own.

    The latest callers are remembered: they come again.
    """
    if not address:
        return NOBODY
    if len(address) <= _LONGEST_CACHED:
        return _hashed(address, key)
    return _hashed.__wrapped__(address, key)


class Callers(msgspec.Struct, array_like=True):
    """How many different callers (:func:`caller_of`): HyperLogLog over keyed hashes, 6.5 % error."""

    registers: bytes = b""

    def add(self, caller: Hashed) -> None:
        """Count *caller*, unless it is :data:`NOBODY`."""
        register, rank, _ = caller
        if not rank:
            return
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
