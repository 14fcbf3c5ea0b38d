"""When to decide."""

from __future__ import annotations

from levo.satellite.decider import Decider
from levo.satellite.learn import State, learn_all
from tests.satellite.store.catalogs import trace


def test_a_costly_decision_is_not_made_again_at_once() -> None:
    ticks = iter([0.0, 2.0, 10.0, 10.1, 20.0, 20.1])
    decider = Decider(stopwatch=lambda: next(ticks))
    state = learn_all(State(), [trace("/users/1")])
    (scope,) = state.paths

    assert decider.decide(state, 100.0) == [scope]
    assert decider.decide(state, 110.0) == []
    assert decider.decide(state, 121.0) == [scope]
    assert decider.decisions[scope].by_template.keys() == {"/users/{}"}
    assert decider.to_save(state, 0.0) == [scope]
    assert decider.decide(State(), 0.0) == []
