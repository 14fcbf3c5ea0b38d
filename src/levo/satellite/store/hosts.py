"""Which hosts of an application are told apart, and which of them by name.

Any client can send any ``Host``. So a host has a name in the catalog only once it has proven itself: three
requests answered with success, from two callers or over a day. Until then a keyed hash stands for it, under
which everything is learned as usual. An application has room for so many hosts. When it is full, the host
with the fewest successes and callers makes room for one that has more; what finds no room shares one host,
``*``. Many hosts below one domain share ``*.domain``, which weighs as much as the strongest of them does.
Anybody can make them many, so one that has 20 successes by itself is told apart from then on, until 16 named
hosts there have as many from two callers.
"""

from __future__ import annotations

import heapq
import ipaddress
import re
from collections.abc import Callable, Set
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import NamedTuple

from levo.satellite.learn import Application, EndpointFacts, Scope, State
from levo.satellite.learn.paths.tally import Tally
from levo.satellite.learn.paths.trie import ESTABLISHED, Strength, least_callers
from levo.satellite.learn.state import MINUTE_NS
from levo.satellite.store.paths import PathTable

OTHERS = "*"
"""The host of all those that are not told apart."""
UNNAMED = "~"
"""Starts the name of a host of which only the keyed hash is kept."""
LEAST_SUCCESSES = 3
LEAST_CALLERS = 2
LEAST_MINUTES = 24 * 60
"""A host with one caller has a name once its first and latest success are so far apart."""
WILDCARD = 16
"""Different hosts below one domain after which new ones share ``*.domain``."""
_MOST_DOMAINS = 4_096
"""Domains whose hosts are counted."""
_PORT = re.compile(r":\d{1,5}$")
_UNNAMED = re.compile(f"{UNNAMED}[0-9a-f]{{10}}")


Weight = tuple[int, int]
"""Successes up to :data:`ESTABLISHED`, then callers."""


class Limits(NamedTuple):
    """How much of an application is kept."""

    hosts: int = 500
    places: int = 20_000
    name_hosts: bool = False
    """Whether hosts have a name at once."""


@dataclass(slots=True)
class Admission:
    """A delta as it is to be stored, and what has to happen before."""

    delta: State
    named: list[tuple[Scope, Scope]] = field(default_factory=list)
    """Hosts that have proven themselves: as they were called until now, and their names."""
    displaced: list[Scope] = field(default_factory=list)
    """Hosts that made room."""
    shared: float = 0.0
    """Exchanges of hosts that found no room."""


def is_unnamed(host: str) -> bool:
    """Whether *host* stands for one whose name is not kept."""
    return _UNNAMED.fullmatch(host) is not None


class HostBook:
    """Says under which host what was learned is stored. Changes nothing by itself."""

    def __init__(self, paths: PathTable, key: bytes, limits: Limits) -> None:
        self._paths = paths
        self._key = key
        self._limits = limits
        self._domains: dict[tuple[Application, bytes], set[bytes]] = {}
        """Hosts by application and domain, at most ``WILDCARD`` of each, by hash."""
        self._tally = Tally()
        """Successes of hosts that share one, since this process started."""
        self._strongest: dict[Scope, int] = {}
        """Successes of the strongest host that shares a pattern, whose hash is the key, since then."""

    def stored(self, scope: Scope) -> Scope:
        """Return the host under which *scope* is stored now, *scope* if nothing is."""
        if scope in self._paths.hosts:
            return scope
        for name in (self._hidden(scope.host), self._pattern(scope.host), OTHERS):
            other = scope._replace(host=name)
            if name and other in self._paths.hosts:
                return other
        return scope

    def called(self, scope: Scope) -> Scope:
        """Return the host that *scope* stands for by the name it has by now, *scope* if it has none."""
        if is_unnamed(scope.host) and scope not in self._paths.hosts:
            for other in self._paths.hosts:
                if other._replace(host=self._hidden(other.host)) == scope:
                    return other
        return scope

    def admit(self, delta: State) -> Admission:
        """Return how *delta*, which is not changed, is to be stored."""
        admission = Admission(delta)
        if all(scope in self._paths.hosts and not is_unnamed(scope.host) for scope in delta.paths):
            return admission
        room: dict[Application, _Room] = {}
        groups: dict[Scope, list[Scope]] = {}
        busy: set[Scope] = set()
        seen = _seen(delta)
        for scope in sorted(delta.paths):
            name = scope.host
            if scope not in self._paths.hosts or is_unnamed(name):
                here = room.get(scope.application_key)
                if here is None:
                    here = room[scope.application_key] = _Room(
                        self._paths, scope.application_key, self._limits.hosts, busy, self._weight
                    )
                name = self._wild(scope, seen[scope], here)
            groups.setdefault(scope._replace(host=name), []).append(scope)
            busy |= {scope._replace(host=name), scope._replace(host=self._hidden(name))}
        targets: dict[Scope, Scope] = {}
        for name_scope, scopes in groups.items():
            target = name_scope
            if name_scope not in self._paths.hosts or is_unnamed(name_scope.host):
                news = _together([seen[scope] for scope in scopes])
                target = self._target(name_scope, news, admission, room[name_scope.application_key])
            targets.update(dict.fromkeys(scopes, target))
        if any(scope != target for scope, target in targets.items()):
            admission.delta = _moved(delta, targets)
        return admission

    def _target(self, scope: Scope, news: _Seen, admission: Admission, here: _Room) -> Scope:
        """Return where *news* of *scope*, which has no name yet, go."""
        hidden = scope._replace(host=self._hidden(scope.host))
        plain = self._is_plain(scope.host)
        before = here.known.get(hidden)
        if before is not None and hidden in self._paths.hosts:
            known = self._paths.known[hidden].root.callers_below() if before.callers < LEAST_CALLERS else ()
            strength = _joined(before, news, known)
            if not plain and not _is_proven(strength, news.minute):
                here.known[hidden] = strength
                return hidden
            del here.known[hidden]
            here.known[scope] = strength
            if scope != hidden:
                admission.named.append((hidden, scope))
            return scope
        place = "/".join(hidden)
        tallied = Strength(
            news.successes + self._tally.count(place, self._key), len(news.callers), news.first
        )
        displaced = here.make_room(scope, tallied)
        if displaced is None:
            self._tally.add(place, news.successes, self._key)
            admission.shared += news.exchanges
            return scope._replace(host=OTHERS)
        admission.displaced.extend(displaced)
        strength = Strength(news.successes, len(news.callers), news.first)
        target = scope if plain or _is_proven(strength, news.minute) else hidden
        here.known[target] = strength
        return target

    def _is_plain(self, host: str) -> bool:
        """Whether *host* may be kept as it is: nobody chose it as a name, or names are kept at once."""
        if self._limits.name_hosts or host in ("", OTHERS, "localhost"):
            return True
        bare = _PORT.sub("", host).strip("[]")
        if bare == "localhost":
            return True
        try:
            ipaddress.ip_address(bare)
        except ValueError:
            return False
        return "%" not in bare  # the zone of an address (RFC 6874) is any text

    def _hash(self, text: str) -> bytes:
        return blake2b(text.encode(errors="replace"), digest_size=5, key=self._key).digest()

    def _hidden(self, host: str) -> str:
        return host if is_unnamed(host) or self._is_plain(host) else UNNAMED + self._hash(host).hex()

    @staticmethod
    def _pattern(host: str) -> str:
        """Return ``*.domain`` for a host below a domain of two or more labels, else nothing."""
        _, _, domain = host.partition(".")
        return f"*.{domain}" if "." in domain and not host.startswith("*") else ""

    def _wild(self, scope: Scope, news: _Seen, here: _Room) -> str:
        """Return the host of *scope*, or the pattern that it shares with many others."""
        host, application = scope.host, scope.application_key
        pattern = self._pattern(host)
        if not pattern or self._is_plain(host):
            return host
        hidden = scope._replace(host=self._hidden(host))
        if scope in here.known or hidden in here.known:
            return host
        if not self._is_shared(application, host, pattern, here):
            return host
        place = "/".join(hidden)
        successes = news.successes + self._tally.count(place, self._key)
        if successes >= ESTABLISHED and here.established_below(pattern) < WILDCARD:
            return host
        self._tally.add(place, news.successes, self._key)
        shared = scope._replace(host=self._hidden(pattern))
        self._strongest[shared] = max(successes, self._strongest.get(shared, 0))
        if len(self._strongest) > _MOST_DOMAINS:
            del self._strongest[next(iter(self._strongest))]
        return pattern

    def _weight(self, scope: Scope, strength: Strength) -> Weight:
        """Return what decides who makes room: a pattern weighs no more than the strongest of its hosts."""
        successes = min(ESTABLISHED, strength.successes)
        most = self._strongest.get(scope._replace(host=self._hidden(scope.host)))
        if most is None and scope.host.startswith("*."):
            most = ESTABLISHED - 1  # not known since the start: what is established by itself goes before
        return (successes if most is None else min(successes, most)), strength.callers

    def _is_shared(self, application: Application, host: str, pattern: str, here: _Room) -> bool:
        """Whether so many hosts were seen below the domain of *host* that new ones share *pattern*."""
        shared = Scope(*application, pattern)
        if shared in here.known or shared._replace(host=self._hidden(pattern)) in here.known:
            return True
        hosts = self._domains.setdefault((application, self._hash(pattern)), set())
        if len(hosts) < WILDCARD:
            hosts.add(self._hash(host))
        if len(self._domains) > _MOST_DOMAINS:
            del self._domains[next(iter(self._domains))]
        return len(hosts) >= WILDCARD


class _Room:
    """The hosts of an application while a delta is admitted."""

    def __init__(
        self,
        paths: PathTable,
        application: Application,
        most: int,
        busy: Set[Scope],
        weight: Callable[[Scope, Strength], Weight],
    ) -> None:
        """*busy*: hosts that have news, which make no room now."""
        self.known = {
            scope: row.strength for scope, row in paths.hosts.items() if scope.application_key == application
        }
        self._weakest = [
            (weight(scope, strength), -strength.first, scope)
            for scope, strength in self.known.items()
            if scope.host != OTHERS
        ]
        heapq.heapify(self._weakest)
        self._most = most
        self._busy = busy
        self._weight = weight

    def established_below(self, pattern: str) -> int:
        """Return how many hosts of the domain of *pattern* have a name and 20 successes from two callers."""
        domain = pattern.removeprefix("*")
        return sum(
            strength.successes >= ESTABLISHED and strength.callers >= LEAST_CALLERS
            for scope, strength in self.known.items()
            if scope.host != pattern and scope.host.endswith(domain)
        )

    def make_room(self, scope: Scope, strength: Strength) -> list[Scope] | None:
        """Return the hosts that go for *scope*, which has *strength*; None if it has to share one itself."""
        if len(self.known) < self._most:
            return []
        while self._weakest:
            weight, _, weakest = self._weakest[0]
            known = self.known.get(weakest)
            if known is not None and self._weight(weakest, known) == weight and weakest not in self._busy:
                break
            heapq.heappop(self._weakest)  # has a name by now, more successes, or news
        if not self._weakest or self._weakest[0][0] >= self._weight(scope, strength):
            return None
        _, _, weakest = heapq.heappop(self._weakest)
        del self.known[weakest]
        return [weakest]


def _joined(before: Strength, news: _Seen, known: tuple[int, ...]) -> Strength:
    """Return the strength of a stored host with *news*; *known* are its callers where there are few."""
    callers = max(before.callers, len({*known, *news.callers}))
    first = min(filter(None, (before.first, news.first)), default=0)
    return Strength(before.successes + news.successes, callers, first)


def _is_proven(strength: Strength, latest: int) -> bool:
    if strength.successes < LEAST_SUCCESSES:
        return False
    return strength.callers >= LEAST_CALLERS or (
        strength.first > 0 and latest - strength.first >= LEAST_MINUTES
    )


@dataclass(slots=True)
class _Seen:
    """What a delta says of a host, or of several that share a name."""

    successes: int = 0
    callers: tuple[int, ...] = ()
    first: int = 0
    """When the first success came, in minutes; 0 is unknown."""
    minute: int = 0
    """Of the latest exchange."""
    exchanges: float = 0.0


def _seen(delta: State) -> dict[Scope, _Seen]:
    seen = {}
    for scope, paths in delta.paths.items():
        strength = paths.root.strength()
        seen[scope] = _Seen(strength.successes, paths.root.callers_below(), strength.first)
    for key, facts in delta.endpoints.items():
        mine = seen[key.scope]
        mine.minute = max(mine.minute, facts.last_seen_ns // MINUTE_NS)
        mine.exchanges += facts.exchanges
    return seen


def _together(each: list[_Seen]) -> _Seen:
    if len(each) == 1:
        return each[0]
    return _Seen(
        sum(one.successes for one in each),
        least_callers((), [caller for one in each for caller in one.callers]),
        min((one.first for one in each if one.first), default=0),
        max(one.minute for one in each),
        sum(one.exchanges for one in each),
    )


def _moved(delta: State, targets: dict[Scope, Scope]) -> State:
    """Return *delta* with its hosts named anew; what goes to one host is put together."""
    moved = replace(delta, endpoints={}, paths={})
    for scope, paths in delta.paths.items():
        mine = moved.paths.get(targets[scope])
        if mine is None:
            mine = moved.paths[targets[scope]] = paths.empty()
        mine.absorb(paths, fold=False)
    for key, facts in delta.endpoints.items():
        target = key._replace(host=targets[key.scope].host)
        known = moved.endpoints.get(target)
        if known is None:
            known = moved.endpoints[target] = EndpointFacts()
        known.add(facts)
    return moved
