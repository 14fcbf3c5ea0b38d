"""``PathState``: all that is remembered of the paths of one host. Mergeable, bounded, decides nothing."""

from __future__ import annotations

import os
import re
import zlib
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from levo.satellite.learn.paths.forget import HASH_BYTES, Forgetting, hash_literal
from levo.satellite.learn.paths.segments import OVERFLOW, folded_key, known_rank, literal_suffix, split_path
from levo.satellite.learn.paths.statement import GivenOut, Statement
from levo.satellite.learn.paths.tally import Tally
from levo.satellite.learn.paths.trie import (
    BUDGETS,
    GRPC,
    MOST_CALLERS,
    OPERATIONS,
    OTHER,
    REQUESTS,
    SHAPE,
    SUCCESSES,
    WEIGHT_UNIT,
    DistinctSample,
    Node,
    Rank,
    add_call,
    path_keys,
)
from levo.satellite.learn.schema.names import MARK

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"})
"""Methods that make endpoints. Others are counted as noise."""
ABSENT_STATUSES = frozenset({404, 405, 410, 501})
"""Answers that say that there is nothing."""
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
"""Paths whose place is remembered between requests, and places; then both are forgotten."""
FORMAT = 3
WITHOUT_CALLERS = 2
"""Paths that were only refused were learned as well, and words were kept before others."""
WITHOUT_HASHES = 1
"""Without hashes of values, too."""
HASHED = "%~"
"""Starts the segment of a place that stands for a literal of which only the keyed hash is kept."""
MOST_BODIES = 4_096
"""Counters of looked-into messages, and what each counts to: beyond it, the share does not change."""

Key = str
"""A place in the trie before any decision: the keys joined by ``/``, as ``/users/{integer}/orders``."""


@dataclass(slots=True)
class Noise:
    """What was counted but not learned, by reason."""

    absent: int = 0
    """Requests answered 404, 405, 410 or 501."""
    assets: int = 0
    """Successful requests that read scripts, styles, images, fonts."""
    probes: int = 0
    """Paths that only scanners ask for."""
    methods: int = 0
    """Requests of a method that makes no endpoint."""
    refused: int = 0
    """Requests answered with another error (4xx, 5xx), or of which no answer was seen."""
    absent_paths: DistinctSample = field(default_factory=DistinctSample)
    """Estimates the number of distinct paths that were not there."""

    @property
    def total(self) -> int:
        """Requests not learned."""
        return self.absent + self.assets + self.probes + self.methods + self.refused


class Located(NamedTuple):
    """Where facts are kept."""

    key: Key
    like: Key | None
    """The key of the place whose template such a request would have; None if there is none. Other than *key*
    where no request has proven some literal, but others share ``{*}`` there."""
    there: bool
    """Whether a request has proven that the place exists."""


def hashed_part(part: str, key: bytes) -> str:
    """Return what stands for *part* in a place that nothing has proven: its hash under *key*, or itself."""
    if part.startswith(HASHED) or "{" in part or part[0] == "#" or known_rank(part) >= 0:
        return part
    return f"{HASHED}{hash_literal(part, key):0{2 * HASH_BYTES}x}{literal_suffix(part)}"


def shown_place(key: Key) -> str:
    """Return *key* as users see it: ``{?}`` stands for what is not kept as text."""
    parts = ["{?}" if part.startswith(HASHED) else part for part in key.split("/")]
    return "/".join(part for part in parts if part not in (OPERATIONS, GRPC)) or "/"


class PathState:
    """Everything learned of the paths of one (organization, environment, application, host).

    ``received == learned + noise.total`` always holds.
    """

    __slots__ = (
        "_counted", "_fresh", "_places", "_threshold", "bodies", "bodies_apart", "bodies_before", "distinct",
        "given_out", "key", "learned", "noise", "pinned", "root", "tally",
    )  # fmt: skip

    def __init__(self, key: bytes = b"levo") -> None:
        self.key = key
        """Of this installation, at most 64 octets: hashes literals and the values that responses give out."""
        self.root = Node()
        self.learned = 0
        """Requests in the trie."""
        self.noise = Noise()
        self.distinct = DistinctSample()
        """Of learned paths, values of recognized types taken out."""
        self.pinned: frozenset[str] = frozenset()
        """Literals that users or descriptions named: kept before all others, from when they were named."""
        self.given_out = GivenOut()
        """Values that responses gave out."""
        self.tally = Tally()
        """Successes of literals that were folded."""
        self.bodies: dict[int, int] = {}
        """Exchanges whose messages might be looked into, by ``body_counter``."""
        self.bodies_before: Mapping[int, int] | None = None
        """The same of what this will be merged with; None until that was asked for. Never stored."""
        self.bodies_apart = 0
        """How many of ``bodies`` are not in ``bodies_before``, once that was asked for."""
        self._places: dict[str | tuple[str, ...], tuple[Node, Key, int]] = {}
        self._counted: set[Key] = set()
        """Keys that are in ``distinct``, or too great for it, and need not be hashed again."""
        self._fresh = 0
        self._threshold = _NODES

    @property
    def received(self) -> int:
        """Requests seen."""
        return self.learned + self.noise.total

    def observe(
        self,
        method: str,
        path: str,
        status: int,
        weight: float = 1.0,
        keys: tuple[str, ...] = (),
        caller: int = 0,
        minute: int = 0,
    ) -> Key | None:
        """Learn one exchange; return the key its facts belong to, None if it teaches nothing.

        *path* as sent, without query; *status* as a trace has it; *weight*: exchanges it stands for.
        *keys*: its place, where that is not the path's (an operation that is named within the request).
        *caller*: a keyed hash of who sent it, and *minute*: when it ended, in minutes; 0 if unknown.
        """
        if not 100 <= status < 400 or method not in METHODS:
            self._count_noise(method, path, status)
            return None
        name: str | tuple[str, ...] = keys or path
        place = self._places.get(name)
        if place is None:
            place = self._find(method, path, keys)
            if place is None:
                return None
        node, key, slash = place
        call = node.calls.get(method)
        if call is None:
            call = node.calls[method] = [0, 0, 0, 0, 0, 0]
        # REQUESTS, WEIGHT, CLASSES, SUCCESSES, SLASHES of trie.Call, spelt out as this runs for each request.
        call[0] += 1
        call[1] += round(weight * WEIGHT_UNIT)
        call[2] |= 1 << status // 100
        call[3] += 1
        call[4] += slash
        callers = node.callers
        if not callers:
            if caller:
                node.callers = (caller,)
        elif caller and (caller < callers[-1] or len(callers) < MOST_CALLERS):
            at = bisect_left(callers, caller)
            if at == len(callers) or callers[at] != caller:
                node.callers = (*callers[:at], caller, *callers[at : MOST_CALLERS - 1])
        if minute and (minute < node.first or not node.first):
            node.first = minute
        self.learned += 1
        return key

    def empty(self) -> PathState:
        """Return a state without anything learned that can be merged with this one."""
        return PathState(self.key)

    def hear(self, method: str, place: Key, statement: Statement) -> None:
        """Learn what the bodies of one successful exchange say; ``observe`` returned *place* for it."""
        node = self.root
        came_back = statement.came_back or ()
        for position, key in enumerate(split_path(place)):
            kid = None if node.gone else node.kids.get(key)
            if kid is None:
                step = node.step(key, self.rules())
                if step is None:
                    break
                kid = step[1]
            node = kid
            if position < len(came_back):
                node.looked += 1
                node.came_back += came_back[position]
        else:
            call = node.calls.get(method)
            if call is not None:
                call[SHAPE] |= statement.shape
        for text in statement.given_out:
            self.given_out.add(hash_literal(text, self.key))

    def rules(self) -> Forgetting:
        """Return the rule that says which literals are forgotten as values."""
        return Forgetting(self.key, self.pinned, self.given_out, self.tally)

    def _count_noise(self, method: str, path: str, status: int) -> None:
        noise = self.noise
        if status in ABSENT_STATUSES:
            noise.absent += 1
            noise.absent_paths.add(path)
        elif method not in METHODS:
            noise.methods += 1
        else:
            noise.refused += 1

    def _is_noise(self, method: str, path: str, asset: bool) -> bool:
        """Return whether a request says nothing about the API, and count it then."""
        if (
            _PROBE.search(path)
            if "." in path
            else "/wp-" in path or "/cgi-bin" in path or "/phpmyadmin" in path
        ):
            self.noise.probes += 1
        elif asset and method in ("GET", "HEAD"):
            self.noise.assets += 1
        else:
            return False
        return True

    def _find(self, method: str, path: str, known: tuple[str, ...]) -> tuple[Node, Key, int] | None:
        """Return the node of *path*, made if need be; None for noise, which is counted."""
        asset = not known and "." in path and _ASSET.search(path) is not None
        if not known and self._is_noise(method, path, asset):
            return None
        if self._fresh >= _CHECK_EVERY:
            self._fresh = 0
            if self.root.size() > self._threshold:
                self.fold()
                self._threshold = max(_NODES, 2 * self.root.size())
        node = self.root
        keys = known or path_keys(path)
        for key in keys:
            # What is beyond the bound is folded later, by all that is known of it then.
            if (
                node.gone
                and "{" not in key
                and key not in self.pinned
                and hash_literal(key, self.key) in node.gone
            ):
                key = folded_key(key)
            kid = node.kids.get(key)
            if kid is None:
                kid = node.kids[key] = Node()
            node = kid
        name = "/" + "/".join(keys)
        if name not in self._counted:
            if len(self._counted) >= _MEMORY:
                self._counted.clear()
            self._counted.add(name)
            self.distinct.add(name)
        self._fresh += 1
        place = (node, name, int(len(path) > 1 and path.endswith("/")))
        if not asset:  # whether that is noise depends on the method
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
        self.given_out.trim()
        self.root.fold(self.leaves_allowed(), self.rules())

    def moved(self) -> None:
        """Note that nodes of the trie have other keys than before."""
        self._places.clear()

    def pin(self, literals: Iterable[str]) -> None:
        """Keep *literals* apart wherever they occur, as far as they are not folded already."""
        self.pinned |= frozenset(literals)
        self._places.clear()

    def absorb(self, other: PathState, *, fold: bool = True) -> None:
        """Take in *other*, which is not changed; *fold* brings the whole into its normal form."""
        self.pinned |= other.pinned
        self.root.absorb(other.root.copy())
        self.learned += other.learned
        mine, theirs = self.noise, other.noise
        mine.absent += theirs.absent
        mine.assets += theirs.assets
        mine.probes += theirs.probes
        mine.methods += theirs.methods
        mine.refused += theirs.refused
        mine.absent_paths.merge(theirs.absent_paths)
        self.distinct.merge(other.distinct)
        self.given_out.merge(other.given_out)
        self.tally.merge(other.tally)
        for counter, count in other.bodies.items():
            self.bodies[counter] = min(MOST_BODIES, self.bodies.get(counter, 0) + count)
        if other.bodies:
            self.bodies_before = None
        self._fresh += len(other._places)
        if fold or self._fresh >= _CHECK_EVERY:
            self.fold()

    def conform(self, known: PathState) -> None:
        """Forget what *known* has forgotten or does not keep, so that the rest of this may be stored."""
        rules = Forgetting(self.key, known.pinned, known.given_out, self.tally)
        stack = [(self.root, known.root, "")]
        while stack:
            node, other, place = stack.pop()
            if other.gone or other.odd or other.bar is not None:
                node.fold_as(other, rules, place)
            for key, kid in node.kids.items():
                twin = other.kids.get(key)
                if twin is not None:
                    stack.append((kid, twin, f"{place}/{key}"))

    def locate(self, key: Key, method: str = "") -> Located:
        """Return where the facts of *key* are kept; *key* may be such a place itself.

        Literals that share ``{*}`` by now go there; of a literal that no request has proven to exist only the
        keyed hash is kept, unless it is a word of APIs. Without *method*, a request of any proves it.
        """
        rules = self.rules()
        parts = [part for part in key.split("/") if part]
        near: list[str] = []
        node: Node | None = self.root
        like: Node | None = None
        for i, part in enumerate(parts):
            if node is not None and part.startswith(HASHED):
                part = self._literal_of(node, part)
            step = None if node is None else self._step(node, part, rules)
            if step is not None:
                parts[i], node = step
                near.append(parts[i])
                continue
            before = like if node is None else node
            loose = None if before is None else before.step(part, rules)
            parts[i], node = self._hashed(part), None
            if loose is None:
                return Located(self._key((*parts[:i], *map(self._hashed, parts[i:]))), None, False)
            near.append(loose[0])
            like = loose[1]
        if node is None:
            return Located(self._key(parts), self._key(near), False)
        there = method in node.calls if method else bool(node.calls)
        found = self._key(parts)
        return Located(found, found, there)

    @staticmethod
    def _key(parts: Iterable[str]) -> Key:
        return "/" + "/".join(parts)

    def _step(self, node: Node, part: str, rules: Forgetting) -> tuple[str, Node] | None:
        """Return the child that a request with *part* goes to, as ``_find`` has it; None for a new one."""
        hashed = int(part[2 : 2 + 2 * HASH_BYTES], 16) if part.startswith(HASHED) else None
        if hashed is None and not node.is_gone(part, rules):
            kid = node.kids.get(part)
            if kid is not None:
                return part, kid
        if node.is_crowded and not rules.is_pinned(part):
            kid = node.kids.get(OVERFLOW)
            return None if kid is None else (OVERFLOW, kid)
        if "{" in part or rules.is_pinned(part):
            return None
        rank = rules.rank(part) if hashed is None else Rank(OTHER, hashed)
        above = node.bar is not None and rank > node.bar
        if above or rank.hashed in node.gone or rank.hashed in node.odd:
            folded = folded_key(part)
            kid = node.kids.get(folded)
            return None if kid is None else (folded, kid)
        return None

    def canonical(self, key: Key) -> Key:
        """Return the key under which the facts of *key* are kept."""
        return self.locate(key).key

    def remove(self, key: Key, method: str) -> None:
        """Forget the requests of *method* at the place *key*, as though they had never come."""
        trail = [self.root]
        parts = [part for part in key.split("/") if part]
        for part in parts:
            kid = trail[-1].kids.get(part)
            if kid is None:
                return
            trail.append(kid)
        call = trail[-1].calls.pop(method, None)
        if call is not None:
            self.learned -= call[REQUESTS]
        self._places.clear()
        while parts and not (trail[-1].calls or trail[-1].kids):
            trail.pop()
            del trail[-1].kids[parts.pop()]

    def restart_hashes(self) -> bool:
        """Drop every keyed hash, as the key is about to change; return whether there was one."""
        self.fold()
        found = bool(self.given_out)
        self.given_out, self.tally = GivenOut(), Tally()
        once = os.urandom(16)
        stack = [self.root]
        while stack:
            node = stack.pop()
            found = found or node.forgotten > 0 or node.bar is not None or bool(node.callers)
            node.gone, node.odd, node.bar = frozenset(), frozenset(), None
            # How many there were, and where the same ones, still counts; who they are can no longer be told.
            node.callers = tuple(sorted({_renamed(caller, once) for caller in node.callers}))
            for name in [key for key in node.kids if key[:1] == MARK]:  # hashes of names of operations
                self.learned -= node.kids.pop(name).requests(1 << 62)
                found = True
            stack.extend(node.kids.values())
        return found

    def restore(self, key: Key, method: str, requests: int, statuses: Mapping[int, float]) -> None:
        """Put back a place that other records prove, if it is missing; what bodies said of it is lost."""
        if method not in METHODS or self.locate(key, method).there:
            return
        parts = [part for part in key.split("/") if part]
        node = self.root
        for part in parts:
            node = node.kids.setdefault(part, Node())
        classes = 0
        for status in statuses:
            classes |= 1 << (status // 100 if 0 <= status < 1000 else 0)
        succeeded = any(100 <= status < 400 for status in statuses)
        weight = round(sum(statuses.values()) * WEIGHT_UNIT)
        add_call(node.calls, method, [requests, weight, classes, requests * succeeded, 0, 0])
        self.learned += requests
        self.distinct.add("/" + "/".join(parts))
        self._places.clear()

    def _leave_out_refused(self) -> None:
        """Take out the paths that earlier versions learned although each request was refused."""
        refused, _ = _only_succeeded(self.root)
        self.learned -= refused
        self.noise.refused += refused

    def _literal_of(self, node: Node, hashed: str) -> str:
        """Return the literal child of *node* that *hashed* stands for, *hashed* if there is none."""
        for key in node.kids:
            if "{" not in key and self._hashed(key) == hashed:
                return key
        return hashed

    def _hashed(self, part: str) -> str:
        return hashed_part(part, self.key)

    def to_bytes(self) -> bytes:
        """Return the normal form as MessagePack: equal states have equal bytes."""
        self.fold()
        noise = self.noise
        return msgspec.msgpack.encode(
            [
                FORMAT,
                self.learned,
                [
                    noise.absent,
                    noise.assets,
                    noise.probes,
                    noise.methods,
                    noise.absent_paths.hashes,
                    noise.refused,
                ],
                self.distinct.hashes,
                sorted(self.pinned),
                _pack(self.root),
                b"".join(hashed.to_bytes(HASH_BYTES) for hashed in self.given_out.sorted()),
                sorted(self.bodies.items()),
                self.tally.stored(),
            ]
        )

    @classmethod
    def from_bytes(cls, data: bytes, key: bytes = b"levo") -> PathState:
        """Read what ``to_bytes`` wrote with *key*. Raises ``ValueError`` for anything else."""
        state = cls(key)
        try:
            version, learned, noise, distinct, pinned, root, *more = msgspec.msgpack.decode(data)
            if version not in (FORMAT, WITHOUT_CALLERS, WITHOUT_HASHES):
                raise ValueError(f"path state has format {version}, not {FORMAT}")
            state.learned = learned
            absent, assets, probes, methods, hashes, *refused = noise
            state.noise = Noise(absent, assets, probes, methods, sum(refused), DistinctSample(hashes))
            state.distinct = DistinctSample(distinct)
            state.pinned = frozenset(pinned)
            state.root = _unpack(root, version)
            if version != WITHOUT_HASHES:
                given_out, bodies, *tally = more
                state.tally = Tally.read(*tally) if tally else Tally()
                size = HASH_BYTES
                state.given_out = GivenOut(
                    int.from_bytes(given_out[at : at + size]) for at in range(0, len(given_out), size)
                )
                state.bodies = dict(bodies)
            if version != FORMAT:
                state._leave_out_refused()
        except (msgspec.DecodeError, TypeError, IndexError) as error:
            raise ValueError(f"{len(data)} octets are no path state") from error
        return state


def _only_succeeded(node: Node) -> tuple[int, bool]:
    """Leave out of *node* what never had success; return how many requests, and if something stays."""
    out = sum(call[REQUESTS] for call in node.calls.values() if not call[SUCCESSES])
    node.calls = {method: call for method, call in node.calls.items() if call[SUCCESSES]}
    kids = {}
    for key, kid in node.kids.items():
        below, stays = _only_succeeded(kid)
        out += below
        if stays:
            kids[key] = kid
    node.kids = kids
    return out, bool(node.calls or kids)


def merge(a: PathState, b: PathState) -> PathState:
    """Return what *a* and *b* teach together. Commutative and associative; neither is changed."""
    state = a.empty()
    state.absorb(a)
    state.absorb(b)
    return state


def _renamed(caller: int, key: bytes) -> int:
    return int.from_bytes(blake2b(caller.to_bytes(4), digest_size=4, key=key).digest()) or 1


def body_counter(method: str, place: Key, status: int) -> int:
    """Return the counter that an exchange at *place* is counted with: few of a host share one."""
    return zlib.crc32(f"{method} {status} {place}".encode(errors="replace")) % MOST_BODIES


def _pack(node: Node) -> list[Any]:
    packed: list[Any] = [
        sorted(node.calls.items()),
        [(key, _pack(kid)) for key, kid in sorted(node.kids.items())],
        node.bar,
    ]
    more = [
        node.callers,
        node.first,
        node.looked,
        node.came_back,
        sorted(node.gone),
        sorted(node.odd),
    ]
    if any(more):
        packed.append(more)
    return packed


def _unpack(raw: list[Any], version: int = FORMAT) -> Node:
    node = Node()
    for method, call in raw[0]:
        numbers = node.calls[method] = list(map(int, call))
        numbers.extend([0] * (SHAPE + 1 - len(numbers)))  # states written before there were sketches
    if version == FORMAT:
        if len(raw) > 3:
            callers, node.first, node.looked, node.came_back, gone, odd = raw[3]
            node.callers, node.gone, node.odd = tuple(callers), frozenset(gone), frozenset(odd)
        if raw[2] is not None:
            node.bar = Rank(*raw[2])
    elif len(raw) > 3:
        node.looked, node.came_back, gone = raw[3]
        node.gone = frozenset(gone if version == WITHOUT_CALLERS else ())
    node.kids = {key: _unpack(kid, version) for key, kid in raw[1]}
    return node
