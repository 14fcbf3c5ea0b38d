"""What the sensors page shows of one sensor: its ledger put together from the series it reported."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from levo.satellite.learn.sensors import SILENT_NS as SILENT_NS
from levo.satellite.store import SensorRow

SKEWED_NS = 5 * 1_000_000_000
"""From so much on, the clocks of a sensor and of the Satellite differ; less may be the time under way."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One state of a stage's ledger."""

    state: str
    fate: str
    """``kept``, ``intended``, ``lost`` or ``waiting``."""
    units: float


@dataclass(frozen=True, slots=True)
class StageView:
    """One stage of the ledger."""

    name: str
    received: float
    entries: tuple[Entry, ...]

    @property
    def lost(self) -> float:
        """Units lost in this stage."""
        return sum(entry.units for entry in self.entries if entry.fate == "lost")

    @property
    def balances(self) -> bool:
        """Whether what was received is the sum of the states."""
        return abs(self.received - sum(entry.units for entry in self.entries)) < 0.5


@dataclass(frozen=True, slots=True)
class SensorView:
    """One sensor for people."""

    row: SensorRow
    version: str
    environment: str
    application: str
    place: str
    """ECS task, else the host name."""
    stages: tuple[StageView, ...]
    cpu_s: float | None
    memory_bytes: float | None
    held_bytes: float | None
    connections: float | None
    encrypted: float
    """TLS connections seen."""
    silent: bool
    """Without a word for too long, and without a goodbye."""
    stopped_ns: int
    """When it stopped cleanly; 0 if it did not."""

    @property
    def state(self) -> str:
        """``reporting``, ``stopped`` or ``silent``."""
        return "stopped" if self.stopped_ns else "silent" if self.silent else "reporting"

    @property
    def skew_s(self) -> float:
        """Seconds by which its clock is ahead of the Satellite's; 0 if they agree, or that is not known."""
        skew_ns = self.row.skew_ns or 0
        return skew_ns / 1e9 if abs(skew_ns) >= SKEWED_NS else 0.0

    @property
    def name(self) -> str:
        """Where it runs and what it watches, for people who have several."""
        watched = ", ".join(filter(None, (self.application, self.environment)))
        name = f"Sensor on {self.place}" if self.place else f"Sensor {self.row.sensor}"
        return f"{name} ({watched})" if watched else name

    @property
    def lost(self) -> float:
        """Units lost in all stages."""
        return sum(stage.lost for stage in self.stages)

    @property
    def received(self) -> float:
        """Units received in all stages."""
        return sum(stage.received for stage in self.stages)


def sensor_view(row: SensorRow, now_ns: int) -> SensorView:
    """Return *row* put together."""
    received: dict[str, float] = {}
    entries: dict[str, list[Entry]] = {}
    single: dict[str, float] = {}
    version = row.attributes.get("service.version", "")
    for metric in row.metrics:
        labels = metric.labels
        stage = " ".join(filter(None, (labels.get("stage", ""), labels.get("output", ""))))
        if metric.name == "levo.sensor.ledger.received":
            received[stage] = metric.value
        elif metric.name in ("levo.sensor.ledger.units", "levo.sensor.ledger.waiting"):
            fate = labels.get("fate", "waiting" if metric.name.endswith("waiting") else "")
            entries.setdefault(stage, []).append(Entry(labels.get("state", ""), fate, metric.value))
        elif metric.name == "levo.sensor.build":
            version = labels.get("version", version)
        else:
            single[metric.name] = single.get(metric.name, 0.0) + metric.value
    order = {"kept": 0, "intended": 1, "lost": 2, "waiting": 3}
    stages = tuple(
        StageView(
            name,
            received[name],
            tuple(
                sorted(
                    (entry for entry in entries.get(name, ()) if entry.units),
                    key=lambda entry: (order.get(entry.fate, 9), -entry.units),
                )
            ),
        )
        for name in sorted(received, key=_stage_order)
    )
    attributes = row.attributes
    task = attributes.get("aws.ecs.task.arn", "").rpartition("/")[2]
    return SensorView(
        row=row,
        version=version,
        environment=attributes.get("deployment.environment.name", ""),
        application=attributes.get("service.name", ""),
        place=f"ECS task {task}" if task else attributes.get("host.name", ""),
        stages=stages,
        cpu_s=single.get("process.cpu.time"),
        memory_bytes=single.get("process.memory.usage"),
        held_bytes=single.get("levo.sensor.memory.held"),
        connections=single.get("levo.sensor.connections"),
        encrypted=single.get("levo.sensor.connections_tls", 0.0),
        silent=not row.run.stopped_ns and now_ns - row.last_seen_ns > SILENT_NS,
        stopped_ns=row.run.stopped_ns,
    )


_SAME = ("host.name", "deployment.environment.name", "service.name", "aws.ecs.task.arn")


def is_replaced(row: SensorRow, others: Iterable[SensorRow]) -> bool:
    """Whether *row* is of a release without a name for its runs, and a later one has come in its place.

    The later release has another id, so the first start after an upgrade looks like two sensors.
    """
    if row.run.instance:
        return False
    place = [row.attributes.get(name) for name in _SAME]
    return any(
        each.run.instance
        and each.organization == row.organization
        and each.first_seen_ns > row.first_seen_ns
        and each.last_seen_ns > row.last_seen_ns
        and [each.attributes.get(name) for name in _SAME] == place
        for each in others
    )


_STAGES = ("capture", "frames", "payload_bytes", "exchanges", "traces", "output")


def _stage_order(name: str) -> tuple[int, str]:
    first = name.split(" ")[0]
    return (_STAGES.index(first) if first in _STAGES else len(_STAGES), name)
