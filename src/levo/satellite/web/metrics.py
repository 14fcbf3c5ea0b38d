"""The Satellite's own numbers in the Prometheus text format."""

from __future__ import annotations

import itertools
import platform
from collections.abc import Callable, Iterable, Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from levo import __version__
from levo.satellite.access import identity_of
from levo.satellite.backups import BackupStatistics
from levo.satellite.connections import ConnectionStatistics
from levo.satellite.queue import JournalStatistics
from levo.satellite.readiness import Cause
from levo.satellite.receive import IngestStatistics
from levo.satellite.store import CatalogReader, Summary
from levo.satellite.store.storage import Storage
from levo.satellite.supervisor import COMMIT_BOUNDS_S, SupervisorStatistics
from levo.satellite.tls import TlsStatistics
from levo.satellite.upkeep import UpkeepStatistics
from levo.wire.metrics import Histogram, Metric
from levo.wire.process_use import process_metrics
from levo.wire.prometheus import MEDIA_TYPE, exposition

_BUILD = (("version", __version__), ("python", platform.python_version()))
Snapshot = tuple[IngestStatistics, JournalStatistics, SupervisorStatistics]


def metrics_route(
    reader: CatalogReader,
    snapshot: Callable[[], Snapshot],
    not_ready: Callable[[], dict[Cause, str]] = dict,
    connections: Callable[[], dict[str, ConnectionStatistics]] = dict,
    upkeep: Callable[[], UpkeepStatistics | None] = lambda: None,
) -> Route:
    """Return the route ``/metrics``."""

    def metrics(request: Request) -> Response:
        if identity_of(request).organization:
            raise HTTPException(403, "these numbers are of all organizations together")
        text = render(*snapshot(), reader.summary(), not_ready(), connections(), reader.storage(), upkeep())
        return PlainTextResponse(text, media_type=MEDIA_TYPE)

    return Route("/metrics", metrics)


def render(
    ingester: IngestStatistics,
    journal: JournalStatistics,
    learner: SupervisorStatistics,
    summary: Summary,
    not_ready: Mapping[Cause, str],
    connections: Mapping[str, ConnectionStatistics],
    storage: Storage,
    upkeep: UpkeepStatistics | None = None,
) -> str:
    """Return the page."""
    ours: list[Metric | Histogram] = [
        Metric("levo.satellite.build.info", "What runs, in its labels.", "1", False, ((_BUILD, 1),)),
        *_ingest_metrics(ingester),
        *_journal(journal, learner),
        *_readiness(not_ready),
        *_connections(connections),
        *_learner(learner),
        *_catalog(summary),
        *_storage(storage),
        *(_upkeep(upkeep) if upkeep is not None else ()),
    ]
    return exposition(ours)


def _ingest_metrics(seen: IngestStatistics) -> list[Metric]:
    return [
        _counter("requests", "Export requests that arrived.", seen.requests_total),
        _counter(
            "requests_accepted",
            "Export requests acknowledged after they were durable.",
            seen.accepted_total,
        ),
        _family(
            "requests_refused",
            "Export requests refused, by reason.",
            True,
            [(str(reason), number) for reason, number in seen.refused_total.items()],
            label="reason",
        ),
        _gauge("requests_in_flight", "Export requests being received.", seen.in_flight),
        _gauge("requests_in_flight", "Octets of them that are held in memory.", seen.in_flight_bytes, "By"),
        _family(
            "accepted_items",
            "Spans and metrics acknowledged.",
            True,
            [(kind.name.lower(), number) for kind, number in seen.accepted_items_total.items()],
            label="kind",
        ),
        _counter("rejected_spans", "Spans answered as partial success.", seen.rejected_spans_total),
    ]


def _journal(seen: JournalStatistics, learner: SupervisorStatistics) -> list[Metric]:
    return [
        _counter("journal_records", "Records written to the journal.", seen.durable_total),
        _counter("journal_failed", "Records that could not be written.", seen.failed_total),
        _counter("journal_refused", "Records refused because the journal was full.", seen.refused_total),
        _counter("journal_syncs", "Synchronizations of the journal with the disk.", seen.groups_total),
        _gauge(
            "journal", "Octets in the journal that are not yet learned and deleted.", seen.stored_bytes, "By"
        ),
        _gauge("journal_pending", "Octets waiting to be written to the journal.", seen.pending_bytes, "By"),
        _counter("journal_damaged", "Journal records that could not be read back.", learner.damaged_total),
    ]


def _readiness(not_ready: Mapping[Cause, str]) -> list[Metric]:
    causes = [(str(cause), int(cause in not_ready)) for cause in Cause]
    return [
        _gauge("ready", "Whether /readyz reports the Satellite as ready.", int(not not_ready)),
        _family("not_ready", "What keeps the Satellite from being ready.", False, causes, label="cause"),
    ]


def _connections(found: Mapping[str, ConnectionStatistics]) -> list[Metric]:
    families = (
        ("connections", False, "Open connections, by port.", "open"),
        (
            "connections_evicted",
            True,
            "Connections waiting for their client that were ended to make room, by port.",
            "evicted_total",
        ),
        (
            "connections_refused",
            True,
            "Connections refused since none could make room, by port.",
            "refused_total",
        ),
    )
    return [
        _family(
            name,
            text,
            monotonic,
            [(port, value) for port, seen in found.items() if (value := getattr(seen, field)) is not None],
            label="port",
        )
        for name, monotonic, text, field in families
    ]


def _tls(seen: TlsStatistics) -> list[Metric]:
    return [
        _gauge(
            "tls_certificate_expiry_timestamp",
            "When the certificate in use expires, or one that is shown with it: seconds since 1970.",
            seen.expiry_ns / 1e9,
            "s",
        ),
        _counter(
            "tls_certificates_loaded", "Certificates taken, that of the start included.", seen.loads_total
        ),
        _counter(
            "tls_certificates_refused", "Certificate files that could not be used.", seen.refusals_total
        ),
        _gauge(
            "tls_files_refused",
            "Whether the certificate files cannot be used, and the one before is shown.",
            int(bool(seen.refusal)),
        ),
    ]


def _upkeep(seen: UpkeepStatistics) -> list[Metric]:
    return [
        *process_metrics(seen.processes),
        *(_tls(seen.tls) if seen.tls is not None else ()),
        *(_backups(seen.backups) if seen.backups is not None else ()),
        _gauge("alerts_waiting", "Alerts that no webhook has taken yet.", seen.alerts_waiting),
        _gauge("oldest_waiting_alert_age", "How long the first of them has waited.", seen.alert_age_s, "s"),
    ]


def _backups(seen: BackupStatistics) -> list[Metric]:
    return [
        _counter("backups", "Scheduled backups made and verified.", seen.made_total),
        _counter("backups_failed", "Scheduled backups that could not be made.", seen.failed_total),
        _gauge(
            "backup_last_success_timestamp",
            "When the last good one was made, since the Unix epoch; 0 for never.",
            seen.last_ns / 1e9,
            "s",
        ),
        _gauge("backup_last_size", "Its size.", seen.last_bytes, "By"),
        _gauge("backup_last_duration", "How long it took, its verification included.", seen.last_s, "s"),
        _gauge(
            "backup_interval",
            "Time from one scheduled backup to the next; 0 where none are made.",
            seen.plan.interval_s if seen.plan else 0,
            "s",
        ),
    ]


def _learner(seen: SupervisorStatistics) -> list[Metric | Histogram]:
    below = tuple(zip(COMMIT_BOUNDS_S, itertools.accumulate(seen.commits), strict=False))
    return [
        Histogram(
            "levo.satellite.commit.duration",
            "Commits of what was learned, by how long they took.",
            "s",
            below,
            sum(seen.commits),
            seen.commits_s,
        ),
        _gauge(
            "oldest_unlearned_record_age",
            "How long the oldest record that is not learned has waited, since the start at most.",
            seen.oldest_s,
            "s",
        ),
        _gauge("learner_up", "Whether the learner process runs.", int(seen.running)),
        _counter("learner_restarts", "Times the learner had to be started again.", seen.restarts_total),
    ]


def _catalog(summary: Summary) -> list[Metric]:
    return [
        _gauge("endpoints", "Endpoints in the catalog.", summary.endpoints),
        _gauge("applications", "Applications in the catalog, by environment.", summary.applications),
        _gauge("sensors", "Sensors that have reported.", summary.sensors),
        *(_counter(name, text, summary.counters.get(name, 0)) for name, text in _COUNTERS.items()),
    ]


def _storage(found: Storage) -> list[Metric]:
    return [
        _gauge("catalog", "Octets of what the catalog keeps.", found.stored_bytes, "By"),
        _gauge("catalog_file", "Octets of its file; free pages are given back.", found.file_bytes, "By"),
        _gauge("catalog_log", "Octets of its write-ahead log.", found.log_bytes, "By"),
        _gauge("catalog_growth", "Octets that it grew a day, lately.", found.growth_bytes, "By"),
        _gauge("disk_free", "Octets that the disk of the catalog has left.", found.disk_free_bytes, "By"),
    ]


def _counter(name: str, text: str, value: float) -> Metric:
    return Metric(f"levo.satellite.{name}", text, "1", True, (((), value),))


def _gauge(name: str, text: str, value: float, unit: str = "1") -> Metric:
    return Metric(f"levo.satellite.{name}", text, unit, False, (((), value),))


def _family(
    name: str, text: str, monotonic: bool, points: Iterable[tuple[str, float]], *, label: str
) -> Metric:
    return Metric(
        f"levo.satellite.{name}",
        text,
        "1",
        monotonic,
        tuple((((label, each),), value) for each, value in points),
    )


_COUNTERS = {
    "learned_traces": "API traces learned, since the catalog was made.",
    "learned_exchanges": "Exchanges they stand for.",
    "ignored_spans": "Spans that are no HTTP server exchanges.",
    "duplicate_spans": "Spans that had been learned before.",
    "duplicate_deliveries": "Deliveries that had been learned before.",
    "unreadable_records": "Journal records that could not be learned from.",
    "noise_exchanges": "Exchanges that belong to no endpoint: refused, answered as absent, scanners, assets.",
    "unknown_path_exchanges": "Exchanges whose path is unknown, of HTTP/2 connections that were joined late.",
    "endpoint_limit_exchanges": "Exchanges at new paths of an application that has no room for more.",
    "host_limit_exchanges": "Exchanges of hosts that share one, as their application has no room for more.",
    "displaced_exchanges": "Exchanges that had been learned at hosts or paths that made room for others.",
    "absent_limit_exchanges": "Exchanges at paths without success that made room for others.",
    "removed_exchanges": "Exchanges at what people deleted, or nobody used for as long as it is kept.",
    "unproven_names_dropped": "Names that were not proven and made room for others.",
    "sensor_limit_reports": "Reports of sensors without room: all others report, too.",
    "given_up_rows": "Rows that were given up, as the catalog was larger than catalog-max-bytes.",
    "displaced_sensors": "Sensors that stopped or were silent, and made room for others.",
    "expired_sensors": "Sensors that stopped or were silent for as long as they are kept.",
}
