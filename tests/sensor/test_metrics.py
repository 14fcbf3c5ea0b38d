"""The sensor's own metrics: complete, and documented."""

from __future__ import annotations

from pathlib import Path

from levo.engine.engine import Engine
from levo.sensor.assembly import ledger_of
from levo.sensor.capture.statistics import InterfaceStatistics, LiveStatistics
from levo.sensor.export.statistics import OutputStatistics
from levo.sensor.metrics import measure, reference
from levo.sensor.pipeline import PipelineStatistics, Snapshot
from levo.wire.metrics import Metric
from levo.wire.process_use import ProcessUse
from levo.wire.prometheus import family_name


def snapshot() -> Snapshot:
    engine = {**Engine().statistics(), "frames_received": 9, "frames_tcp": 9, "gaps": 3}
    capture = LiveStatistics((InterfaceStatistics("eth0", 12, 9, 2, 0, True),), 0)
    outputs = (OutputStatistics('otlp "a"', held_bytes=7), OutputStatistics("null"))
    return Snapshot(engine, 0, capture, PipelineStatistics(held_bytes=5), outputs, None, True)


def metrics() -> list[Metric]:
    return measure(
        ledger_of(snapshot()), snapshot(), ProcessUse(cpu_s=1.5, resident_bytes=4096, open_files=9, threads=7)
    )


def test_the_whole_ledger_is_in_the_metrics() -> None:
    found = {metric.name: dict(metric.points) for metric in metrics()}
    ledger = ledger_of(snapshot())
    units = sum(len(balance.counts) for balance in ledger.stages)

    assert len(found["levo.sensor.ledger.received"]) == len(ledger.stages)
    assert len(found["levo.sensor.ledger.units"]) + len(found["levo.sensor.ledger.waiting"]) == units
    assert found["levo.sensor.gaps"] == {(): 3}
    assert found["levo.sensor.capture.dropped"] == {(("interface", "eth0"),): 2}
    assert found["levo.sensor.memory.held"][(("place", 'output otlp "a"'),)] == 7


def test_the_reference_in_docs_is_current() -> None:
    """Renew with: levo config reference --metrics > docs/reference/metrics.md"""
    page = Path(__file__).resolve().parents[2] / "docs" / "reference" / "metrics.md"

    assert page.read_text() == reference()
    assert all(f"| `{metric.name}` |" in reference() for metric in metrics())


def test_every_family_has_a_name_of_its_own() -> None:
    names = [family_name(metric) for metric in metrics()]

    assert len(set(names)) == len(names)
