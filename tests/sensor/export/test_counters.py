"""Every step of a trace keeps the balance."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from levo.sensor.export import Receipt
from levo.sensor.export.closing import Closing
from levo.sensor.export.counters import OutputCounters, Waiting

_CUT_SHORT = "closed before everything was delivered"
_STEPS: dict[str, Callable[[OutputCounters, int], object]] = {
    "hold": lambda counters, n: counters.hold(n, 100 * n),
    "refuse full": lambda counters, n: counters.refuse_full(n),
    "refuse closed": lambda counters, n: counters.refuse_closed(n),
    "recover": lambda counters, n: counters.recover(n, 1),
    "to disk": lambda counters, n: counters.move_to_disk(n),
    "to memory": lambda counters, n: counters.move_to_memory(n, "full"),
    "lose": lambda counters, n: counters.lose_on_disk(n, 1),
    "drop": lambda counters, n: counters.drop_batch(n, 100 * n, "fault"),
    "deliver": lambda counters, n: counters.deliver(n, Receipt(n // 2), on_disk=False),
    "deliver from disk": lambda counters, n: counters.deliver(n, Receipt(2 * n), on_disk=True),
    "give up": lambda counters, n: counters.give_up(n, "no", on_disk=False),
    "give up from disk": lambda counters, n: counters.give_up(n, "no", on_disk=True),
    "retry": lambda counters, n: counters.retry("later"),
    "metrics": lambda counters, n: counters.count_metrics(failed=n % 2 == 0),
    "abandon": lambda counters, n: _abandon(counters),
}


def _abandon(counters: OutputCounters) -> None:
    counters._closing.abandoned = True
    counters.abandon()


@given(st.lists(st.tuples(st.sampled_from(sorted(_STEPS)), st.integers(0, 9)), max_size=30))
def test_no_step_loses_or_invents_a_trace(steps: list[tuple[str, int]]) -> None:
    counters = OutputCounters("x", Closing())
    for name, count in steps:
        _STEPS[name](counters, count)
        seen = counters.snapshot(0)
        assert seen.missing == 0, name
        assert seen.oldest_age_s >= 0


def test_the_oldest_that_waits_tells_how_late_delivery_is() -> None:
    now = [0]
    waiting = Waiting(lambda: now[0])
    assert waiting.oldest_age_s == 0
    for _ in range(3):
        waiting.add(10)
        now[0] += 10**9
    ages = []
    for _ in range(6):
        ages.append(waiting.oldest_age_s)
        waiting.leave(5)
    assert ages == [3, 3, 2, 2, 1, 1]
    assert waiting.oldest_age_s == 0


def test_an_outage_of_a_month_is_remembered_in_little_room() -> None:
    now = [0]
    waiting = Waiting(lambda: now[0])
    batches = 30 * 8640
    for _ in range(batches):
        waiting.add(3)
        now[0] += 10 * 10**9
    assert len(waiting._marks) <= 1024
    assert waiting.oldest_age_s == batches * 10
    waiting.leave(3 * batches // 2)
    assert 0.9 < waiting.oldest_age_s / (batches * 10 / 2) < 1.1
    waiting.leave(3 * batches)
    assert waiting.oldest_age_s == 0


def test_an_abandoned_output_has_failed_what_it_held_and_learns_no_more() -> None:
    counters = OutputCounters("x", Closing())
    counters.hold(10, 1000)
    counters.move_to_disk(3)
    _abandon(counters)
    before = counters.snapshot(0)
    assert (before.held, before.held_bytes, before.failed, before.spooled) == (0, 0, 7, 3)

    counters.deliver(3, Receipt(), on_disk=True)
    counters.give_up(3, "no", on_disk=True)
    counters.deliver(7, Receipt(), on_disk=False)
    counters.drop_batch(0, 1000, None)

    assert not counters.move_to_disk(7)
    assert counters.snapshot(0) == before


def test_a_receiver_cannot_reject_more_than_it_was_sent() -> None:
    counters = OutputCounters("x", Closing())
    counters.hold(10, 1000)
    counters.deliver(4, Receipt(rejected=-1, bytes_sent=5), on_disk=False)
    counters.deliver(6, Receipt(rejected=100, bytes_sent=5), on_disk=False)

    seen = counters.snapshot(0)

    assert (seen.exported, seen.rejected, seen.requests, seen.bytes_sent) == (4, 6, 2, 10)
    assert seen.last_loss == "the receiver rejected 6 of 6 traces"


def test_what_cut_a_delivery_short_is_the_trouble_that_lasted() -> None:
    counters = OutputCounters("x", Closing())
    assert counters.cut_short() == _CUT_SHORT
    counters.retry("away")
    assert counters.cut_short() == f"away; {_CUT_SHORT}"
    counters.note_error(counters.cut_short())
    assert counters.cut_short() == _CUT_SHORT
    counters.retry("away")
    counters.deliver(1, Receipt(), on_disk=False)
    assert counters.cut_short() == _CUT_SHORT


def test_only_the_last_answer_says_whether_the_organization_is_known() -> None:
    counters = OutputCounters("x", Closing())
    counters.hold(4, 400)
    counters.give_up(1, "who?", on_disk=False, organization_rejected=True)
    assert counters.snapshot(0).organization_rejected
    counters.retry("busy")
    assert not counters.snapshot(0).organization_rejected
