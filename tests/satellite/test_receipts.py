"""Times of receipt while a clock is wrong."""

from __future__ import annotations

import pytest

from levo.satellite.learn import State
from levo.satellite.learn.trace import CLOCK_TOLERANCE_NS, NOT_SET_NS
from levo.satellite.learner import learn_record
from levo.satellite.queue import Record, RecordKind
from levo.satellite.receipts import AGREED_NS, ReceiptClock
from tests.satellite.requests import Call, traces

SECOND = 10**9
DAY = 86_400 * SECOND
NOW = 1_700_000_000 * SECOND
STEPS = [sign * each for each in (SECOND, 60 * SECOND, 3600 * SECOND, DAY, 3650 * DAY) for sign in (1, -1)]


@pytest.mark.parametrize("step", STEPS)
def test_a_clock_with_which_no_sender_agrees_moves_nothing_that_is_remembered(step: int) -> None:
    clock = ReceiptClock(0)
    clock.hear(NOW, NOW)
    later = NOW + 10 * SECOND
    clock.hear(later + step, later)  # the sender's clock went on

    assert clock.at(later + step) >= NOW - CLOCK_TOLERANCE_NS, "nothing is received before what came first"
    assert clock.latest_ns(later + step) >= later, "the sender's times are believed"
    assert abs(clock.agreed_ns - NOW) <= CLOCK_TOLERANCE_NS + 10 * SECOND
    clock.hear(later, later)
    assert clock.at(later) == clock.agreed_ns == later


@pytest.mark.parametrize("step", STEPS)
def test_a_step_of_a_machine_with_both_halves_ends_with_the_clock(step: int) -> None:
    clock = ReceiptClock(0)
    for now_ns in (NOW, NOW + step, NOW + 10 * SECOND):
        clock.hear(now_ns, now_ns)
    assert clock.at(NOW + 10 * SECOND) == NOW + 10 * SECOND


@pytest.mark.parametrize(("ended_ns", "agrees"), [(NOW, True), (NOW + 3650 * DAY, False), (DAY, False)])
def test_a_time_that_the_receipt_stands_in_for_agrees_with_nothing(ended_ns: int, agrees: bool) -> None:
    clock = ReceiptClock(0)
    payload = traces([Call(end_ns=ended_ns)]).SerializeToString()
    learn_record(State(), Record(RecordKind.TRACES, NOW + SECOND, "acme", payload), clock=clock)

    assert clock.agreed_ns == (NOW + SECOND if agrees else 0)


def test_a_clock_that_was_never_set_is_not_believed() -> None:
    clock = ReceiptClock(0)
    clock.hear(5 * SECOND, 5 * SECOND)

    assert clock.agreed_ns == 0 and clock.at(5 * SECOND) == NOT_SET_NS
    assert clock.latest_ns(5 * SECOND) > NOT_SET_NS
    assert not clock.is_right(5 * SECOND)


def test_a_clock_is_right_for_a_while_after_a_sender_agreed() -> None:
    clock = ReceiptClock(0)
    assert not clock.is_right(NOW)
    clock.hear(NOW, NOW - CLOCK_TOLERANCE_NS)

    assert clock.is_right(NOW) and clock.is_right(NOW + AGREED_NS)
    assert not clock.is_right(NOW + AGREED_NS + 1) and not clock.is_right(NOW - CLOCK_TOLERANCE_NS - 1)
