"""The Satellite as a whole: puts the parts together, starts and ends them. The only place with sockets."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from levo.errors import LevoError
from levo.satellite.learner import JOURNAL_NAME, Progress
from levo.satellite.queue import Journal
from levo.satellite.receive import GrpcReceiver, Intake
from levo.satellite.settings import Address, SatelliteSettings
from levo.satellite.store import DATABASE_NAME, CatalogReader, CatalogWriter
from levo.satellite.supervisor import LearnerSupervisor
from levo.satellite.web import LiveChannel, build_otlp_app, build_site

_LOG = logging.getLogger(__name__)
LOCK_NAME = "satellite.lock"
_GRACE_S = 5.0
_DRAIN_S = 15.0


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the Satellite can be reached, with the ports that were chosen for 0."""

    web_url: str
    otlp_grpc: Address
    otlp_http_url: str

    def __str__(self) -> str:
        return f"web {self.web_url}  OTLP/gRPC {self.otlp_grpc}  OTLP/HTTP {self.otlp_http_url}"


class _Server(uvicorn.Server):
    """A server that leaves signals to the Satellite, which has more than one."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def run_satellite(settings: SatelliteSettings, on_ready: Callable[[Listening], None]) -> None:
    """Run until SIGTERM or SIGINT; then finish what was received, and return.

    Raises:
        LevoError: the Satellite cannot start, or one of its servers ended by itself.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    data_dir = settings.data_dir
    with contextlib.ExitStack() as resources:
        resources.enter_context(_only_satellite(data_dir))
        sockets = [
            resources.enter_context(_bind(a, f))
            for a, f in ((settings.listen, "--listen"), (settings.otlp_http, "--otlp-http"))
        ]
        with CatalogWriter(data_dir / DATABASE_NAME) as writer:
            checkpoint = writer.checkpoint()
        reader = CatalogReader(data_dir / DATABASE_NAME)
        resources.callback(reader.close)
        journal = resources.enter_context(
            Journal(data_dir / JOURNAL_NAME, max_bytes=settings.journal_max_bytes)
        )
        journal.skip_past(checkpoint.position)
        live = LiveChannel()

        def on_progress(progress: Progress) -> None:
            journal.release(progress.position)
            live.publish(progress.revision)

        supervisor = LearnerSupervisor(data_dir, on_progress)
        intake = Intake(
            journal,
            max_request_bytes=settings.max_request_bytes,
            max_in_flight_bytes=settings.max_in_flight_bytes,
            on_accepted=supervisor.wake,
        )
        grpc_receiver = GrpcReceiver(intake)
        web_address, http_address = (
            _bound(s, a) for s, a in zip(sockets, (settings.listen, settings.otlp_http), strict=True)
        )
        site = build_site(
            intake=intake,
            reader=reader,
            live=live,
            snapshot=lambda: (intake.statistics(), journal.statistics(), supervisor.statistics()),
            ready=lambda: supervisor.statistics().running and not stop.is_set(),
            satellite_url=f"http://{_reachable(web_address)}",
            loopback_only=settings.listen.is_loopback,
        )
        otlp = build_otlp_app(intake=intake, ready=lambda: not stop.is_set())
        servers = [_server(site), _server(otlp)]
        try:
            await supervisor.start()
            grpc_port = await grpc_receiver.start(settings.otlp_grpc.host, settings.otlp_grpc.port)
            serving = [asyncio.create_task(s.serve([k])) for s, k in zip(servers, sockets, strict=True)]
            while not all(server.started for server in servers):
                await asyncio.sleep(0.01)
            on_ready(
                Listening(
                    f"http://{_reachable(web_address)}/",
                    Address(settings.otlp_grpc.host, grpc_port),
                    f"http://{http_address}",
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
            await asyncio.to_thread(journal.close)
            if not await supervisor.stop(_DRAIN_S):
                _LOG.warning(
                    "not everything received is learned yet; the journal keeps it for the next start"
                )


def _server(app: ASGIApp) -> _Server:
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=int(_GRACE_S),
        limit_concurrency=1000,
        ws="none",
    )
    return _Server(config)


@contextlib.contextmanager
def _only_satellite(data_dir: Path) -> Iterator[None]:
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


def _bind(address: Address, flag: str) -> socket.socket:
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(place)
        except OSError:
            bound.close()
            raise
    except OSError as error:
        raise LevoError(f"{flag} {address}: cannot listen there: {error.strerror}") from None
    return bound


def _bound(listener: socket.socket, asked: Address) -> Address:
    return Address(asked.host, listener.getsockname()[1])


def _reachable(address: Address) -> Address:
    """An address that can be typed into a browser on this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host)
    return Address(host, address.port)
