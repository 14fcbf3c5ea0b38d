"""The same traffic gives the same catalog, however it came and whenever it was committed."""

from __future__ import annotations

import pytest

from tests.helpers.effort import long
from tests.satellite.corpora import Corpus
from tests.satellite.same_catalog import CAPS, in_commits, learn, ways


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("traces", [600, long(12_000)])
def test_commits_order_partition_and_restarts_do_not_show(hard: bool, traces: int) -> None:
    """Octet for octet: documents of both versions, and endpoints with all their figures."""
    records = Corpus(traces, 7, hard=hard).records()
    found = {how: learn(records, way) for how, way in ways(long=traces > 1000).items()}
    expected = found["everything at once"]

    assert len(expected.endpoints) > 60
    assert not any(expected.counters.get(cap) for cap in CAPS), "nothing was left out"
    different = [how for how, each in found.items() if each[:2] != expected[:2]]
    assert not different


def test_which_messages_are_looked_into_does_not_depend_on_commits_and_restarts() -> None:
    records = Corpus(1500, 3, hard=True).records()
    every = learn(records, in_commits(1, restart_every=20, sample=True))
    once = learn(records, in_commits(0, sample=True))

    assert every[:2] == once[:2]
