"""OTLP/gRPC: the trace and metrics services, on raw octets (no message object is built to be thrown away)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from email.utils import formatdate

import grpc
import grpc.aio

from levo.errors import LevoError
from levo.satellite.connections import MAX_CONNECTIONS, ConnectionStatistics
from levo.satellite.header_timeout import HEAD_S
from levo.satellite.queue import RecordKind
from levo.satellite.receive.grpc_connections import GrpcConnections
from levo.satellite.receive.ingest import Ingester, Refusal, RefusalReason
from levo.satellite.receive.status import export_response
from levo.wire.answers import status_message

MAX_METADATA_BYTES = 16 << 10
"""Header fields of a call, each counted with 32 octets more (RFC 9113 section 6.5.2), which bounds their
number as well."""
_IDLE_MS = 60_000
"""A connection without calls ends after this; a client opens another one when it needs it."""
ORGANIZATION_METADATA = "x-levo-organization-id"
_SERVICES = {
    "opentelemetry.proto.collector.trace.v1.TraceService": RecordKind.TRACES,
    "opentelemetry.proto.collector.metrics.v1.MetricsService": RecordKind.METRICS,
}
_CODES = {
    RefusalReason.BAD_REQUEST: grpc.StatusCode.INVALID_ARGUMENT,
    RefusalReason.BAD_ENCODING: grpc.StatusCode.INVALID_ARGUMENT,
    RefusalReason.TOO_LARGE: grpc.StatusCode.INVALID_ARGUMENT,
    RefusalReason.BUSY: grpc.StatusCode.RESOURCE_EXHAUSTED,
    RefusalReason.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    RefusalReason.TOO_SLOW: grpc.StatusCode.DEADLINE_EXCEEDED,
    RefusalReason.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    RefusalReason.FORBIDDEN: grpc.StatusCode.PERMISSION_DENIED,
}
_Context = grpc.aio.ServicerContext[bytes, bytes]


class GrpcReceiver:
    """The OTLP/gRPC server. Lives on one event loop."""

    def __init__(self, ingester: Ingester) -> None:
        self._ingester = ingester
        self._server: grpc.aio.Server | None = None
        self._connections: GrpcConnections | None = None
        self._watching: asyncio.Task[None] | None = None

    async def start(
        self,
        host: str,
        port: int,
        tls: grpc.ServerCredentials | None = None,
        *,
        max_connections: int = MAX_CONNECTIONS,
    ) -> int:
        """Listen; return the port, which differs from *port* when that is 0.

        Without *tls* it speaks plain text. Connections past *max_connections*, and what is too much of one
        address (:class:`GrpcConnections`), are closed.

        Raises:
            LevoError: the address cannot be listened on.
        """
        self._server = grpc.aio.server(
            options=[
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", self._ingester.max_request_bytes),
                ("grpc.max_metadata_size", MAX_METADATA_BYTES),
                ("grpc.absolute_max_metadata_size", MAX_METADATA_BYTES),
                ("grpc.max_allowed_incoming_connections", max_connections),
                ("grpc.server_handshake_timeout_ms", int(HEAD_S * 1000)),
                ("grpc.max_connection_idle_ms", _IDLE_MS),
                ("grpc.keepalive_time_ms", _IDLE_MS),
                ("grpc.keepalive_timeout_ms", 20_000),
                ("grpc.max_concurrent_streams", 256),
                ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            ]
        )
        for service, kind in _SERVICES.items():
            handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(
                self._export(kind)
            )
            self._server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(service, {"Export": handler}),)
            )
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            if tls is None:
                bound = self._server.add_insecure_port(address)
            else:
                bound = self._server.add_secure_port(address, tls)
        except RuntimeError:
            bound = 0
        if not bound:
            raise LevoError(
                f"--otlp-grpc {address}: cannot listen there (in use, or not an address of this machine)"
            )
        await self._server.start()
        self._connections = GrpcConnections(bound, max_connections)
        self._watching = asyncio.create_task(self._connections.watch(), name="gRPC connections")
        return bound

    def connections(self) -> dict[str, ConnectionStatistics]:
        """Return what is known of the connections, by the name of the port; nothing before the start."""
        return {} if self._connections is None else {"otlp_grpc": self._connections.statistics()}

    async def stop(self, grace_s: float) -> None:
        """Take no new calls, and let those in progress end."""
        if self._watching is not None:
            self._watching.cancel()
        if self._server is not None:
            await self._server.stop(grace_s)

    def _export(self, kind: RecordKind) -> Callable[[bytes, _Context], Awaitable[bytes]]:
        ingester = self._ingester

        async def export(octets: bytes, context: _Context) -> bytes:
            try:
                with ingester.request() as room:
                    room.take(len(octets))
                    organization = ingester.admit(
                        _metadata(context, "authorization"), _metadata(context, ORGANIZATION_METADATA)
                    )
                    checked = await ingester.accept(kind, octets, organization)
            except Refusal as refusal:
                await _abort(context, refusal)
                raise  # unreachable: abort raises
            if not octets:  # who sends nothing asks how we are: `levo doctor`
                context.set_trailing_metadata((("date", formatdate(usegmt=True)),))
            return export_response(kind, checked).SerializeToString()

        return export


def _metadata(context: _Context, name: str) -> str:
    for key, value in context.invocation_metadata() or ():
        if key == name:
            return value if isinstance(value, str) else value.decode(errors="replace")
    return ""


async def _abort(context: _Context, refusal: Refusal) -> None:
    code = _CODES[refusal.reason]
    number: int = code.value[0]
    details = status_message(number, str(refusal), refusal.retry_after_s)
    await context.abort(code, str(refusal), (("grpc-status-details-bin", details),))
