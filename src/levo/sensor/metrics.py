"""The sensor's own numbers: the ledger, what is held, CPU, memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from levo import __version__
from levo.ledger import MASKED, NOTES, Fate, Ledger, numbers_of
from levo.sensor.pipeline import Snapshot
from levo.wire.metrics import Metric, Point
from levo.wire.process_use import ProcessUse
from levo.wire.prometheus import family_name

if TYPE_CHECKING:
    from levo.model.statistics import EncryptedEndpoint, EngineStatistics, SensorStatistics

SCOPE = "levo.sensor"

_CONNECTIONS = {
    "connections_opened": "Connections that were seen.",
    "connections_http1": "Of them, connections that spoke HTTP/1.",
    "connections_http2": "Of them, connections that spoke HTTP/2.",
    "connections_tls": "Of them, connections under TLS.",
}


def measure(ledger: Ledger, seen: Snapshot, process: ProcessUse) -> list[Metric]:
    """All metrics of one moment."""
    return [
        *_ledger(ledger),
        *_counters(seen.engine),
        *_held(seen),
        *_interfaces(seen),
        *_exports(seen),
        *_encrypted(seen),
        *_process(process),
    ]


def report_marks(number: int, stopped_ns: int | None = None) -> list[Metric]:
    """What puts the reports of one run in order, and ends them: *stopped_ns* in the last one of a clean stop.

    By the number, a report that comes late is known as such, whatever the clocks do.
    """
    ended = () if stopped_ns is None else (((), stopped_ns / 1e9),)
    return [
        _single("levo.sensor.reports", "Reports of these metrics to the Satellite.", "1", True, number),
        Metric(
            "levo.sensor.stopped",
            "Unix time of a clean stop; only in the last report. A killed sensor does not send it.",
            "s",
            False,
            ended,
        ),
    ]


def _ledger(ledger: Ledger) -> list[Metric]:
    received: list[Point] = []
    settled: list[Point] = []
    waiting: list[Point] = []
    for balance in ledger.stages:
        stage = _stage_labels(balance.label, balance.stage.name)
        received.append((stage, balance.received))
        for state, count in balance.counts:
            labels = (*stage, ("state", state.name), ("fate", state.fate.value))
            (waiting if state.fate is Fate.WAITING else settled).append((labels, count))
    return [
        Metric("levo.sensor.ledger.received", "Units that a stage received.", "1", True, tuple(received)),
        Metric("levo.sensor.ledger.units", "Units that ended in a state.", "1", True, tuple(settled)),
        Metric("levo.sensor.ledger.waiting", "Units not decided yet.", "1", False, tuple(waiting)),
    ]


def _counters(engine: EngineStatistics) -> list[Metric]:
    """What the engine, and the masking behind it, count beside the balances."""
    texts = {name: _capital(text) for name, text in (NOTES | MASKED).items()} | _CONNECTIONS
    numbers = numbers_of(engine)
    counters = [
        _single(f"levo.sensor.{name}", text, "1", True, numbers[name])
        for name, text in texts.items()
        if name in numbers
    ]
    is_open = engine["connections_open"]
    return [*counters, _single("levo.sensor.connections", "Connections that are open.", "1", False, is_open)]


def _process(use: ProcessUse) -> list[Metric]:
    version = ((("version", __version__),), 1)
    return [
        _single("process.cpu.time", "CPU time of this process.", "s", True, use.cpu_s),
        _single("process.memory.usage", "Resident memory of this process.", "By", False, use.resident_bytes),
        _single(
            "process.unix.file_descriptor.count",
            "Open descriptors.",
            "{file_descriptor}",
            False,
            use.open_files,
        ),
        _single("process.thread.count", "Threads of this process.", "{thread}", False, use.threads),
        Metric("levo.sensor.build", "The sensor's version.", "1", False, (version,)),
    ]


def _held(seen: Snapshot) -> list[Metric]:
    points = [
        ((("place", "engine"),), seen.engine["memory_used_bytes"]),
        ((("place", "handover"),), seen.pipeline.held_bytes),
        *(((("place", f"output {output.name}"),), output.held_bytes) for output in seen.outputs),
    ]
    return [Metric("levo.sensor.memory.held", "Octets of --max-memory in use.", "By", False, tuple(points))]


def _interfaces(seen: Snapshot) -> list[Metric]:
    interfaces = getattr(seen.capture, "interfaces", ())
    texts = {
        "received": "Frames that passed the kernel's filter.",
        "dropped": "Frames dropped by the kernel: its ring was full.",
        "interface_dropped": "Frames dropped by the device or its driver.",
    }
    return [
        Metric(
            f"levo.sensor.capture.{name}",
            text,
            "{frame}",
            True,
            tuple(((("interface", each.name),), getattr(each, name)) for each in interfaces),
        )
        for name, text in texts.items()
        if interfaces
    ]


def _exports(seen: Snapshot) -> list[Metric]:
    families = (
        ("requests", "requests", "Deliveries answered with success.", "1", True),
        ("retries", "retries", "Attempts that failed and were repeated.", "1", True),
        ("sent", "bytes_sent", "Octets of successful deliveries.", "By", True),
        ("spool", "spool_bytes", "Octets in the spool.", "By", False),
        ("oldest", "oldest_age_s", "How long the oldest trace has waited for its delivery.", "s", False),
    )
    return [
        Metric(
            f"levo.sensor.export.{name}",
            text,
            unit,
            monotonic,
            tuple(((("output", output.name),), getattr(output, field)) for output in seen.outputs),
        )
        for name, field, text, unit, monotonic in families
    ]


def _encrypted(seen: Snapshot) -> list[Metric]:
    """Endpoints over TLS, so that owners see what is hidden. The engine bounds their number."""
    texts: dict[Literal["connections", "decrypted_connections", "bytes"], tuple[str, str]] = {
        "connections": ("TLS connections to an endpoint.", "{connection}"),
        "decrypted_connections": ("TLS connections that were read with keys.", "{connection}"),
        "bytes": ("TCP payload of TLS connections to an endpoint, both directions.", "By"),
    }
    if not seen.encrypted:
        return []
    unread = tuple(
        ((*_endpoint_labels(each), ("reason", reason)), count)
        for each in seen.encrypted
        for reason, count in each["unread"].items()
    )
    return [
        *(
            Metric(
                f"levo.encrypted.{name}",
                text,
                unit,
                True,
                tuple((_endpoint_labels(each), each[name]) for each in seen.encrypted),
            )
            for name, (text, unit) in texts.items()
        ),
        Metric(
            "levo.encrypted.unread_connections",
            "TLS connections that were not read, or not to their end, by reason (ledger, stage tls).",
            "{connection}",
            True,
            unread,
        ),
    ]


def _endpoint_labels(endpoint: EncryptedEndpoint) -> tuple[tuple[str, str], ...]:
    if endpoint["server_address"] is None:
        return (("server.address", "other"),)
    labels = (
        ("server.address", endpoint["server_address"]),
        ("server.port", str(endpoint["server_port"])),
        ("tls.server_name", endpoint["server_name"]),
        ("tls.next_protocol", endpoint["alpn"]),
        ("tls.protocol.version", endpoint["version"]),
        ("tls.certificate_names", ",".join(endpoint["certificate_names"])),
    )
    return tuple((key, text) for key, text in labels if text)


def _single(name: str, text: str, unit: str, monotonic: bool, value: int | float) -> Metric:
    return Metric(name, text, unit, monotonic, (((), value),))


def _stage_labels(label: str, stage: str) -> tuple[tuple[str, str], ...]:
    output = label.removeprefix(stage).strip()
    return (("stage", stage), ("output", output)) if output else (("stage", stage),)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


_INTRODUCTION = """\
The sensor's numbers of itself: at `/metrics` where `--listen` is given, and as OTLP metrics with every
interval to the Satellite. Counters count since the start. Labels come from bounded sets: interfaces that have
gone are counted together, as `gone interfaces`. None holds captured content. The states of the ledger are on
[a page of their own](ledger.md). `levo.sensor.reports` and `levo.sensor.stopped` are sent to the Satellite
only."""


def reference() -> str:
    """The text of ``docs/reference/metrics.md``."""
    lines = [
        "# Metrics",
        "",
        "<!-- Made by levo.sensor.metrics; `levo config reference --metrics` prints it. -->",
        "",
        _INTRODUCTION,
        "",
        "| OTLP | Prometheus | kind | unit | labels | meaning |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for metric in _every_family():
        labels = dict.fromkeys(f"`{key}`" for point, _ in metric.points for key, _ in point)
        kind = "counter" if metric.monotonic else "gauge"
        named = f"| `{metric.name}` | `{family_name(metric)}` | {kind} | `{metric.unit}` |"
        lines.append(f"{named} {', '.join(labels) or '-'} | {metric.help.rstrip('.')} |")
    return "\n".join(lines) + "\n"


def _every_family() -> list[Metric]:
    """The metrics of a sensor that has an interface, an output and an endpoint over TLS: all there are."""
    from levo.config import Redaction
    from levo.engine.engine import Engine
    from levo.sensor.capture.statistics import InterfaceStatistics, LiveStatistics
    from levo.sensor.export.statistics import OutputStatistics
    from levo.sensor.pipeline import PipelineStatistics
    from levo.sensor.redact.masking import Masking

    endpoint: EncryptedEndpoint = {
        "server_address": "192.0.2.1",
        "server_port": 443,
        "server_name": "a",
        "alpn": "h2",
        "version": "1.3",
        "certificate_names": ("a",),
        "connections": 0,
        "decrypted_connections": 0,
        "unread": {"no_secrets": 0},
        "bytes": 0,
        "first_ns": 0,
        "last_ns": 0,
    }
    capture = LiveStatistics((InterfaceStatistics("eth0", 0, 0, 0, 0, True),), 0)
    engine: SensorStatistics = {**Engine().statistics(), **Masking(Redaction()).statistics()}
    outputs = (OutputStatistics("otlp"),)
    seen = Snapshot(engine, 0, capture, PipelineStatistics(), outputs, None, True, (), (endpoint,))
    ledger = Ledger.from_statistics(engine, capture, outputs, seen.pipeline, 0)
    return [*measure(ledger, seen, ProcessUse()), *report_marks(0, 0)]
