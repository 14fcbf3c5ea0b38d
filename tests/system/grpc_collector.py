"""A minimal OTLP/gRPC receiver, a real grpcio server, that keeps request bodies as they came, by signal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

import grpc

from tests.sensor.export.receivers import status_with_retry_info

GrpcAnswer = tuple[grpc.StatusCode, float | None]
"""Status, and the seconds of a RetryInfo; None sends none."""

_SIGNALS = {"TraceService": "traces", "MetricsService": "metrics"}


class GrpcCollector:
    """Listens on a port of its own, or on *port*, until closed; *answer* decides about each trace request."""

    def __init__(
        self, answer: Callable[[], GrpcAnswer] | None = None, port: int = 0, host: str = "127.0.0.1"
    ) -> None:
        self.bodies: dict[str, list[bytes]] = defaultdict(list)
        """Bodies that were accepted: ``traces``, ``metrics``."""
        self.refused = 0
        self._answer = answer
        self._lock = Lock()
        # Without SO_REUSEPORT a port that is taken is an error, and not shared with whoever has it.
        self._server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((_Handlers(self._export),))
        self.port = int(self._server.add_insecure_port(f"{host}:{port}"))
        self._server.start()

    @property
    def url(self) -> str:
        return f"grpc://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Stop listening and cut the connections, as a process that ends does. Legal twice."""
        self._server.stop(0).wait()

    def _export(self, signal: str, body: bytes, context: grpc.ServicerContext) -> bytes:
        code, delay_s = self._answer() if self._answer and signal == "traces" else (grpc.StatusCode.OK, None)
        with self._lock:
            if code is grpc.StatusCode.OK:
                self.bodies[signal].append(body)
                return b""
            self.refused += 1
        if delay_s is not None:
            context.set_trailing_metadata((("grpc-status-details-bin", status_with_retry_info(delay_s)),))
        context.abort(code, "refused on command")
        raise AssertionError("abort raises")


class _Handlers(grpc.GenericRpcHandler):
    """``Export`` of both services, on octets: whoever reads the bodies decodes them."""

    def __init__(self, export: Callable[[str, bytes, Any], bytes]) -> None:
        self._export = export

    def service(self, details: Any) -> Any:
        service, _, method = details.method.rpartition("/")
        signal = _SIGNALS.get(service.rpartition(".")[2])
        if signal is None or method != "Export":
            return None
        return grpc.unary_unary_rpc_method_handler(
            lambda body, context: self._export(signal, body, context), _same, _same
        )


def _same(octets: bytes) -> bytes:
    return octets
