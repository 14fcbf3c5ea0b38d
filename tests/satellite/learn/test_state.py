"""The laws of the state."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.satellite.learn import (
    EndpointKey,
    SensorReport,
    State,
    Trace,
    absorb,
    learn,
    learn_all,
    learn_sensor,
    merge,
)
from levo.satellite.learn.trace import INVALID_STATUS, Origin, schemes_of

ORIGINS = st.builds(
    Origin,
    st.just("acme"),
    st.sampled_from(["production", "staging"]),
    st.sampled_from(["shop", "bank"]),
    st.just("s"),
)
TRACES = st.builds(
    Trace,
    ORIGINS,
    st.just("shop.example"),
    st.sampled_from(["GET", "POST"]),
    st.sampled_from(["/", "/users/1", "/users/2", "/users/me"]),
    st.sampled_from([0, 200, 404, 500, INVALID_STATUS]),
    st.integers(1, 50).map(float),
    st.integers(0, 5),
    st.integers(1, 2**62),
    scheme=st.sampled_from(["", "http", "https"]),
)
SERIES = st.tuples(st.sampled_from(["levo.a", "levo.b"]), st.just((("state", "x"),)))
REPORTS = st.builds(
    SensorReport,
    st.integers(1, 9),
    st.integers(1, 9),
    st.dictionaries(
        st.sampled_from(["host.name", "region"]),
        st.tuples(st.integers(1, 3), st.sampled_from("ab")),
        max_size=2,
    ),
    st.dictionaries(SERIES, st.tuples(st.integers(1, 9), st.integers(0, 9).map(float)), max_size=2),
)


@st.composite
def states(draw: st.DrawFn) -> State:
    state = learn_all(State(), draw(st.lists(st.none() | TRACES, max_size=5)))
    for sensor, report in draw(st.lists(st.tuples(st.sampled_from(["s", "t"]), REPORTS), max_size=3)):
        learn_sensor(state, "acme", sensor, report)
    return state


@given(states(), states())
def test_merge_is_commutative(a: State, b: State) -> None:
    assert merge(a, b) == merge(b, a)


@given(states(), states(), states())
def test_merge_is_associative(a: State, b: State, c: State) -> None:
    assert merge(merge(a, b), c) == merge(a, merge(b, c))


@given(states())
def test_merging_with_nothing_changes_nothing(a: State) -> None:
    assert merge(a, State()) == a
    assert State().is_empty


@given(st.lists(st.none() | TRACES, max_size=20), st.lists(st.integers(0, 7), max_size=20))
def test_eight_learners_know_what_one_would(traces: list[Trace | None], choices: list[int]) -> None:
    learners = [State() for _ in range(8)]
    for index, trace in enumerate(traces):
        learn_all(learners[choices[index % len(choices)] if choices else 0], [trace])
    together = State()
    for learner in learners:
        absorb(together, learner)

    assert together == learn_all(State(), traces)


@given(states(), states())
def test_merge_leaves_its_arguments_alone(a: State, b: State) -> None:
    before = (repr(a), repr(b))
    merged = merge(a, b)
    absorb(merged, a)

    assert (repr(a), repr(b)) == before


@given(st.lists(TRACES, min_size=1, max_size=20))
def test_the_numbers_add_up(traces: list[Trace]) -> None:
    state = learn_all(State(), traces)

    assert state.traces == len(traces) == sum(facts.traces for facts in state.endpoints.values())
    assert state.exchanges == sum(trace.weight for trace in traces)
    for facts in state.endpoints.values():
        assert sum(facts.statuses.values()) == facts.exchanges
    assert max(f.last_seen_ns for f in state.endpoints.values()) == max(t.end_ns for t in traces)
    assert min(f.first_seen_ns for f in state.endpoints.values()) == min(t.end_ns for t in traces)


def test_values_of_one_parameter_are_one_endpoint() -> None:
    state = State()
    for number in range(100):
        origin = Origin("acme", "production", "shop", "s")
        learn(state, Trace(origin, "shop.example", "GET", f"/users/{number}", 200, 1.0, 1, 2))

    assert list(state.endpoints) == [
        EndpointKey("acme", "production", "shop", "shop.example", "GET", "/users/{integer}")
    ]


def test_schemes_are_a_union() -> None:
    """Learned once or often, in any order: the schemes that were seen; unknown ones add nothing."""
    seen = [Trace(Origin("a", "", "", ""), "h", "GET", "/x", 200, 1.0, 1, 2, scheme=s) for s in ("", "https")]
    state = learn_all(State(), seen)
    (facts,) = merge(state, merge(state, state)).endpoints.values()

    assert schemes_of(facts.schemes) == ("https",)
    seen.append(Trace(Origin("a", "", "", ""), "h", "GET", "/x", 200, 1.0, 1, 2, scheme="http"))
    (facts,) = learn_all(State(), reversed(seen)).endpoints.values()
    assert schemes_of(facts.schemes) == ("http", "https")


def test_a_response_without_a_status_code_is_no_error() -> None:
    trace = Trace(Origin("a", "", "", ""), "h", "GET", "/x", INVALID_STATUS, 2.0, 1, 5_000_000)
    (facts,) = learn_all(State(), [trace]).endpoints.values()
    (traffic,) = facts.traffic.values()

    assert facts.statuses == {INVALID_STATUS: 2.0}
    assert (traffic.client_errors, traffic.server_errors, sum(traffic.latency.values())) == (0, 0, 2.0)


def test_each_body_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The schema and what the path is told by the bodies need the same documents."""
    json = (("content-type", "application/json"),)
    trace = Trace(
        Origin("acme", "production", "shop", "s"), "shop.example", "POST", "/users/anna", 201, 1.0, 1, 2,
        request_headers=json, response_headers=json,
        request_body=b'{"name": "anna"}', response_body=b'{"id": "anna", "name": "bela"}',
    )  # fmt: skip
    parsed: list[bytes] = []
    loads = orjson.loads

    def count(octets: bytes) -> object:
        parsed.append(octets)
        return loads(octets)

    monkeypatch.setattr(orjson, "loads", count)
    (paths,) = learn(State(), trace).paths.values()

    assert parsed == [trace.request_body, trace.response_body]
    assert paths.given_out
