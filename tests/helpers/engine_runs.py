"""Drive the engine over frames and look at what it says, with the ledger asserted every time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from levo.engine.engine import Engine

from levo.ledger import Ledger
from levo.sensor.capture.file import FileSource
from tests.helpers.lines import Exchange
from tests.helpers.packets import ETHERNET, CapturedFrame


@dataclass(frozen=True, slots=True)
class Run:
    """What one engine made of one input."""

    exchanges: list[Exchange]
    """In order of completion."""
    statistics: Mapping[str, Any]

    @property
    def complete(self) -> list[Exchange]:
        return [x for x in self.exchanges if x["incomplete"] is None]


def run_frames(
    frames: Sequence[CapturedFrame],
    *,
    link_type: int = ETHERNET,
    slice_size: int = 0,
    decode: bool = True,
    **options: Any,
) -> Run:
    """Feed *frames* (in slices of *slice_size*, or at once), finish, drain; check the balances."""
    engine = Engine(**options)
    for at in range(0, len(frames), slice_size or max(1, len(frames))):
        engine.feed(list(frames[at : at + (slice_size or len(frames))]), link_type)
    return _finish(engine, len(frames), decode)


def run_file(path: Path, *, decode: bool = True, **options: Any) -> Run:
    """Pump a whole capture file through an engine; check the balances."""
    engine = Engine(**options)
    source = FileSource(str(path))
    total = 0
    while (count := engine.pump(source, 100_000, 0)) > 0:
        total += count
    return _finish(engine, total, decode)


def _finish(engine: Any, frames: int, decode: bool) -> Run:
    engine.finish()
    lines: list[Exchange] = []
    while len(batch := engine.drain()):
        if decode:
            batch.decode_content()
        lines += [json.loads(line) for line in batch.jsonl().splitlines()]
    statistics = engine.statistics()
    assert statistics["frames_received"] == frames
    assert_balanced(statistics)
    assert statistics["exchanges_open"] == 0, "finish() left exchanges behind"
    assert statistics["exchanges_emitted"] == len(lines)
    incomplete = sum(x["incomplete"] is not None for x in lines)
    assert statistics["exchanges_emitted_incomplete"] == incomplete
    return Run(lines, statistics)


def assert_balanced(statistics: Mapping[str, Any]) -> None:
    """``received == sum of states`` for frames, payload octets and exchanges (specification section 6)."""
    for balance in Ledger.from_statistics(statistics).balances():
        assert not balance.missing, str(balance)
