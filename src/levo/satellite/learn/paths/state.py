"""``PathState``: all that is remembered of the paths of one host. Mergeable, bounded, decides nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from levo.satellite.learn.paths.branch import Branch
from levo.satellite.learn.paths.forget import forget_values
from levo.satellite.learn.paths.segments import OVERFLOW, literal_suffix
from levo.satellite.learn.paths.statement import GivenOut, Statement
from levo.satellite.learn.paths.trie import (
    BUDGETS,
    SHAPE,
    WEIGHT_UNIT,
    DistinctSample,
    Node,
    path_keys,
    rank,
)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"})
"""Methods that make endpoints. Others are counted as noise."""
ABSENT_STATUSES = frozenset({404, 405, 410, 501})
"""Answers that do not prove that the path exists."""
_ASSET = re.compile(
    r"/(?:favicon\.\w+|robots\.txt|[^/]+\.(?:js|mjs|css|map|woff2?|ttf|eot|otf|ico|png|jpe?g|gif|svg|webp|avif))$",
    re.IGNORECASE | re.ASCII,
)
_PROBE = re.compile(
    r"/\.(?!well-known(?:/|$))|/(?:wp-[a-z]+|phpmyadmin|cgi-bin)(?:/|$)|\.\./|/etc/passwd", re.IGNORECASE
)
_CHECK_EVERY = 4096
"""Insertions of new paths between two looks at the size."""
_NODES = 50_000
"""Nodes below which nothing is folded between two renderings."""
_MEMORY = 8192
"""Paths whose place is remembered between requests."""
FORMAT = 1

Key = str
"""A place in the trie before any decision: the keys joined by ``/``, as ``/users/{integer}/orders``."""


@dataclass(slots=True)
class Noise:
    """What was counted but not learned, by reason."""

    absent: int = 0
    """Requests answered 404, 405, 410 or 501."""
    assets: int = 0
    """Successful requests for scripts, styles, images, fonts."""
    probes: int = 0
    """Paths that only scanners ask for."""
    methods: int = 0
    """Requests of a method that makes no endpoint."""
    absent_paths: DistinctSample = field(default_factory=DistinctSample)
    """Estimates the number of distinct paths that were not there."""

    @property
    def total(self) -> int:
        """Requests not learned."""
        return self.absent + self.assets + self.probes + self.methods


class PathState:
    """Everything learned of the paths of one (organization, environment, application, host).

    ``received == learned + noise.total`` always holds.
    """

    __slots__ = (
        "_fresh", "_given_out", "_places", "_threshold", "distinct", "key", "learned", "noise", "pinned",
        "root",
    )  # fmt: skip

    def __init__(self, key: bytes = b"levo") -> None:
        self.key = key
        """Of this installation, at most 64 octets: hashes the values that responses give out."""
        self.root = Node()
        self.learned = 0
        """Requests in the trie."""
        self.noise = Noise()
        self.distinct = DistinctSample()
        """Of learned paths, values of recognized types taken out."""
        self.pinned: frozenset[str] = frozenset()
        """Literals that users or descriptions named: kept before all others, from when they were named."""
        self._places: dict[str | tuple[str, ...], tuple[Node, Key, int]] = {}
        self._fresh = 0
        self._threshold = _NODES
        self._given_out = GivenOut()

    @property
    def received(self) -> int:
        """Requests seen."""
        return self.learned + self.noise.total

    def observe(
        self, method: str, path: str, status: int, weight: float = 1.0, keys: tuple[str, ...] = ()
    ) -> Key | None:
        """Learn one exchange; return the key its facts belong to, None if it teaches nothing.

        *path* as sent, without query; *status* as a trace has it; *weight*: exchanges it stands for.
        *keys*: its place, where that is not the path's (an operation that is named within the request).
        """
        if status in ABSENT_STATUSES or method not in METHODS:
            self._count_noise(method, path, status)
            return None
        name: str | tuple[str, ...] = keys or path
        place = self._places.get(name)
        if place is None:
            place = self._find(path, keys)
            if place is None:
                return None
        node, key, slash = place
        call = node.calls.get(method)
        if call is None:
            call = node.calls[method] = [0, 0, 0, 0, 0, 0]
        # REQUESTS, WEIGHT, CLASSES, SUCCESSES, SLASHES of trie.Call, spelt out as this runs for each request.
        call[0] += 1
        call[1] += round(weight * WEIGHT_UNIT)
        call[2] |= 1 << (status // 100 if 0 <= status < 1000 else 0)
        call[3] += 200 <= status < 400
        call[4] += slash
        self.learned += 1
        return key

    def empty(self) -> PathState:
        """Return a state without anything learned that can be merged with this one."""
        return PathState(self.key)

    def hear(self, method: str, place: Key, statement: Statement) -> None:
        """Learn what the bodies of one successful exchange say; ``observe`` returned *place* for it."""
        node = self.root
        came_back = statement.came_back or ()
        for position, key in enumerate(part for part in place.split("/") if part):
            kid = node.kids.get(key) or node.kids.get(OVERFLOW)
            if kid is None:
                break
            node = kid
            if position < len(came_back):
                node.looked += 1
                node.came_back += came_back[position]
        else:
            call = node.calls.get(method)
            if call is not None:
                call[SHAPE] |= statement.shape
        for text in statement.given_out:
            self._given_out.add(text, self.key)
        if self._given_out.is_full:
            self._recall()
            self._given_out.clear()

    def _recall(self) -> None:
        """Mark the literals that were given out."""
        stack = [self.root] if self._given_out else []
        while stack:
            node = stack.pop()
            for key, kid in node.kids.items():
                if not kid.given_out and "{" not in key and self._given_out.holds(key, self.key):
                    kid.given_out = True
                stack.append(kid)

    def _count_noise(self, method: str, path: str, status: int) -> None:
        noise = self.noise
        if status in ABSENT_STATUSES:
            noise.absent += 1
            noise.absent_paths.add(path)
        else:
            noise.methods += 1

    def _find(self, path: str, known: tuple[str, ...]) -> tuple[Node, Key, int] | None:
        """Return the node of *path*, made if need be; None for noise, which is counted."""
        if known:
            pass
        elif "." in path:
            if _PROBE.search(path) is not None:
                self.noise.probes += 1
                return None
            if _ASSET.search(path) is not None:
                self.noise.assets += 1
                return None
        elif "/wp-" in path or "/cgi-bin" in path or "/phpmyadmin" in path:
            self.noise.probes += 1
            return None
        if self._fresh >= _CHECK_EVERY:
            self._fresh = 0
            if self.root.size() > self._threshold:
                self.fold()
                self._threshold = max(_NODES, 2 * self.root.size())
        node = self.root
        keys = known or path_keys(path)
        for key in keys:
            kid = node.kids.get(key)
            if kid is None:
                if node.bar is not None and "{" not in key and rank(key, self.pinned) > node.bar:
                    key = OVERFLOW
                    kid = node.kids.get(key)
                if kid is None:
                    kid = node.kids[key] = Node()
            node = kid
        name = "/" + "/".join(keys)
        self.distinct.add(name)
        self._fresh += 1
        place = (node, name, int(len(path) > 1 and path.endswith("/")))
        if len(self._places) >= _MEMORY:
            self._places.clear()
        self._places[known or path] = place
        return place

    def leaves_allowed(self) -> int | None:
        """Return the number of leaves the trie may have now, None without limit."""
        estimate = self.distinct.estimate()
        allowed = None
        for distinct, leaves in BUDGETS:
            if estimate >= distinct:
                allowed = leaves
        return allowed

    def fold(self) -> None:
        """Bring the trie into its normal form, which depends on the set of requests only."""
        self._places.clear()
        self._fresh = 0
        self._recall()
        self.root.fold(self.leaves_allowed(), self.pinned)

    def pin(self, literals: Iterable[str]) -> None:
        """Keep *literals* apart wherever they occur, as far as they are not folded already."""
        self.pinned |= frozenset(literals)
        self._places.clear()

    def forget_values(self, top: Branch) -> int:
        """Forget the text of what the decision *top* on this state took for values; return how many.

        What users or descriptions did not name goes to ``{*}`` with its suffix, as does all below it. This
        is no part of merging: it is done before storing, and the merge laws hold for what is left.
        """
        gone = forget_values(top, self.pinned)
        if gone:
            self._places.clear()
            self.root.fold(self.leaves_allowed(), self.pinned)
        return gone

    def absorb(self, other: PathState) -> None:
        """Take in *other*, which is not changed."""
        self.pinned |= other.pinned
        self.root.absorb(other.root.copy())
        self.learned += other.learned
        mine, theirs = self.noise, other.noise
        mine.absent += theirs.absent
        mine.assets += theirs.assets
        mine.probes += theirs.probes
        mine.methods += theirs.methods
        mine.absent_paths.merge(theirs.absent_paths)
        self.distinct.merge(other.distinct)
        self._given_out.merge(other._given_out)
        self.fold()
        if self._given_out.is_full:
            self._given_out.clear()

    def canonical(self, key: Key) -> Key:
        """Return the key under which the facts of *key* are found now that some literals share ``{*}``."""
        parts = [part for part in key.split("/") if part]
        node: Node | None = self.root
        for i, part in enumerate(parts):
            if node is None:
                break
            if part not in node.kids:
                folded = OVERFLOW + literal_suffix(part)
                if folded in node.kids or OVERFLOW in node.kids:
                    parts[i] = part = folded if folded in node.kids else OVERFLOW
            node = node.kids.get(part)
        return "/" + "/".join(parts)

    def requests(self, key: Key, method: str) -> int:
        """Return how many requests ended at *key*, as far as it is told apart from other keys; else 0."""
        node: Node | None = self.root
        for part in key.split("/"):
            if part.startswith(OVERFLOW):
                return 0
            if part and node is not None:
                node = node.kids.get(part)
        call = None if node is None else node.calls.get(method)
        return 0 if call is None else call[0]

    def to_bytes(self) -> bytes:
        """Return the normal form as MessagePack: equal states have equal bytes."""
        self.fold()
        noise = self.noise
        return msgspec.msgpack.encode(
            [
                FORMAT,
                self.learned,
                [noise.absent, noise.assets, noise.probes, noise.methods, noise.absent_paths.hashes],
                self.distinct.hashes,
                sorted(self.pinned),
                _pack(self.root),
            ]
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> PathState:
        """Read what ``to_bytes`` wrote. Raises ``ValueError`` for anything else."""
        state = cls()
        try:
            version, learned, noise, distinct, pinned, root = msgspec.msgpack.decode(data)
            if version != FORMAT:
                raise ValueError(f"path state has format {version}, not {FORMAT}")
            state.learned = learned
            absent, assets, probes, methods, hashes = noise
            state.noise = Noise(absent, assets, probes, methods, DistinctSample(hashes))
            state.distinct = DistinctSample(distinct)
            state.pinned = frozenset(pinned)
            state.root = _unpack(root)
        except (msgspec.DecodeError, TypeError, IndexError) as error:
            raise ValueError(f"{len(data)} octets are no path state") from error
        return state


def merge(a: PathState, b: PathState) -> PathState:
    """Return what *a* and *b* teach together. Commutative and associative; neither is changed."""
    state = a.empty()
    state.absorb(a)
    state.absorb(b)
    return state


def _pack(node: Node) -> list[Any]:
    packed: list[Any] = [
        sorted(node.calls.items()),
        [(key, _pack(kid)) for key, kid in sorted(node.kids.items())],
        node.bar,
    ]
    if node.looked or node.given_out:
        packed.append([node.looked, node.came_back, node.given_out])
    return packed


def _unpack(raw: list[Any]) -> Node:
    node = Node()
    for method, call in raw[0]:
        numbers = node.calls[method] = list(map(int, call))
        numbers.extend([0] * (SHAPE + 1 - len(numbers)))  # states written before there were sketches
    if len(raw) > 3:
        node.looked, node.came_back, node.given_out = raw[3]
    node.kids = {key: _unpack(kid) for key, kid in raw[1]}
    node.bar = tuple(raw[2]) if raw[2] is not None else None
    return node
