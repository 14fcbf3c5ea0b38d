"""The mergeable state: facts per endpoint, added up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from levo.satellite.learn.sensors import SensorReport, merge_sensor
from levo.satellite.learn.template import path_template
from levo.satellite.learn.trace import Trace
from levo.satellite.learn.traffic import TrafficByMinute, count_exchange, merge_traffic


class EndpointKey(NamedTuple):
    """What makes two exchanges belong to the same endpoint."""

    organization: str
    environment: str
    application: str
    host: str
    method: str
    template: str


@dataclass(slots=True)
class EndpointFacts:
    """What is known of one endpoint. All numbers add, the times are the least and the greatest."""

    traces: int = 0
    """API traces learned from."""
    exchanges: float = 0.0
    """Exchanges they stand for: the sum of their weights."""
    statuses: dict[int, float] = field(default_factory=dict)
    """Exchanges by status code; 0 is "no response seen". At most 501 keys."""
    first_seen_ns: int = 0
    last_seen_ns: int = 0
    traffic: TrafficByMinute = field(default_factory=dict)

    def add(self, other: EndpointFacts) -> None:
        """Take in *other*, which is about other traces of the same endpoint."""
        if not self.traces or other.first_seen_ns < self.first_seen_ns:
            self.first_seen_ns = other.first_seen_ns
        self.last_seen_ns = max(self.last_seen_ns, other.last_seen_ns)
        self.traces += other.traces
        self.exchanges += other.exchanges
        for status, exchanges in other.statuses.items():
            self.statuses[status] = self.statuses.get(status, 0.0) + exchanges
        merge_traffic(self.traffic, other.traffic)


@dataclass(slots=True)
class State:
    """Everything learned since some beginning. Every span is one of ``traces`` and ``ignored_spans``."""

    endpoints: dict[EndpointKey, EndpointFacts] = field(default_factory=dict)
    sensors: dict[tuple[str, str], SensorReport] = field(default_factory=dict)
    """By (organization, sensor)."""
    traces: int = 0
    exchanges: float = 0.0
    ignored_spans: int = 0
    """Spans that are no HTTP server exchanges."""
    unreadable_records: int = 0
    """Journal records that could not be learned from."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all has been learned."""
        return not (self.traces or self.sensors or self.ignored_spans or self.unreadable_records)


def learn(state: State, trace: Trace) -> State:
    """Add *trace* to *state* and return it (the same object, changed)."""
    origin = trace.origin
    key = EndpointKey(
        origin.organization,
        origin.environment,
        origin.application,
        trace.host,
        trace.method,
        path_template(trace.path),
    )
    facts = state.endpoints.get(key)
    if facts is None:
        facts = state.endpoints[key] = EndpointFacts(first_seen_ns=trace.end_ns)
    weight = trace.weight
    facts.traces += 1
    facts.exchanges += weight
    facts.statuses[trace.status] = facts.statuses.get(trace.status, 0.0) + weight
    facts.first_seen_ns = min(facts.first_seen_ns, trace.end_ns)
    facts.last_seen_ns = max(facts.last_seen_ns, trace.end_ns)
    count_exchange(
        facts.traffic, start_ns=trace.start_ns, end_ns=trace.end_ns, status=trace.status, weight=weight
    )
    state.traces += 1
    state.exchanges += weight
    return state


def learn_all(state: State, traces: Iterable[Trace | None]) -> State:
    """Add many; None counts as an ignored span."""
    for trace in traces:
        if trace is None:
            state.ignored_spans += 1
        else:
            learn(state, trace)
    return state


def learn_sensor(state: State, organization: str, sensor: str, report: SensorReport) -> State:
    """Add what a sensor says about itself."""
    known = state.sensors.get((organization, sensor))
    state.sensors[organization, sensor] = report if known is None else merge_sensor(known, report)
    return state


def merge(a: State, b: State) -> State:
    """Return what *a* and *b* teach together. Commutative and associative; neither is changed."""
    return absorb(absorb(State(), a), b)


def absorb(state: State, other: State) -> State:
    """Merge *other*, which is not changed, into *state* and return it (the same object, changed)."""
    for key, facts in other.endpoints.items():
        state.endpoints.setdefault(key, EndpointFacts()).add(facts)
    for (organization, sensor), report in other.sensors.items():
        learn_sensor(state, organization, sensor, report)
    state.traces += other.traces
    state.exchanges += other.exchanges
    state.ignored_spans += other.ignored_spans
    state.unreadable_records += other.unreadable_records
    return state
