"""The same traffic gives the same catalog, however it came and whenever it was committed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from levo.satellite.store import DATABASE_NAME
from levo.satellite.store.rotation import KEY_NAME
from tests.helpers.effort import long
from tests.satellite.corpora import Corpus
from tests.satellite.running import RunningSatellite
from tests.satellite.same_catalog import CAPS, KEY, Shown, in_commits, learn, shown, ways


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
    assert {each.counters.get("noise_exchanges", 0.0) for each in found.values()} == {
        expected.counters.get("noise_exchanges", 0.0)
    }


def test_which_messages_are_looked_into_does_not_depend_on_commits_and_restarts() -> None:
    records = Corpus(1500, 3, hard=True).records()
    every = learn(records, in_commits(1, restart_every=20, sample=True))
    once = learn(records, in_commits(0, sample=True))

    assert every[:2] == once[:2]


@pytest.mark.parametrize("hard", [False, True])
def test_a_running_satellite_shows_the_same_at_any_speed(tmp_path: Path, hard: bool) -> None:
    """With sampled messages, many commits of its own timing, and a kill on the way."""
    corpus = Corpus(1200, 9, hard=hard)

    def sent(folder: Path, pause_s: float, *, killed: bool) -> Shown:
        folder.mkdir()
        (folder / KEY_NAME).write_bytes(KEY)
        records = corpus.records()
        parts = (records[:30], records[30:]) if killed else (records,)
        for number, part in enumerate(parts):
            with RunningSatellite(folder) as satellite:
                for record in part:
                    answer = satellite.post(
                        "/v1/traces",
                        record.payload,
                        content_type="application/x-protobuf",
                        x_levo_organization_id="acme",
                    )
                    assert answer.status == 200
                    time.sleep(pause_s)
                if number + 1 < len(parts):
                    satellite.kill()
                else:
                    satellite.until_learned(corpus.traces)
                    assert satellite.terminate() == 0
        return shown(folder / DATABASE_NAME)

    fast = sent(tmp_path / "fast", 0.0, killed=False)
    slow = sent(tmp_path / "slow", 0.05, killed=False)
    killed = sent(tmp_path / "killed", 0.01, killed=True)

    assert fast.counters["learned_traces"] == corpus.traces
    assert slow[:2] == fast[:2] == killed[:2]
