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

    assert scheduler.decide(state, 100.0) == [scope]
    assert scheduler.decide(state, 110.0) == []
    assert scheduler.decide(state, 121.0) == [scope]
    assert scheduler.decisions[scope].by_template.keys() == {"/users/{}"}
    assert scheduler.to_save(state, 0.0) == [scope]
    assert scheduler.decide(State(), 0.0) == []
