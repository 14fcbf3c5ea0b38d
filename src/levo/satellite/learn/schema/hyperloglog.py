"""About how many different objects were counted (HyperLogLog): the evidence of a decision.

A server that shows one user a hundred times has said what users look like once. So each node remembers in
64 octets about how many different objects it has seen: a sketch (Flajolet and Martin's bitmaps, read as
linear counting where few are set and as HyperLogLog beyond) over keyed hashes, of which nine bits are used.
Sketches merge by OR: any order, any partition and any repetition give the same one.

Which objects are the same is said in ``observe.pyx``.
"""

from __future__ import annotations

import math
from functools import lru_cache
from hashlib import blake2b

REGISTERS = 64
RANKS = 8
"""Bits of a register; the last stands for all higher ranks, so more than about 10,000 are not told apart."""
_SEALED = b"levo objects"


@lru_cache(maxsize=16)
def hash_key(key: bytes) -> bytes:
    """Return the 16 octets that objects are hashed with; *key* (at most 64) is the installation's."""
    return blake2b(key=key, digest_size=16, person=_SEALED).digest()


def joined(one: bytes, other: bytes) -> bytes:
    """Return the sketch of what either has seen. Empty: nothing was counted."""
    if one == other or not other:
        return one
    if not one:
        return other
    return (int.from_bytes(one) | int.from_bytes(other)).to_bytes(REGISTERS)


@lru_cache(maxsize=1 << 12)
def estimate(sketch: bytes) -> float:
    """Return about how many different objects were seen: 7 % off at 20, 13 % at a thousand."""
    unset = sketch.count(0)
    if unset * 5 >= REGISTERS:
        return REGISTERS * math.log(REGISTERS / unset)
    return 0.709 * REGISTERS**2 / math.fsum(2.0 ** -register.bit_length() for register in sketch)
