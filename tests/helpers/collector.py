"""A minimal OTLP/HTTP receiver that keeps request bodies as they came, gzip undone, by path."""

from __future__ import annotations

import gzip
import socket
import threading
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[int, dict[str, str]]
"""Status and header fields."""


class Collector:
    """Listens on a port of its own until closed; *answer* decides about each trace request."""

    def __init__(
        self, answer: Callable[[], Answer] | None = None, port: int = 0, host: str = "127.0.0.1"
    ) -> None:
        self.bodies: dict[str, list[bytes]] = defaultdict(list)
        """Bodies that were accepted, by the last part of the path: ``traces``, ``metrics``."""
        self.refused = 0
        lock = threading.Lock()
        connections: set[socket.socket] = set()
        self._connections = connections
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                connections.add(self.connection)

            def handle(self) -> None:
                with suppress(OSError):  # the client has left, or we have
                    super().handle()

            def finish(self) -> None:
                connections.discard(self.connection)
                with suppress(OSError):
                    super().finish()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                kind = self.path.rpartition("/")[2]
                status, fields = answer() if answer and kind == "traces" else (200, {})
                with lock:
                    if status == 200:
                        outer.bodies[kind].append(body)
                    else:
                        outer.refused += 1
                self.send_response(status)
                for name, value in {"content-length": "0", **fields}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                return

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Stop listening and cut the connections, as a process that ends does. Legal twice."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Collector:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
