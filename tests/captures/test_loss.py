"""Two percent of the frames of every capture lost: no request is paired with another one's response."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from levo.engine.engine import Engine
from levo.model.exchange import Exchange
from tests.helpers.packets import CapturedFrame
from tests.helpers.pcap import read_pcap, shared_captures

FOLDER = shared_captures()

pytestmark = pytest.mark.skipif(FOLDER is None, reason="shared captures are absent (LEVO_CAPTURES)")

Key = tuple[int, str, int, int]
"""Client port, and where a message begins in time: frames keep their times when others are lost."""


def run(frames: list[CapturedFrame], link_type: int) -> list[Exchange]:
    engine = Engine()
    found: list[Exchange] = []
    for at in range(0, len(frames), 4096):
        engine.feed(frames[at : at + 4096], link_type)
        found += engine.take().exchanges()
    engine.finish()
    while batch := engine.take().exchanges():
        found += batch
    return found


def pairs(exchanges: list[Exchange]) -> dict[Key, int]:
    """When the response of each request begins."""
    return {
        (x.client.port, x.client.address, x.stream_id, x.request.start_ns): x.response.start_ns
        for x in exchanges
        if x.request and x.response
    }


def captures() -> list[tuple[Path, int, list[CapturedFrame]]]:
    found = []
    for path in sorted(FOLDER.rglob("*.pcap*")) if FOLDER else ():
        try:
            found.append((path, *read_pcap(path)))
        except ValueError:
            continue
    return found


@pytest.mark.parametrize("seed", range(3))
def test_no_pair_is_wrong(seed):
    checked = 0
    for path, link_type, frames in captures():
        whole = pairs(run(frames, link_type))
        if len(whole) < 2:
            continue
        begins = set(whole.values())
        rng = random.Random(seed)
        kept = [frame for frame in frames if rng.random() >= 0.02]
        for key, begun in pairs(run(kept, link_type)).items():
            checked += 1
            # A response whose beginning was lost may begin at another frame, but never at another one's.
            assert key not in whole or begun == whole[key] or begun not in begins, (path, key)
    assert checked > 50
