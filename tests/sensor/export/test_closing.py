"""The end of an output, and waiting for it."""

from __future__ import annotations

import threading

from levo.sensor.export.closing import Closing
from tests.sensor.export.helpers import wait_until


def test_only_the_first_deadline_counts() -> None:
    closing = Closing()
    assert (closing.begun, closing.late, closing.left_s) == (False, False, None)

    assert closing.begin(3600)
    assert not closing.begin(0)

    assert closing.begun and not closing.late
    assert closing.left_s is not None and closing.left_s > 3000


def test_a_deadline_in_the_past_is_late_at_once() -> None:
    closing = Closing()
    closing.begin(-1)
    assert closing.late
    assert closing.left_s is not None and closing.left_s <= 0


def test_waiting_ends_when_there_is_something_to_do_or_never_will_be() -> None:
    closing = Closing()
    assert closing.wait_for(lambda: True, lambda: True)
    assert not closing.wait_for(lambda: False, lambda: True)
    with closing.changed:
        closing.abandoned = True
    assert not closing.wait_for(lambda: True, lambda: False)


def test_waiting_goes_on_past_the_deadline_until_the_end() -> None:
    """Too late to send, a queue may still have something to bring to safety."""
    closing = Closing()
    closing.begin(0)
    ended: list[bool] = []
    found: list[bool] = []
    waiter = threading.Thread(
        target=lambda: found.append(closing.wait_for(lambda: False, lambda: bool(ended)))
    )
    waiter.start()
    wait_until(lambda: closing.late)
    assert waiter.is_alive()
    with closing.changed:
        ended.append(True)
        closing.changed.notify_all()
    waiter.join(90)
    assert found == [False]


def test_a_pause_ends_by_itself_by_the_deadline_or_when_abandoned() -> None:
    assert Closing().pause(0.001)
    closing = Closing()
    closing.begin(0.001)
    assert not closing.pause(3600)
    closing = Closing()
    found: list[bool] = []
    waiter = threading.Thread(target=lambda: found.append(closing.pause(3600)))
    waiter.start()
    with closing.changed:
        closing.abandoned = True
        closing.changed.notify_all()
    waiter.join(90)
    assert found == [False]
