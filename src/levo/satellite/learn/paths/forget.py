"""Which literals are forgotten as values, and what is kept of them: a keyed hash.

A name of a person in a path is text that must not stay. Once it is certain to be a value, its node is folded
into ``{*}`` and its text goes; its hash stays, so that the same name goes to the same place when it comes
again, in whatever part of the traffic.

The rule must not depend on when it is asked. So it is monotone: what it says of some requests it also says of
these and any others. It looks at things that only grow (requests with values of recognized types, literals
that came back in a response, hashes of values given out) and at the literal itself, never at what else there
is, at a rate or at a decision on templates. A state therefore has one normal form, in which everything
certain is forgotten, whatever parts it was made of and however often they were asked in between.
"""

from __future__ import annotations

import re
from collections.abc import Set
from functools import lru_cache
from hashlib import blake2b

from levo.satellite.learn.paths.segments import (
    OVERFLOW,
    is_version,
    known_rank,
    known_share,
    literal_base,
)
from levo.satellite.learn.paths.statement import GivenOut
from levo.satellite.learn.paths.tally import Tally
from levo.satellite.learn.paths.trie import OTHER, PINNED, Node, Rank, Values

LEAST_TYPED = 5
"""Requests with values of recognized types after which a place has values."""
LEAST_NAMES = 8
"""Unknown words of one place that came back in responses after which it has values; also so many names beside
values of recognized types are values."""
HASH_BYTES = 5
_LETTERS = re.compile(r"[^\W\d_]+")


@lru_cache(maxsize=8192)
def hash_literal(literal: str, key: bytes) -> int:
    """Return the keyed hash of *literal*, without its extension or ``:verb``."""
    base = literal_base(literal).encode(errors="replace")
    return int.from_bytes(blake2b(base, digest_size=HASH_BYTES, key=key).digest())


class Forgetting:
    """The rule for one host, with what it looks at."""

    __slots__ = ("_given_out", "_pinned", "key", "tally")

    def __init__(
        self,
        key: bytes = b"",
        pinned: frozenset[str] = frozenset(),
        given_out: GivenOut | None = None,
        tally: Tally | None = None,
    ) -> None:
        """*key* hashes literals, *pinned* are named by people, *given_out* are values of responses; *tally*
        counts what is folded."""
        self.key = key
        self.tally = Tally() if tally is None else tally
        self._pinned = pinned
        self._given_out = given_out

    def hash(self, literal: str) -> int:
        """Return the keyed hash of *literal*."""
        return hash_literal(literal, self.key)

    def is_pinned(self, literal: str) -> bool:
        """Whether people named *literal*."""
        return literal in self._pinned

    def rank(self, literal: str) -> Rank:
        """Return what orders literals: pinned ones first, then a fixed order of this key."""
        return Rank(PINNED if literal in self._pinned else OTHER, hash_literal(literal, self.key))

    def is_given_out(self, literal: str) -> bool:
        """Whether some other call gave out *literal* as the name or id of something."""
        return bool(self._given_out) and self._given_out is not None and self.hash(literal) in self._given_out

    def were_given_out(self, node: Node) -> bool:
        """Whether a forgotten value of *node* was given out."""
        given_out = self._given_out
        return given_out is not None and any(hashed in given_out for hashed in node.gone)

    def given_out(self, hashes: Set[int]) -> Set[int]:
        """Return those of *hashes* that are hashes of values that were given out."""
        given_out = self._given_out
        return {hashed for hashed in hashes if hashed in given_out} if given_out is not None else set()

    def values(self, node: Node, above: str) -> Values:
        """Return the literal children of *node* that are values for certain; each is an unknown word.

        *above* is the key that leads to *node*.

        It came back in a response or was given out by one, and the place is known to have values; or it is
        one of several that read like none of the words of APIs and stand beside values of recognized types.
        """
        unknown = [key for key in node.kids if "{" not in key and self._may_be_forgotten(key)]
        if not unknown:
            return Values([], [])
        typed = sum(
            kid.requests(LEAST_TYPED)
            for key, kid in node.kids.items()
            if "{" in key and not key.startswith(OVERFLOW)
        )
        has_values = (
            typed >= LEAST_TYPED
            or node.bar is not None
            or node.forgotten > 0
            or any(key.startswith(OVERFLOW) for key in node.kids)
        )
        if not has_values:
            has_values = sum(node.kids[key].came_back > 0 for key in unknown) >= LEAST_NAMES
        if not has_values:
            return Values([], [])
        beside = typed >= LEAST_TYPED and _is_collection(above)
        aliens = [key for key in unknown if _is_alien(key)] if beside else []
        if node.bar is None and len(aliens) + node.forgotten < LEAST_NAMES:
            aliens = []
        proven = [key for key in unknown if node.kids[key].came_back > 0 or self.is_given_out(key)]
        return Values(proven, [key for key in aliens if key not in proven])

    def _may_be_forgotten(self, literal: str) -> bool:
        return (
            literal not in self._pinned
            and literal[0] != "#"
            and known_rank(literal_base(literal)) < 0
            and not is_version(literal)
        )


@lru_cache(maxsize=8192)
def _is_collection(key: str) -> bool:
    """Whether *key* is a word of APIs, below which values stand, or of several literals that may be."""
    if "{" in key:
        return key.startswith(OVERFLOW)
    return known_rank(key) >= 0 and not is_version(key)


@lru_cache(maxsize=8192)
def _is_alien(literal: str) -> bool:
    """Whether *literal* has several parts, and none is a word of APIs: ``anna.meyer``, ``lamp-17``."""
    base = literal_base(literal)
    return known_share(base) == 0.0 and _LETTERS.fullmatch(base) is None
