from __future__ import annotations

from levo.satellite.access.throttle import FREE_FAILURES, Throttle


def test_waits_grow_and_success_forgets() -> None:
    throttle = Throttle()
    waits = []
    for _ in range(FREE_FAILURES + 4):
        throttle.failed("anna", 100.0)
        waits.append(throttle.wait_s("anna", 100.0))

    assert waits[: FREE_FAILURES - 1] == [0.0] * (FREE_FAILURES - 1)
    assert waits[FREE_FAILURES - 1 :] == sorted(set(waits[FREE_FAILURES - 1 :])) and waits[-1] > 10
    assert throttle.wait_s("vera", 100.0) == 0.0
    throttle.succeeded("anna")
    assert throttle.wait_s("anna", 100.0) == 0.0


def test_tries_at_the_same_time_are_no_more_than_tries_one_after_the_other() -> None:
    throttle = Throttle()
    begun = [throttle.begin(("anna", "10.0.0.1"), 100.0) == 0.0 for _ in range(50)]

    assert begun.count(True) == FREE_FAILURES
    for _ in range(FREE_FAILURES):
        throttle.end(("anna", "10.0.0.1"), 100.0, good=False)
    assert throttle.begin(("anna",), 100.0) > 0
    assert [throttle.begin(("anna",), 103.0) == 0.0 for _ in range(3)] == [True, False, False]


def test_a_try_that_was_not_checked_counts_for_nothing() -> None:
    throttle = Throttle()
    for _ in range(50):
        assert throttle.begin(("anna",), 100.0) == 0.0
        throttle.end(("anna",), 100.0, good=None)
