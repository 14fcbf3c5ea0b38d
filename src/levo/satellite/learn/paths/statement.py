"""What the bodies of an exchange say about its path: do its segments come back, which values are given out.

A segment that comes back as the ``name``, ``id`` or ``slug`` of what was asked for is a value, and so is one
that another call gave out before. Nothing read here is kept as text: of an exchange remain which of its
segments came back (counts in the trie), a 64-bit sketch of the names of its properties, and keyed hashes of
the values given out, in memory only (:class:`GivenOut`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple
from urllib.parse import unquote
from zlib import crc32

import orjson

from levo.satellite.learn.paths.segments import segment_key, split_path

MAX_BODY_BYTES = 1 << 18
"""Larger bodies are not looked into here."""
MAX_VALUES = 1_000
"""Members of the objects and arrays of one body that are looked at."""
MAX_VALUE_CHARACTERS = 80
MAX_NAMES = 24
"""Properties of one object that make its sketch."""
_CONTAINERS = (dict, list)
_SCALARS = (str, int)
_LAST_WORD = re.compile(r"[A-Z]?[a-z]+$|[A-Z]+$")
_IDENTIFYING = frozenset(
    [
        "id", "ids", "uid", "uuid", "guid", "key", "keys", "name", "names", "slug", "slugs", "code", "codes",
        "login", "user", "username", "handle", "tag", "tags", "ref", "email", "identifier", "title", "label",
        "symbol", "path", "kind", "checksum",
    ]
)  # fmt: skip


class Statement(NamedTuple):
    """What was read from one exchange."""

    came_back: tuple[bool, ...] | None
    """For each segment of the path; None if the response has nothing in which one could come back."""
    given_out: frozenset[str]
    """Keys of identifying texts of the response that are no segments of this path and of no known type."""
    shape: int
    """64-bit sketch of the names of the top-level properties of both bodies; 0: none was seen."""


def read_statement(path: str, request_body: bytes, response_body: bytes) -> Statement | None:
    """Read the bodies of one successful exchange with *path* (as sent); None if they say nothing."""
    response = _json(response_body)
    if response is None:
        return None
    texts = _identifying(response)
    segments = [unquote(s.partition(";")[0], errors="replace") for s in split_path(path)]
    keys = (segment_key(text, False) for text in texts.difference(segments))
    given_out = frozenset(key for key in keys if "{" not in key)
    shape = _shape("response", response) | _shape("request", _json(request_body))
    return Statement(tuple(s in texts for s in segments) if texts else None, given_out, shape)


def _json(body: bytes) -> Any:
    if not 2 <= len(body) <= MAX_BODY_BYTES or body[:1] not in (b"{", b"["):
        return None
    try:
        return orjson.loads(body)
    except ValueError:
        return None


def _identifying(document: Any) -> set[str]:
    """Return the texts and integers that stand at properties whose name says that they identify."""
    found: set[str] = set()
    stack = [document]
    left = MAX_VALUES
    while stack and left > 0:
        value = stack.pop()
        left -= len(value)
        if type(value) is list:
            stack.extend([kid for kid in value[:MAX_VALUES] if type(kid) in _CONTAINERS and kid])
            continue
        for name, kid in value.items():
            kind = type(kid)
            if kind in _CONTAINERS:
                if kid:
                    stack.append(kid)
                    if kind is list and type(kid[0]) in _SCALARS and is_identifying(name):
                        found.update(str(one) for one in kid[:MAX_VALUES] if type(one) in _SCALARS)
            elif kind in _SCALARS and is_identifying(name):
                found.add(kid if kind is str else str(kid))
    return {text for text in found if 0 < len(text) <= MAX_VALUE_CHARACTERS}


@lru_cache(maxsize=4096)
def is_identifying(name: str) -> bool:
    """Whether a property of this *name* says what something is called: ``id``, ``zoneName``, ``tag_key``."""
    found = _LAST_WORD.search(name[-24:])
    return found is not None and found[0].lower() in _IDENTIFYING


def _shape(side: str, document: Any) -> int:
    if isinstance(document, list):
        side += "[]"
        document = document[0] if document else None
    if document is None:
        return 0
    sketch = 1 << (crc32(side.encode()) & 63)
    if isinstance(document, dict):
        for name in sorted(document)[:MAX_NAMES]:
            sketch |= 1 << (crc32(f"{side}.{name}".encode(errors="replace")) & 63)
    return sketch


def is_alike(a: int, b: int) -> bool:
    """Whether of two sketches one nearly contains the other."""
    return 4 * (a & b).bit_count() >= 3 * min(a.bit_count(), b.bit_count())


class GivenOut:
    """A Bloom filter over keyed hashes of values given out. Merges by union; lives in memory only.

    It never says no to what was added; full (about 4,700 values, 8 KiB), it says yes to 0.4 % of the others.
    """

    BITS = 1 << 16
    FULL = BITS // 4
    __slots__ = ("_bits", "_set")

    def __init__(self) -> None:
        self._bits = bytearray()
        """Empty until the first value comes."""
        self._set = 0

    def __bool__(self) -> bool:
        return self._set > 0

    @property
    def is_full(self) -> bool:
        """Whether it should be asked for the last time and cleared."""
        return self._set >= self.FULL

    def add(self, text: str, key: bytes) -> None:
        """Add *text*, hashed with *key* (at most 64 octets)."""
        if not self._bits:
            self._bits = bytearray(self.BITS // 8)
        for octet, bit in _places(text, key):
            if not self._bits[octet] & bit:
                self._bits[octet] |= bit
                self._set += 1

    def holds(self, text: str, key: bytes) -> bool:
        """Whether *text* was added, as far as one can know."""
        return self._set > 0 and all(self._bits[octet] & bit for octet, bit in _places(text, key))

    def merge(self, other: GivenOut) -> None:
        """Take in *other*, which is not changed and was made with the same key."""
        if not other:
            return
        union = int.from_bytes(self._bits) | int.from_bytes(other._bits)
        self._bits = bytearray(union.to_bytes(self.BITS // 8))
        self._set = union.bit_count()

    def clear(self) -> None:
        """Forget everything."""
        self._bits = bytearray()
        self._set = 0


def _places(text: str, key: bytes) -> list[tuple[int, int]]:
    digest = blake2b(text.encode(errors="replace"), digest_size=12, key=key).digest()
    places = []
    for start in (0, 3, 6, 9):
        at = int.from_bytes(digest[start : start + 3]) % GivenOut.BITS
        places.append((at >> 3, 1 << (at & 7)))
    return places
