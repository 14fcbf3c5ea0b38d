"""``--listen``: /healthz (the process), /readyz (it does its work), /metrics (Prometheus). Bounded."""

from __future__ import annotations

import threading
from collections.abc import Callable
from socket import AF_INET, AF_INET6, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET, socket

from levo.config import HostPort
from levo.errors import ConfigError, Problem
from levo.sensor.pipeline import Snapshot
from levo.wire.prometheus import MEDIA_TYPE

_MOST_CLIENTS = 8
_CLIENT_TIMEOUT_S = 5.0
EXPORT_PATIENCE_NS = 60_000_000_000
"""How long traces may wait without a successful delivery before the sensor counts as not ready."""


def not_ready(seen: Snapshot, now_ns: int, interfaces: int | None) -> list[str]:
    """Why the sensor does not do its work now; empty when it does.

    *now_ns* is by the clock of ``OutputStatistics``. *interfaces* is the number that is open (their filter is
    then in place), None when a file is read.
    """
    reasons = []
    if not seen.capturing:
        reasons.append("capture has ended")
    if interfaces == 0:
        reasons.append("no interface is open")
    for output in seen.outputs:
        if output.organization_rejected:
            reasons.append(f"{output.name}: the Satellite rejects the organization or its token")
        elif (
            output.last_error_ns is not None
            and (output.held or output.spooled or output.failed)
            and output.last_error_ns > (output.last_success_ns or 0)
            and now_ns - (output.last_success_ns or 0) > EXPORT_PATIENCE_NS
        ):
            reasons.append(f"{output.name}: no delivery for a minute: {output.last_error}")
    return reasons


def bind(address: HostPort) -> socket:
    """A socket for :class:`HealthServer`. Apart from it: low ports take privileges.

    Raises:
        ConfigError: the address cannot be listened on.
    """
    found = socket(AF_INET6 if ":" in address.host else AF_INET, SOCK_STREAM)
    try:
        found.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        found.bind((address.host, address.port))
        found.listen()
    except OSError as error:
        found.close()
        reason = (error.strerror or "cannot listen").lower()
        raise ConfigError(Problem("--listen", f"'{address}' cannot be listened on: {reason}")) from None
    return found


class HealthServer:
    """Answers on its own threads, at most a few at a time; a slow client is cut off."""

    def __init__(self, bound: socket, reasons: Callable[[], list[str]], metrics: Callable[[], str]) -> None:
        """Answer on *bound*, a socket of :func:`bind`, from now on."""
        # Here, so that a sensor that is not asked for it does without.
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

        slots = threading.BoundedSemaphore(_MOST_CLIENTS)

        class Handler(BaseHTTPRequestHandler):
            timeout = _CLIENT_TIMEOUT_S
            server_version = "levo-sensor"
            sys_version = ""

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if path == "/healthz":
                    self._answer(200, "ok\n")
                elif path == "/readyz":
                    found = reasons()
                    self._answer(503 if found else 200, "\n".join(found or ["ready"]) + "\n")
                elif path == "/metrics":
                    self._answer(200, metrics(), MEDIA_TYPE)
                else:
                    self._answer(404, "there are /healthz, /readyz and /metrics\n")

            do_HEAD = do_GET

            def _answer(self, status: int, text: str, kind: str = "text/plain; charset=utf-8") -> None:
                octets = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(octets)))
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(octets)

            def log_message(self, format: str, *args: object) -> None:
                return

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def process_request(self, request: socket | tuple[bytes, socket], client_address: object) -> None:
                if not slots.acquire(blocking=False):
                    self.shutdown_request(request)
                    return
                try:
                    super().process_request(request, client_address)
                except BaseException:
                    slots.release()
                    raise

            def process_request_thread(
                self, request: socket | tuple[bytes, socket], client_address: object
            ) -> None:
                try:
                    super().process_request_thread(request, client_address)
                finally:
                    slots.release()

            def handle_error(self, request: object, client_address: object) -> None:
                return

        self._server = Server(bound.getsockname()[:2], Handler, bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = bound
        self._server.server_address = bound.getsockname()
        self._server.server_activate()
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, name="levo-health", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop listening. Legal twice."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(1.0)
