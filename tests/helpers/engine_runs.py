"""Drive the engine over frames and look at what it says, with the ledger asserted every time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

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


SLICE = 8192
"""Frames between two drains, so that finished exchanges do not pile up against the memory budget."""


def run_frames(
    frames: Sequence[CapturedFrame],
    *,
    link_type: int = ETHERNET,
    slice_size: int = SLICE,
    decode: bool = True,
    **options: Any,
) -> Run:
    """Feed *frames* in slices of *slice_size*, take what is ready after each, finish; check the balances."""
    engine = Engine(**options)
    lines: list[Exchange] = []
    for at in range(0, len(frames), slice_size):
        engine.feed(list(frames[at : at + slice_size]), link_type)
        _drain(engine, decode, lines)
    return _finish(engine, len(frames), decode, lines)


def run_file(path: Path, *, decode: bool = True, **options: Any) -> Run:
    """Pump a whole capture file through an engine; check the balances."""
    engine = Engine(**options)
    source = FileSource(str(path))
    lines: list[Exchange] = []
    total = 0
    while (count := engine.pump(source, SLICE, 0)) > 0:
        total += count
        _drain(engine, decode, lines)
    return _finish(engine, total, decode, lines)


def _drain(engine: Any, decode: bool, lines: list[Exchange]) -> None:
    while len(batch := engine.take()):
        if decode:
            batch.decode()
        lines += [orjson.loads(line) for line in batch.jsonl().splitlines()]


def _finish(engine: Any, frames: int, decode: bool, lines: list[Exchange]) -> Run:
    engine.finish()
    _drain(engine, decode, lines)
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
    for balance in Ledger.from_statistics(statistics).stages:
        assert not balance.missing, str(balance)
