"""The same traffic gives the same catalog, however it came and whenever it was committed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.effort import long
from tests.satellite.corpora import Corpus, excessive
from tests.satellite.recorded import Recording, demo
from tests.satellite.same_catalog import in_commits, learn, sent, ways


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("traces", [600, long(12_000)])
def test_commits_order_partition_and_restarts_do_not_show(hard: bool, traces: int) -> None:
    """Octet for octet: documents of both versions, and endpoints with all their figures."""
    records = Corpus(traces, 7, hard=hard).records()
    found = {how: learn(records, way) for how, way in ways(long=traces > 1000).items()}
    expected = found["everything at once"]

    assert len(expected.endpoints) > 60
    assert not expected.caps, "nothing was left out"
    different = [how for how, each in found.items() if each[:2] != expected[:2]]
    assert not different
    assert {each.counters.get("noise_exchanges", 0.0) for each in found.values()} == {
        expected.counters.get("noise_exchanges", 0.0)
    }


def test_which_messages_are_looked_into_does_not_depend_on_commits_and_restarts() -> None:
    records = Corpus(1500, 3, hard=True).records()
    every = learn(records, in_commits(1, restart_every=20, sample=True))
    once = learn(records, in_commits(0, sample=True))

    assert every[:2] == once[:2]


@pytest.mark.parametrize("hard", [False, True])
def test_a_running_satellite_shows_the_same_at_any_speed_and_after_kills(hard: bool) -> None:
    """With sampled messages and many commits of its own timing."""
    records = Corpus(1200, 9, hard=hard).records()
    fast, _ = sent(records)
    slow, _ = sent(records, seconds=3.0)
    killed, _ = sent(records, seconds=0.5, kills=2)

    assert fast.counters["learned_traces"] == 1200 and not fast.caps
    assert slow[:2] == fast[:2] == killed[:2]
    assert learn(records, in_commits(0, sample=True))[:2] == fast[:2]


def test_the_traffic_of_the_demo_gives_one_catalog_as_the_sensor_sends_it() -> None:
    recording = demo(700)
    records = recording.records()
    found = {how: learn(records, way) for how, way in ways(long=False).items()}
    found["Satellite"], _ = sent(records, kills=1)
    expected = found["everything at once"]

    assert recording.traces == 700 and len(expected.endpoints) > 20 and not expected.caps
    assert [how for how, each in found.items() if each[:2] != expected[:2]] == []


MOST_MISSED = 6
"""Measured: of the 107 endpoints of everything at once, all in commits of 50 deliveries, all but 3 in commits
of 7 with restarts. Missing twice as many is another behavior, not another order."""


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_beyond_the_bounds_most_endpoints_are_still_the_same() -> None:
    records = excessive(12_000).records()
    found = {how: learn(records, way) for how, way in ways(long=False).items()}
    expected = found["everything at once"]

    assert "absent_limit_exchanges" in expected.caps
    for each in found.values():
        assert len(expected.names - each.names) <= MOST_MISSED
        assert len(each.names - expected.names) <= MOST_MISSED


def test_a_recording_is_read_back_as_it_was(tmp_path: Path) -> None:
    recording = demo(30)
    recording.save(tmp_path / "recording")

    assert Recording.read(tmp_path / "recording").records() == recording.records()
