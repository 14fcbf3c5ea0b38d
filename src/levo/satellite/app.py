"""The Satellite as a whole: puts the parts together, starts and ends them. The only place with sockets."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from levo.config import HostPort
from levo.config.satellite_settings import SatelliteSettings
from levo.errors import LevoError
from levo.satellite.access import Authenticator
from levo.satellite.access.ingestion import IngestionTokens
from levo.satellite.alerts.detector import AlertDetector
from levo.satellite.alerts.watcher import AlertWatcher
from levo.satellite.alerts.webhooks import WebhookSender
from levo.satellite.backups import ScheduledBackups
from levo.satellite.catalog.storage import storage_warnings
from levo.satellite.certificate import read_authority
from levo.satellite.connections import (
    BACKLOG,
    MAX_CONNECTIONS,
    Connections,
    Listener,
    connection_limit,
)
from levo.satellite.findings import FindingKeeper
from levo.satellite.header_timeout import bounded_protocol
from levo.satellite.keys import KeyWatch
from levo.satellite.learn import NameRule
from levo.satellite.learner import JOURNAL_NAME, Bounds, Progress
from levo.satellite.log_rate import calm_log
from levo.satellite.posture import load_posture_settings
from levo.satellite.queue import Journal
from levo.satellite.readiness import Readiness
from levo.satellite.receive import GrpcReceiver, Ingester
from levo.satellite.reload import Reload, backup_plan, pem_files
from levo.satellite.store import DATABASE_NAME, CatalogReader, CatalogWriter
from levo.satellite.store.backup import POSTURE_NAME
from levo.satellite.store.faults import opening
from levo.satellite.store.hosts import Limits
from levo.satellite.store.retention import Retention
from levo.satellite.store.rotation import settle_key
from levo.satellite.store.upgrade import copy_before_upgrade
from levo.satellite.store.userdata import USERDATA_NAME, UserData
from levo.satellite.supervisor import LearnerSupervisor
from levo.satellite.tls import Tls
from levo.satellite.upkeep import Upkeep
from levo.satellite.web import (
    Backup,
    Catalogs,
    Connect,
    LiveChannel,
    SiteParts,
    build_otlp_app,
    build_site,
)

_LOG = logging.getLogger(__name__)
LOCK_NAME = "satellite.lock"
_GRACE_S = 5.0


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the Satellite can be reached, with the ports that were chosen for 0."""

    web_url: str
    otlp_grpc: HostPort
    otlp_http_url: str
    setup_code: str = field(default="", repr=False)
    """What the first-run page asks for; empty when none is needed."""

    def __str__(self) -> str:
        return f"web {self.web_url}  OTLP/gRPC {self.otlp_grpc}  OTLP/HTTP {self.otlp_http_url}"


class _Server(uvicorn.Server):
    """A server that leaves signals to the Satellite, which has more than one."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def run_satellite(  # noqa: PLR0915 (starts all parts in the one order that works)
    settings: SatelliteSettings,
    on_ready: Callable[[Listening], None],
    reread: Callable[[], SatelliteSettings] | None = None,
) -> None:
    """Run until SIGTERM or SIGINT; then finish what was received, and return.

    SIGHUP applies what *reread* returns (``reload``); without one the settings stay.

    Raises:
        LevoError: the Satellite cannot start, or one of its servers ended by itself.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: None)  # what it would reread is read anyway
    data_dir = settings.data_dir
    with contextlib.ExitStack() as resources:
        resources.enter_context(only_satellite(data_dir))
        resources.enter_context(calm_log())
        files = pem_files(settings)
        tls = Tls(files) if files else None
        max_connections = connection_limit(tls=tls is not None)
        sockets = [
            resources.enter_context(_bind(a, f, max_connections, tls=tls is not None))
            for a, f in ((settings.listen, "--listen"), (settings.otlp_http, "--otlp-http"))
        ]
        keys = KeyWatch(data_dir)
        with opening(data_dir):
            copy_before_upgrade(data_dir)
            with CatalogWriter(data_dir / DATABASE_NAME) as writer:
                checkpoint = writer.checkpoint()
            settle_key(data_dir)
            userdata = UserData(data_dir / USERDATA_NAME)
            resources.callback(userdata.close)
            reader = CatalogReader(data_dir / DATABASE_NAME, userdata.path)
            resources.callback(reader.close)
            userdata.accounts.exist()
        authenticator = Authenticator(
            userdata.accounts,
            userdata.sessions,
            userdata.tokens,
            userdata.audit,
            on_loopback=settings.listen.is_loopback,
        )
        scheme = "https" if tls else "http"
        journal = resources.enter_context(
            Journal(data_dir / JOURNAL_NAME, max_bytes=settings.journal_max_bytes)
        )
        journal.skip_past(checkpoint.position)

        def on_decided() -> None:
            loop.call_soon_threadsafe(supervisor.wake_for_decisions)

        catalogs = Catalogs(reader, on_decided, settings.archive_after_ns)
        live = LiveChannel(catalogs.revision)

        def on_progress(progress: Progress) -> None:
            journal.release(progress.position)
            live.publish(progress.revision)

        admission = _admission(settings, authenticator)
        supervisor = LearnerSupervisor(
            data_dir, on_progress, bounds=_bounds(settings), journal_end=lambda: journal.end
        )
        backups = ScheduledBackups(data_dir, backup_plan(settings))
        upkeep = Upkeep(
            supervisor=supervisor, tls=tls, backups=backups, alerts_waiting=userdata.alerts.waiting
        )
        posture = load_posture_settings(settings.data_dir / POSTURE_NAME)
        keeper = FindingKeeper(reader, userdata.findings, posture)
        reload = Reload(settings, reread or (lambda: settings), supervisor, tls, backups, _bounds, keeper.use)
        loop.add_signal_handler(signal.SIGHUP, reload.ask)
        readiness = Readiness(
            stopping=stop.is_set,
            refusal=journal.refusal,
            learner=supervisor.statistics,
            keys=keys.faults,
            notes=lambda: [
                *upkeep.notes(),
                *storage_warnings(reader.storage(), reload.settings.catalog_max_bytes),
            ],
        )
        ingester = Ingester(
            journal,
            max_request_bytes=settings.max_request_bytes,
            max_in_flight_bytes=settings.max_in_flight_bytes,
            on_accepted=supervisor.wake,
            admission=admission,
        )
        grpc_receiver = GrpcReceiver(ingester)
        web_address, http_address = (
            _bound(s, a) for s, a in zip(sockets, (settings.listen, settings.otlp_http), strict=True)
        )
        web_url = f"{scheme}://{_reachable(web_address)}"
        site = build_site(
            SiteParts(
                ingester=ingester,
                reader=reader,
                userdata=userdata,
                catalogs=catalogs,
                authenticator=authenticator,
                live=live,
                snapshot=lambda: (ingester.statistics(), journal.statistics(), supervisor.statistics()),
                readiness=readiness,
                connections=lambda: (
                    {
                        name: each.connections.statistics()
                        for name, each in zip(("web", "otlp_http"), sockets, strict=True)
                    }
                    | grpc_receiver.connections()
                ),
                backup=Backup(data_dir),
                satellite_url=web_url,
                connect=_connect(settings, web_url, admission, tls),
                upkeep=upkeep.statistics,
                loopback_only=settings.listen.is_loopback,
                webhook_link_local=settings.webhook_link_local,
            )
        )
        otlp = build_otlp_app(
            ingester=ingester, readiness=readiness, loopback_only=settings.otlp_http.is_loopback
        )
        servers = [
            _server(app, settings, listener.connections, tls)
            for app, listener in zip((site, otlp), sockets, strict=True)
        ]
        alerts = _alerts(reader, userdata, web_url, settings, keeper)
        background = [asyncio.create_task(alerts.run(), name="alerts")]
        try:
            await supervisor.start()
            keys.start()
            background.append(asyncio.create_task(readiness.watch(), name="readiness"))
            background.append(asyncio.create_task(reload.run(), name="reload"))
            background.append(asyncio.create_task(backups.run(), name="backups"))
            if tls:
                background.append(asyncio.create_task(tls.watch(), name="certificate"))
            grpc_port = await grpc_receiver.start(
                settings.otlp_grpc.host,
                settings.otlp_grpc.port,
                tls.grpc_credentials() if tls else None,
                max_connections=connection_limit(),
            )
            serving = [asyncio.create_task(s.serve([k])) for s, k in zip(servers, sockets, strict=True)]
            while not all(server.started for server in servers):
                await asyncio.sleep(0.01)
            gc.freeze()  # what lives as long as the process is not looked through again and again
            on_ready(
                Listening(
                    f"{web_url}/",
                    HostPort(settings.otlp_grpc.host, grpc_port),
                    f"{scheme}://{http_address}",
                    authenticator.setup_code,
                )
            )
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait((stopping, *serving), return_when=asyncio.FIRST_COMPLETED)
            failed = not stop.is_set()
            stop.set()
            stopping.cancel()
            live.close()
            for server in servers:
                server.should_exit = True
            await asyncio.gather(grpc_receiver.stop(_GRACE_S), *serving, return_exceptions=True)
            if failed:
                raise LevoError("a server of the Satellite ended by itself")
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            await asyncio.to_thread(journal.close)
            if not await supervisor.stop(settings.drain_timeout_ns / 1e9):
                _LOG.warning(
                    "not everything received is learned yet; the journal keeps it for the next start"
                )
            journal.tidy()


def _alerts(
    reader: CatalogReader,
    userdata: UserData,
    web_url: str,
    settings: SatelliteSettings,
    keeper: FindingKeeper,
) -> AlertWatcher:
    detector = AlertDetector(
        reader,
        userdata.alerts,
        userdata.settings,
        archive_ns=settings.archive_after_ns,
        kept_ns=settings.alert_retention_ns,
        findings=userdata.findings,
    )
    sender = WebhookSender(
        userdata.alerts, userdata.webhooks, web_url, link_local=settings.webhook_link_local
    )
    return AlertWatcher(detector, sender, keeper)


def _admission(settings: SatelliteSettings, authenticator: Authenticator) -> IngestionTokens | None:
    if settings.ingest_tokens == "off":
        return None
    reachable = not all(a.is_loopback for a in (settings.listen, settings.otlp_grpc, settings.otlp_http))
    return IngestionTokens(authenticator, required=settings.ingest_tokens == "required" or reachable)


def _connect(
    settings: SatelliteSettings, web_url: str, admission: IngestionTokens | None, tls: Tls | None
) -> Connect:
    authority = settings.tls_ca_certificate
    return Connect(
        web_url,
        loopback_only=settings.listen.is_loopback,
        certificate=lambda: tls.certificate if tls else None,
        authority=read_authority(authority) if authority else "",
        token_required=lambda: admission is not None and admission.asked_for,
    )


def _bounds(settings: SatelliteSettings) -> Bounds:
    """Return how much the learner keeps, and what of it as text."""
    return Bounds(
        Limits(settings.max_hosts, settings.max_places, settings.host_names == "all"),
        Retention(
            endpoints_ns=settings.endpoint_retention_ns,
            unproven_ns=settings.refused_retention_ns,
            minutes_ns=settings.minute_retention_ns,
            hours_ns=settings.hour_retention_ns,
            days_ns=settings.day_retention_ns,
            sensors_ns=settings.sensor_retention_ns,
            stopped_sensors_ns=settings.stopped_sensor_retention_ns,
            changes_ns=settings.change_retention_ns,
            catalog_bytes=settings.catalog_max_bytes,
        ),
        settings.learner_max_bytes,
        NameRule(settings.min_objects, settings.min_callers),
    )


def _server(app: ASGIApp, settings: SatelliteSettings, connections: Connections, tls: Tls | None) -> _Server:
    config = uvicorn.Config(
        app,
        http=bounded_protocol(connections=connections),
        backlog=BACKLOG,
        ssl_context_factory=(lambda _config, _default: tls.context) if tls else None,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_keep_alive=75,
        timeout_graceful_shutdown=int(_GRACE_S),
        limit_concurrency=MAX_CONNECTIONS,
        ws="none",
    )
    return _Server(config)


@contextlib.contextmanager
def only_satellite(data_dir: Path) -> Iterator[None]:
    """Make *data_dir* ours while in the context."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(data_dir / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise LevoError(
            f"--data-dir {data_dir}: {error.strerror}; choose a directory that can be written"
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LevoError(
                f"--data-dir {data_dir}: in use by another Satellite; stop it or choose another"
            ) from None
        yield
    finally:
        os.close(descriptor)


def _bind(address: HostPort, flag: str, max_connections: int, *, tls: bool) -> Listener:
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = Listener(family, kind, protocol)
        bound.connections = Connections(max_connections, tls=tls)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(place)
        except OSError:
            bound.close()
            raise
    except OSError as error:
        raise LevoError(f"{flag} {address}: cannot listen there: {error.strerror}") from None
    return bound


def _bound(listener: socket.socket, asked: HostPort) -> HostPort:
    return HostPort(asked.host, listener.getsockname()[1])


def _reachable(address: HostPort) -> HostPort:
    """An address that can be typed into a browser on this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host)
    return HostPort(host, address.port)
