"""When to decide."""

from __future__ import annotations

from levo.satellite.learn import State, learn_all
from levo.satellite.scheduler import DecisionScheduler
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
