"""What the bodies of an exchange say about its path: do its segments come back, which values are given out.

A segment that comes back as the ``name``, ``id`` or ``slug`` of what was asked for is a value, and so is one
that another call gave out before. Nothing read here is kept as text: of an exchange remain which of its
segments came back (counts in the trie), a 64-bit sketch of the names of its properties, and keyed hashes of
the values given out (:class:`GivenOut`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import unquote

import orjson

from levo.satellite.learn.paths.properties import Identifying, Sketcher, literals
from levo.satellite.learn.paths.segments import split_path

MAX_BODY_BYTES = 1 << 18
"""Larger bodies are not looked into here."""
Document = dict[str, Any] | list[Any] | None
"""What JSON says; None: nothing that says something here."""
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
    return statement_of(path, read_document(request_body), read_document(response_body))


def statement_of(path: str, request: Document, response: Document) -> Statement | None:
    """Read the documents of one successful exchange with *path* (as sent); None if they say nothing."""
    if response is None:
        return None
    texts = _IDENTIFIERS.texts(response)
    segments = split_path(path)
    if "%" in path or ";" in path:
        segments = [_value(segment) for segment in segments]
    came_back = tuple([segment in texts for segment in segments]) if texts else None
    shape = _RESPONSE.sketch(response) | _REQUEST.sketch(request)
    return Statement(came_back, literals(texts, segments), shape)


def read_document(body: bytes) -> Document:
    """Return *body* if it is a JSON object or array that is looked into here, else None."""
    if not 2 <= len(body) <= MAX_BODY_BYTES or body[:1] not in (b"{", b"["):
        return None
    try:
        found: Document = orjson.loads(body)
    except ValueError:
        return None
    return found


def _value(segment: str) -> str:
    if ";" in segment:
        segment = segment.partition(";")[0]
    return unquote(segment, errors="replace") if "%" in segment else segment


@lru_cache(maxsize=4096)
def is_identifying(name: str) -> bool:
    """Whether a property of this *name* says what something is called: ``id``, ``zoneName``, ``tag_key``."""
    found = _LAST_WORD.search(name[-24:])
    return found is not None and found[0].lower() in _IDENTIFYING


_IDENTIFIERS = Identifying(is_identifying)
_REQUEST = Sketcher("request")
_RESPONSE = Sketcher("response")


def is_alike(a: int, b: int) -> bool:
    """Whether of two sketches one nearly contains the other."""
    return 4 * (a & b).bit_count() >= 3 * min(a.bit_count(), b.bit_count())


class GivenOut:
    """Keyed hashes of values given out: all of them up to a number, then those with the least hashes.

    Merges by union. Beyond :data:`MOST`, of the others nothing is known.
    """

    MOST = 16_384
    __slots__ = ("_hashes", "_limit")

    def __init__(self, hashes: Iterable[int] = ()) -> None:
        self._hashes: set[int] = set(hashes)
        self._limit: int | None = None
        """The greatest hash that is kept, once there may be others."""
        if len(self._hashes) >= self.MOST:
            self._keep_least()

    def __bool__(self) -> bool:
        return bool(self._hashes)

    def __contains__(self, hashed: int) -> bool:
        return hashed in self._hashes

    @property
    def is_sample(self) -> bool:
        """Whether more were given out than are kept."""
        return self._limit is not None

    def add(self, hashed: int) -> None:
        """Add a value by its hash (``forget.hash_literal``)."""
        if self._limit is None or hashed < self._limit:
            self._hashes.add(hashed)
            if len(self._hashes) >= self.MOST * 5 // 4:
                self._keep_least()

    def merge(self, other: GivenOut) -> None:
        """Take in *other*, which is not changed and was made with the same key."""
        self._hashes |= other._hashes
        self.trim()

    def sorted(self) -> list[int]:
        """Return the hashes in order: equal sets have equal lists."""
        self.trim()
        return sorted(self._hashes)

    def trim(self) -> None:
        """Keep the least hashes only. Between two calls a few more may be kept."""
        if len(self._hashes) > self.MOST:
            self._keep_least()

    def _keep_least(self) -> None:
        kept = sorted(self._hashes)[: self.MOST]
        self._hashes = set(kept)
        self._limit = kept[-1]
