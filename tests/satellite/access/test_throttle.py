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
