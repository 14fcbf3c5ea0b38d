"""The balance of a snapshot."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from levo.sensor.export import OutputStatistics

SOURCES = ("received", "recovered")
STATES = (
    "exported",
    "queue_full",
    "failed",
    "rejected",
    "spooled",
    "held",
    "spool_evicted",
    "spool_damaged",
)


@pytest.mark.parametrize("state", STATES)
def test_a_trace_in_any_state_is_not_missing(state: str) -> None:
    for source in SOURCES:
        snapshot = replace(OutputStatistics("x"), **{source: 3})
        assert snapshot.missing == 3
        assert replace(snapshot, **{state: 3}).missing == 0


def test_nothing_else_enters_the_balance() -> None:
    others = {field.name for field in fields(OutputStatistics)} - {*SOURCES, *STATES, "name"}
    for name in others:
        assert replace(OutputStatistics("x"), **{name: 7}).missing == 0
