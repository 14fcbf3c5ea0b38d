"""The Satellite's own numbers in the Prometheus text format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from levo.satellite.access import identity_of
from levo.satellite.connections import ConnectionStatistics
from levo.satellite.queue import JournalStatistics
from levo.satellite.readiness import Cause
from levo.satellite.receive import IntakeStatistics
from levo.satellite.store import CatalogReader, Summary
from levo.satellite.supervisor import SupervisorStatistics

Snapshot = tuple[IntakeStatistics, JournalStatistics, SupervisorStatistics]
_Samples = Iterable[tuple[str, float]]


def metrics_route(
    reader: CatalogReader,
    snapshot: Callable[[], Snapshot],
    not_ready: Callable[[], dict[Cause, str]] = dict,
    connections: Callable[[], dict[str, ConnectionStatistics]] = dict,
) -> Route:
    """Return the route ``/metrics``."""

    def metrics(request: Request) -> Response:
        if identity_of(request).organization:
            raise HTTPException(403, "these numbers are of all organisations together")
        text = render(*snapshot(), reader.summary(), not_ready(), connections())
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    return Route("/metrics", metrics)


def render(
    intake: IntakeStatistics,
    journal: JournalStatistics,
    learner: SupervisorStatistics,
    summary: Summary,
    not_ready: Mapping[Cause, str],
    connections: Mapping[str, ConnectionStatistics],
) -> str:
    """Return the page."""
    lines: list[str] = []

    def family(name: str, kind: str, text: str, samples: _Samples) -> None:
        lines.append(f"# HELP levo_satellite_{name} {text}")
        lines.append(f"# TYPE levo_satellite_{name} {kind}")
        lines.extend(f"levo_satellite_{name}{labels} {value:.17g}" for labels, value in samples)

    def counter(name: str, text: str, value: float) -> None:
        family(name, "counter", text, [("", value)])

    def gauge(name: str, text: str, value: float) -> None:
        family(name, "gauge", text, [("", value)])

    counter("requests_total", "Export requests that arrived.", intake.requests_total)
    counter(
        "requests_accepted_total",
        "Export requests acknowledged after they were durable.",
        intake.accepted_total,
    )
    refused = [(f'{{reason="{reason}"}}', float(number)) for reason, number in intake.refused_total.items()]
    family("requests_refused_total", "counter", "Export requests refused, by reason.", refused)
    gauge("requests_in_flight", "Export requests being received.", intake.in_flight)
    gauge("requests_in_flight_bytes", "Octets of them that are held in memory.", intake.in_flight_bytes)
    accepted = [
        (f'{{kind="{kind.name.lower()}"}}', float(n)) for kind, n in intake.accepted_items_total.items()
    ]
    family("accepted_items_total", "counter", "Spans and metrics acknowledged.", accepted)
    counter("rejected_spans_total", "Spans answered as partial success.", intake.rejected_spans_total)
    counter("journal_records_total", "Records written to the journal.", journal.durable_total)
    counter("journal_failed_total", "Records that could not be written.", journal.failed_total)
    counter("journal_refused_total", "Records refused because the journal was full.", journal.refused_total)
    counter("journal_syncs_total", "Synchronisations of the journal with the disk.", journal.groups_total)
    gauge(
        "journal_bytes", "Octets in the journal that are not yet learned and deleted.", journal.stored_bytes
    )
    gauge("journal_pending_bytes", "Octets waiting to be written to the journal.", journal.pending_bytes)
    gauge("ready", "Whether /readyz reports the Satellite as ready.", float(not not_ready))
    causes = [(f'{{cause="{cause}"}}', float(cause in not_ready)) for cause in Cause]
    family("not_ready", "gauge", "What keeps the Satellite from being ready.", causes)
    for name, kind, text, field in _CONNECTIONS:
        samples = [(f'{{port="{port}"}}', getattr(found, field)) for port, found in connections.items()]
        family(name, kind, text, samples)
    gauge("learner_up", "Whether the learner process runs.", float(learner.running))
    counter("learner_restarts_total", "Times the learner had to be started again.", learner.restarts_total)
    damaged = learner.progress.damaged_records if learner.progress else 0
    counter("journal_damaged_total", "Journal records that could not be read back.", damaged)
    gauge("endpoints", "Endpoints in the catalog.", summary.endpoints)
    gauge("applications", "Applications in the catalog, by environment.", summary.applications)
    gauge("sensors", "Sensors that have reported.", summary.sensors)
    for name, text in _COUNTERS.items():
        counter(f"{name}_total", text, summary.counters.get(name, 0.0))
    return "\n".join(lines) + "\n"


_CONNECTIONS = (
    ("connections", "gauge", "Open connections, by port.", "open"),
    (
        "connections_evicted_total",
        "counter",
        "Connections waiting for their client that were ended to make room, by port.",
        "evicted_total",
    ),
    (
        "connections_refused_total",
        "counter",
        "Connections refused since none could make room, by port.",
        "refused_total",
    ),
)
_COUNTERS = {
    "learned_traces": "API traces learned, since the catalog was made.",
    "learned_exchanges": "Exchanges they stand for.",
    "ignored_spans": "Spans that are no HTTP server exchanges.",
    "unreadable_records": "Journal records that could not be learned from.",
    "endpoint_limit_exchanges": "Exchanges at endpoints that the full catalog could not take.",
    "sensor_limit_reports": "Reports of sensors that the full catalog could not take.",
}
