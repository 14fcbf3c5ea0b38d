"""The mergeable state: figures, messages and paths per endpoint, added up."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from levo.satellite.learn.access import Access, answer_kind, sender_of
from levo.satellite.learn.callers import Callers, Hashed, hashed_caller
from levo.satellite.learn.knowledge import UNREAD, learn_messages
from levo.satellite.learn.marks import marks_of
from levo.satellite.learn.naming import Application, NameRule
from levo.satellite.learn.operations import parts_of
from levo.satellite.learn.paths.operation_names import names_of
from levo.satellite.learn.paths.state import MOST_BODIES, Key, PathState, body_counter
from levo.satellite.learn.paths.statement import read_document, statement_of
from levo.satellite.learn.paths.trie import path_keys
from levo.satellite.learn.schema.hyperloglog import hash_key
from levo.satellite.learn.schema.messages import Knowledge
from levo.satellite.learn.schema.names import Message, Names
from levo.satellite.learn.sensitive.detectors import Detectors
from levo.satellite.learn.sensors import SensorReport, merge_sensor
from levo.satellite.learn.trace import SCHEME_BITS, Trace
from levo.satellite.learn.traffic import TrafficByMinute, count_exchange, merge_traffic


class Scope(NamedTuple):
    """Paths are compared within one host of one application."""

    organization: str
    environment: str
    application: str
    host: str

    @property
    def application_key(self) -> Application:
        """What names are proven for."""
        return Application(*self[:3])


PlainScope = tuple[str, str, str, str]
"""A :class:`Scope` as a plain tuple, which is equal to it and quicker to make."""


class EndpointKey(NamedTuple):
    """What makes two exchanges belong together before any decision about templates."""

    organization: str
    environment: str
    application: str
    host: str
    method: str
    place: str
    """The path with the segments that are values by their form replaced (``paths.state.Key``)."""

    @property
    def scope(self) -> Scope:
        """The host it is of."""
        return Scope(*self[:4])


@dataclass(slots=True)
class EndpointFacts:
    """What is known of one endpoint. All numbers add, the times are the least and the greatest."""

    traces: int = 0
    """API traces learned from."""
    exchanges: float = 0.0
    """Exchanges they stand for: the sum of their weights."""
    statuses: dict[int, float] = field(default_factory=dict)
    """Exchanges by status code; 0 is "no response seen", -1 no valid code. At most 502 keys."""
    schemes: int = 0
    """A union of ``SCHEME_BITS``: which schemes were seen; 0 while none is known."""
    first_seen_ns: int = 0
    last_seen_ns: int = 0
    traffic: TrafficByMinute = field(default_factory=dict)
    callers: Callers = field(default_factory=Callers)
    knowledge: Knowledge = field(default_factory=Knowledge)
    access: Access = field(default_factory=Access)
    """Of all exchanges, looked into or not."""

    def add(self, other: EndpointFacts) -> None:
        """Take in *other*, which is about other traces of the same endpoint and is not changed."""
        if not self.traces or other.first_seen_ns < self.first_seen_ns:
            self.first_seen_ns = other.first_seen_ns
        self.last_seen_ns = max(self.last_seen_ns, other.last_seen_ns)
        self.traces += other.traces
        self.exchanges += other.exchanges
        self.schemes |= other.schemes
        for status, exchanges in other.statuses.items():
            self.statuses[status] = self.statuses.get(status, 0.0) + exchanges
        merge_traffic(self.traffic, other.traffic)
        self.callers.absorb(other.callers)
        self.knowledge.absorb(other.knowledge)
        self.access.absorb(other.access)

    def add_trace(self, trace: Trace, caller: Hashed, minute: int, kind: int) -> None:
        """Count one trace, which came from *caller* and ended in *minute*, counted from the Unix epoch.

        *kind* is the class of its answer (``learn.access``).
        """
        weight, end_ns, status = counted_weight(trace.weight), trace.end_ns, trace.status
        if not self.traces or end_ns < self.first_seen_ns:
            self.first_seen_ns = end_ns
        if end_ns > self.last_seen_ns:
            self.last_seen_ns = end_ns
        self.traces += 1
        self.exchanges += weight
        self.schemes |= SCHEME_BITS.get(trace.scheme, 0)
        self.statuses[status] = self.statuses.get(status, 0.0) + weight
        duration_ns = end_ns - trace.start_ns
        count_exchange(self.traffic, minute, duration_ns=duration_ns, status=status, weight=weight)
        self.callers.add(caller)
        access, sender = self.access, sender_of(trace.request_headers, trace.query)
        count = int(weight) if weight == int(weight) else weight
        access.count_client(trace.client, sender.hop, count)
        for mark in marks_of(trace):  # none, most often
            access.marks[mark] = access.marks.get(mark, 0) + count
        if kind >= 0:
            has = sender.has_credential
            if has or trace.request_head_whole:
                access.count(kind, has_credential=has, weight=count, end_ns=end_ns)


MINUTE_NS = 60 * 10**9
GRPC_REFUSED = 500
"""Stands for the status of a gRPC call that failed, which HTTP answers with 200."""
WEIGHT_PARTS = 1024
"""Weights are counted in this part of an exchange: sums are exact then, in whatever order."""


def counted_weight(weight: float) -> float:
    """Return *weight* as it is counted."""
    return weight if weight == int(weight) else round(weight * WEIGHT_PARTS) / WEIGHT_PARTS


MAX_THOROUGH_PLACES = 1_000
"""Places of one host of which all the first messages are looked into."""


class BodyBudget:
    """Chooses the exchanges whose messages are looked into: all at first, then fewer of what is known well.

    It asks how many came before, which is part of what is known of the paths, and the identity of the
    exchange, so that a restart and the time of a commit change nothing. What is not looked into is still
    counted.
    """

    def __init__(self, thorough: int = 256, least_share: int = 16) -> None:
        """Look into the first *thorough* of each place and status, later into one in *least_share*."""
        self._thorough = thorough
        self._least_share = least_share
        self._known: Callable[[Scope], PathState | None] = lambda scope: None

    def counted(self, known: Callable[[Scope], PathState | None]) -> None:
        """Count from what *known* returns of a host, which what is learned will be merged with.

        It is asked once for each state, so it must not change what it says of a host until that is merged.
        """
        self._known = known

    def wants(self, scope: PlainScope, place: Key, trace: Trace, paths: PathState) -> bool:
        """Whether to look into *trace*, which is of *place* and is counted in *paths*."""
        before = paths.bodies_before
        if before is None:  # asked once for what is learned between two commits
            known = self._known(Scope(*scope))
            before = paths.bodies_before = known.bodies if known is not None else {}
            paths.bodies_apart = sum(counter not in before for counter in paths.bodies)
        counter = body_counter(trace.method, place, trace.status)
        new = paths.bodies.get(counter, 0)
        count = new + before.get(counter, 0)
        paths.bodies_apart += count == 0
        paths.bodies[counter] = min(MOST_BODIES, new + 1)
        share = 1
        if count >= self._thorough:
            share = min(self._least_share, count // self._thorough + 1)
        elif len(before) + paths.bodies_apart > MAX_THOROUGH_PLACES:
            # A host with so many places is being scanned, or has names for values: one is like another.
            share = self._least_share
        return share == 1 or zlib.crc32(trace.identity or count.to_bytes(8)) % share == 0


class LearnSettings(NamedTuple):
    """What learning depends on besides the traces."""

    detectors: Detectors
    caller_key: bytes = b"levo"
    """Of this installation; at most 64 octets."""
    budget: BodyBudget | None = None
    """None: look into everything."""
    names: NameRule = NameRule(1, 1)
    """What proves names. By default, each is one at once."""
    known_names: Callable[[Application], Container[str]] | None = None
    """Names of an application that are proven already."""


DEFAULT_SETTINGS = LearnSettings(Detectors())


@dataclass(slots=True)
class State:
    """Everything learned since some beginning. Every span is one of ``traces`` and ``ignored_spans``."""

    endpoints: dict[EndpointKey, EndpointFacts] = field(default_factory=dict)
    sensors: dict[tuple[str, str, str], SensorReport] = field(default_factory=dict)
    """By (organization, sensor, instance): one entry a run."""
    paths: dict[Scope, PathState] = field(default_factory=dict, compare=False)
    names: dict[Application, Names] = field(default_factory=dict, compare=False)
    """Names that were sighted and are not known to be names, where that is asked for."""
    traces: int = 0
    exchanges: float = 0.0
    unknown_path_exchanges: float = 0.0
    """Of them, those whose path is not known: they make no endpoint, and belong to none."""
    ignored_spans: int = 0
    """Spans that are no HTTP server exchanges."""
    unreadable_records: int = 0
    """Journal records that could not be learned from."""
    duplicate_spans: int = 0
    """Spans that had come before."""
    duplicate_deliveries: int = 0
    """Whole deliveries that had come before."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all has been learned."""
        return not (
            self.traces
            or self.sensors
            or self.ignored_spans
            or self.unreadable_records
            or self.duplicate_spans
            or self.duplicate_deliveries
        )


def learn(state: State, trace: Trace, settings: LearnSettings = DEFAULT_SETTINGS) -> State:
    """Add *trace* to *state* and return it (the same object, changed)."""
    if not trace.path:
        state.traces += 1
        state.exchanges += counted_weight(trace.weight)
        state.unknown_path_exchanges += counted_weight(trace.weight)
        return state
    origin = trace.origin
    scope = (origin.organization, origin.environment, origin.application, trace.host)
    paths = state.paths.get(scope)  # type: ignore[call-overload]
    if paths is None:
        paths = state.paths[Scope(*scope)] = PathState(settings.caller_key)
    names = state.names.get(scope[:3])  # type: ignore[call-overload]
    if names is None and settings.names.is_needed:
        names = _new_names(state, Application(*scope[:3]), settings)
    if names is not None:
        names.called_by(trace.client)
    parts = parts_of(trace)
    if parts:
        for part, keys in parts:
            _learn_part(state, paths, scope, part, keys, settings, names)
    else:
        _learn_part(state, paths, scope, trace, (), settings, names)
    state.traces += 1
    state.exchanges += counted_weight(trace.weight)
    return state


def _new_names(state: State, application: Application, settings: LearnSettings) -> Names:
    """Return where the names of *application* are sighted from now on."""
    known = settings.known_names(application) if settings.known_names is not None else frozenset()
    rule = settings.names
    names = Names(known, settings.caller_key, rule.min_objects, rule.min_callers)
    state.names[application] = names
    return names


def _learn_part(
    state: State,
    paths: PathState,
    scope: PlainScope,
    trace: Trace,
    keys: tuple[str, ...],
    settings: LearnSettings,
    names: Names | None,
) -> None:
    """Add one operation; *keys* is its place, empty where that is the path's."""
    key = settings.caller_key
    caller = hashed_caller(key, trace.client)
    minute = trace.end_ns // MINUTE_NS
    found = place = paths.observe(
        trace.method,
        trace.path,
        GRPC_REFUSED if trace.grpc_status > 0 and trace.status < 300 else trace.status,
        trace.weight,
        keys,
        caller[2],
        minute,
    )
    if place is None:
        # An answer such as 404 or 401 does not make an endpoint, but belongs to one that others make.
        place = "/" + "/".join(keys or path_keys(trace.path))
    endpoint = (*scope, trace.method, place)
    facts = state.endpoints.get(endpoint)  # type: ignore[call-overload]
    if facts is None:
        facts = state.endpoints[EndpointKey(*endpoint)] = EndpointFacts()
    facts.add_trace(trace, caller, minute, answer_kind(trace, is_operation=bool(keys)))
    if keys and names is not None:
        names.has_operations = True
    if settings.budget is None or settings.budget.wants(scope, place, trace, paths):
        request, answer = learn_messages(
            facts.knowledge, trace, place, settings.detectors, hash_key(key), names
        )
        if keys and names is not None and 200 <= trace.status < 400:
            _name_operation(names, trace, keys)
        if found is not None and 200 <= trace.status < 300 and trace.response_whole:
            if request is UNREAD:
                request = read_document(trace.request_body)
            if answer is UNREAD:
                answer = read_document(trace.response_body)
            statement = statement_of(trace.path, request, answer)
            if statement is not None:
                paths.hear(trace.method, found, statement)
    else:
        facts.knowledge.skipped += 1


def _name_operation(names: Names, trace: Trace, keys: tuple[str, ...]) -> None:
    """Note that an operation of these *keys* was asked for, and answered."""
    whole = (trace.path, trace.query, trace.request_body)
    message = Message(names, False, trace.client, trace.end_ns, whole)
    for name in names_of(keys):
        message.see(name)


def learn_all(
    state: State, traces: Iterable[Trace | None], settings: LearnSettings = DEFAULT_SETTINGS
) -> State:
    """Add many; None counts as an ignored span."""
    for trace in traces:
        if trace is None:
            state.ignored_spans += 1
        else:
            learn(state, trace, settings)
    return state


def learn_sensor(state: State, organization: str, sensor: str, report: SensorReport) -> State:
    """Add what a sensor says about itself."""
    key = (organization, sensor, report.run.instance)
    known = state.sensors.get(key)
    state.sensors[key] = report if known is None else merge_sensor(known, report)
    return state


def merge(a: State, b: State) -> State:
    """Return what *a* and *b* teach together. Commutative and associative; neither is changed."""
    return absorb(absorb(State(), a), b)


def absorb(state: State, other: State) -> State:
    """Merge *other*, which is not changed, into *state* and return it (the same object, changed)."""
    for key, facts in other.endpoints.items():
        state.endpoints.setdefault(key, EndpointFacts()).add(facts)
    for scope, paths in other.paths.items():
        mine = state.paths.get(scope)
        if mine is None:
            mine = state.paths[scope] = paths.empty()
        mine.absorb(paths)
    for application, names in other.names.items():
        known = state.names.get(application)
        if known is None:
            known = state.names[application] = names.empty()
        known.absorb(names)
    for (organization, sensor, _), report in other.sensors.items():
        learn_sensor(state, organization, sensor, report)
    state.traces += other.traces
    state.exchanges += other.exchanges
    state.unknown_path_exchanges += other.unknown_path_exchanges
    state.ignored_spans += other.ignored_spans
    state.unreadable_records += other.unreadable_records
    state.duplicate_spans += other.duplicate_spans
    state.duplicate_deliveries += other.duplicate_deliveries
    return state
