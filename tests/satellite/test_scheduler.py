"""When to decide."""

from __future__ import annotations

from levo.satellite.learn import Override, State, learn_all
from levo.satellite.scheduler import SETTLED_S, DecisionScheduler
from tests.satellite.store.catalogs import trace


def test_a_costly_decision_is_not_made_again_at_once() -> None:
    ticks = iter([0.0, 2.0, 10.0, 10.1, 20.0, 20.1])
    scheduler = DecisionScheduler(stopwatch=lambda: next(ticks))
    state = learn_all(State(), [trace("/users/1")])
    (scope,) = state.paths

    def decided(now_s: float) -> list[str]:
        found = scheduler.decide(state.paths, lambda scope: (), now_s)
        return [template for decision in found.values() for template in decision.by_template]

    assert scheduler.due_s([scope]) == 0.0 and scheduler.due_s([]) is None
    assert decided(100.0) == ["/users/{}"]
    assert scheduler.due_s([scope]) == 120.0
    assert decided(110.0) == []
    assert decided(121.0) == ["/users/{}"]
    assert scheduler.decide({}, lambda scope: (), 130.0) == {}


def test_more_of_the_same_is_decided_on_after_some_time_and_what_is_new_at_once() -> None:
    scheduler = DecisionScheduler(stopwatch=lambda: 0.0)
    state = learn_all(State(), [trace(f"/users/{number}") for number in range(40)])
    (scope,) = state.paths
    said: tuple[Override, ...] = ()

    def is_decided(now_s: float) -> bool:
        return scope in scheduler.decide(state.paths, lambda scope: said, now_s)

    def learn_more(path: str, times: int = 1) -> None:
        learn_all(state, [trace(path)] * times)

    assert is_decided(100.0)
    learn_more("/users/77")
    assert not is_decided(101.0) and scheduler.due_s([scope]) == 100.0 + SETTLED_S
    assert is_decided(100.0 + SETTLED_S), "in the end it is"
    learn_more("/users/78", times=15)
    assert not is_decided(111.0)
    learn_more("/users/79", times=15)
    assert is_decided(112.0), "there is more than half more"
    learn_more("/orders")
    assert is_decided(113.0), "a place is new"
    assert not is_decided(114.0)
    said = (Override("rename", "/users/{name}"),)
    scheduler.listen()
    assert scheduler.due_s([scope]) == 113.0, "whoever speaks is heard without traffic"
    (decision,) = scheduler.decide(state.paths, lambda scope: said, 115.0).values()
    assert [each.path for each in decision.by_template.values() if "{" in each.path] == ["/users/{name}"]
    assert not is_decided(116.0) and is_decided(float("inf")), "at the end everything is decided on"
