"""Loss on pipelined connections: a pair is right, or it is not made (ambiguous, no request, no response)."""

from __future__ import annotations

import itertools
import random

import pytest

from tests.helpers.conversation import converse, exchanges_as_turns
from tests.helpers.engine_runs import run_frames
from tests.helpers.lines import summaries
from tests.helpers.mutations import drop, lossy
from tests.helpers.numbered import ids_in, in_batches, kept_full, numbered_pairs
from tests.helpers.packets import Segment, capture_segments

STEPS_NS = [100_000, 400_000_000]
"""Faster than a hole is given up, and slower."""


def mispaired(segments: list[Segment], step_ns: int) -> list[object]:
    run = run_frames(capture_segments(segments, step_ns=step_ns), decode=False)
    return [(summaries([x]), sorted(ids_in(x))) for x in run.exchanges if len(ids_in(x)) > 1]


def wrong_after_each(
    segments: list[Segment], step_ns: int, losses: int
) -> dict[tuple[int, ...], list[object]]:
    """What is mispaired when every set of *losses* segments with octets is missing in turn."""
    indices = [i for i, segment in enumerate(segments) if segment.payload]
    found = {}
    for lost in itertools.combinations(indices, losses):
        if wrong := mispaired(drop(segments, *lost), step_ns):
            found[lost] = wrong
    return found


@pytest.mark.parametrize("step_ns", STEPS_NS)
@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("mss", [1460, 100])
def test_one_loss_among_batches(size, mss, step_ns):
    segments = converse(in_batches(numbered_pairs(12), size), mss=mss)

    assert wrong_after_each(segments, step_ns, 1) == {}


PIPELINES = pytest.mark.xfail(
    reason="what is lost hides that the client pipelines: a client that waits would send the same packets"
)
FAST_NS, SLOW_NS = STEPS_NS


@pytest.mark.parametrize(
    ("size", "step_ns"),
    [(2, FAST_NS), pytest.param(2, SLOW_NS, marks=PIPELINES), (3, FAST_NS), (3, SLOW_NS)],
)
def test_two_losses_among_batches(size, step_ns):
    segments = converse(in_batches(numbered_pairs(6), size), mss=150)

    assert wrong_after_each(segments, step_ns, 2) == {}


@PIPELINES
@pytest.mark.parametrize("step_ns", STEPS_NS)
@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("mss", [1460, 100])
def test_one_loss_in_a_pipeline_kept_full(size, mss, step_ns):
    segments = converse(kept_full(numbered_pairs(12), size), mss=mss)

    assert wrong_after_each(segments, step_ns, 1) == {}


@pytest.mark.parametrize("step_ns", STEPS_NS)
def test_two_losses_without_pipelining(step_ns):
    segments = converse(exchanges_as_turns(numbered_pairs(8)), mss=150)

    assert wrong_after_each(segments, step_ns, 2) == {}


@pytest.mark.parametrize(
    "way",
    [
        "one_by_one",
        pytest.param("in_batches", marks=PIPELINES),
        pytest.param("kept_full", marks=PIPELINES),
    ],
)
def test_heavy_loss_and_reordering(way):
    """Seeded: up to 40 % hidden, doubled and moved, with and without the start of the connection."""
    wrong = {}
    for seed in range(150):
        chance = random.Random(seed)
        pairs = numbered_pairs(chance.randint(5, 25))
        turns = {
            "one_by_one": exchanges_as_turns(pairs),
            "in_batches": in_batches(pairs, chance.randint(2, 6)),
            "kept_full": kept_full(pairs, chance.randint(2, 4)),
        }[way]
        segments = converse(turns, mss=chance.choice([60, 300, 1460]), acks=chance.random() < 0.5)
        hidden = chance.choice([0.01, 0.05, 0.2, 0.4])
        seen = lossy(segments, seed, hidden=hidden, doubled=0.05, moved=chance.choice([0, 0.1]))
        seen = seen[chance.choice([0, 0, len(seen) // 3]) :]
        if found := mispaired(seen, chance.choice([20_000, 1_000_000, 400_000_000])):
            wrong[seed] = found

    assert wrong == {}
