"""The ledger: arithmetic, words, and that it knows every counter of the engine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from levo.engine.engine import DROP_NAMES, Engine
from levo.ledger import (
    EXCHANGES,
    FRAMES,
    NOTES,
    OUTPUT,
    PAYLOAD,
    STAGES,
    TLS,
    TRACES,
    Fate,
    Ledger,
    reference,
)
from levo.sensor.capture.statistics import FileStatistics, InterfaceStatistics, LiveStatistics
from levo.sensor.export.statistics import OutputStatistics
from levo.sensor.pipeline import PipelineStatistics

ROOT = Path(__file__).resolve().parents[1]


def engine_counters(**changes: Any) -> dict[str, Any]:
    return {**Engine().statistics(), **changes}


def file_statistics(received: int, delivered: int, filtered: int = 0) -> FileStatistics:
    return FileStatistics(received, delivered, filtered, 0, 0, 0, 0, 0, 0)


def test_every_counter_of_the_engine_has_a_line() -> None:
    counters = engine_counters()
    for stage, prefix in ((FRAMES, "frames_"), (PAYLOAD, "payload_bytes_"), (TLS, "tls_")):
        names = {name.removeprefix(prefix) for name in counters if name.startswith(prefix)} - {"received"}
        assert names == {state.name for state in stage.states}
    assert {state.name for state in EXCHANGES.states} == {"emitted", "open"} | set(DROP_NAMES.values())
    assert set(NOTES) <= set(counters)


def test_every_counter_of_the_pipeline_and_the_outputs_is_in_a_state() -> None:
    assert {state.name for state in TRACES.states} <= set(PipelineStatistics.__dataclass_fields__) | {"ready"}
    assert {state.name for state in OUTPUT.states} <= set(OutputStatistics.__dataclass_fields__)


def test_an_idle_sensor_balances() -> None:
    ledger = Ledger.from_statistics(
        engine_counters(), file_statistics(0, 0), [OutputStatistics("o")], PipelineStatistics()
    )

    assert ledger.balanced
    assert [balance.received for balance in ledger.stages] == [0] * 6
    assert ledger.render().endswith("balance: all 6 stages add up")


@given(counts=st.lists(st.integers(0, 2**64), min_size=7, max_size=7), extra=st.integers(-3, 3))
def test_a_stage_balances_exactly_when_its_states_add_up(counts: list[int], extra: int) -> None:
    states = dict(zip([f"frames_{state.name}" for state in FRAMES.states], counts, strict=True))

    ledger = Ledger.from_statistics(engine_counters(frames_received=sum(counts) + extra, **states))

    frames = ledger.stages[0]
    assert frames.missing == extra
    assert ledger.balanced is (extra == 0)
    assert sum(frames.total(fate) for fate in Fate) == sum(counts)
    assert ("WRONG in frames" in ledger.render()) is (extra != 0)


def test_hand_overs_are_checked_too() -> None:
    """A frame lost between capture and engine, a trace lost between pipeline and output: both show."""
    counters = engine_counters(frames_received=9, frames_tcp=9, exchanges_begun=5, exchanges_emitted=5)
    output = OutputStatistics("otlp", received=3, exported=3)

    ledger = Ledger.from_statistics(counters, file_statistics(10, 9), [output], PipelineStatistics(5, 5))
    wrong = Ledger.from_statistics(
        counters, LiveStatistics((InterfaceStatistics("e", 10, 10, 0, 0, True),), 0)
    )

    assert [(balance.label, balance.missing) for balance in ledger.stages if balance.missing] == [
        ("output otlp", 2)
    ]
    assert [(balance.label, balance.missing) for balance in wrong.stages if balance.missing] == [
        ("capture", 1)
    ]


def test_what_the_kernel_dropped_is_named() -> None:
    live = LiveStatistics((InterfaceStatistics("e", 12, 9, 2, 4, True),), 0)

    ledger = Ledger.from_statistics(engine_counters(frames_received=9, frames_tcp=9), live)

    assert str(ledger.stages[0]) == (
        "capture: 12 frames = 9 handed to the engine; 2 dropped by the kernel: its ring was full; "
        "1 in the kernel's ring, or from before the filter was in place"
    )
    assert ("interface_dropped", 4) in [note[:2] for note in ledger.notes]


def test_each_exchange_drop_is_a_state_of_its_own() -> None:
    dropped = {name: number for number, name in DROP_NAMES.items()}
    counters = engine_counters(
        exchanges_begun=119, exchanges_emitted=60, exchanges_open=4, exchanges_dropped=dropped
    )

    balance = Ledger.from_statistics(counters).stages[2]

    assert balance.missing == 0
    assert {state.name: count for state, count in balance.counts} == {"emitted": 60, "open": 4, **dropped}


def test_a_spool_from_before_counts_as_received() -> None:
    output = OutputStatistics("otlp", received=5, recovered=3, exported=6, spooled=2)

    ledger = Ledger.from_statistics(engine_counters(), None, [output], PipelineStatistics(5, 5))

    assert ledger.stages[-1].missing == 0


def test_states_are_described_in_one_line_and_named_for_metrics() -> None:
    for stage in STAGES:
        assert len({state.name for state in stage.states}) == len(stage.states)
        for state in stage.states:
            assert re.fullmatch(r"[a-z_]+", state.name)
            assert state.text and "\n" not in state.text


def test_the_reference_in_docs_is_current() -> None:
    """Renew with: levo config reference --ledger > docs/reference/ledger.md"""
    assert (ROOT / "docs" / "reference" / "ledger.md").read_text(encoding="utf-8") == reference()
