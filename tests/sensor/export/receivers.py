"""Real OTLP receivers on loopback that decode with the official library and fail on command."""

from __future__ import annotations

import gzip
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from tests.sensor.export.batches import numbers_in


@dataclass(frozen=True)
class Answer:
    """What the receiver does with one request; the default accepts it."""

    status: int = 200
    """HTTP status."""
    headers: tuple[tuple[str, str], ...] = ()
    rejected: int = 0
    """Spans rejected by a partial success, the last ones of the request."""
    code: grpc.StatusCode | None = None
    """gRPC status of a failure."""
    retry_delay_s: float | None = None
    """RetryInfo of a gRPC failure."""
    reset: str = ""
    """``before``: the connection is reset without an answer; ``inside``: in the middle of one."""
    raw: bytes = b""
    """Sent as it is instead of an HTTP answer, then the connection is closed."""
    stall: bool = False
    """No answer until the receiver is closed; the request counts as not accepted."""


@dataclass
class Received:
    """What a receiver saw, guarded by *lock*."""

    numbers: list[int] = field(default_factory=list)
    """Numbers of accepted spans in order of arrival, repeats kept."""
    requests: int = 0
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    """Decoded (not gzip) trace requests, accepted or not."""
    metrics: list[bytes] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    answers: deque[Answer] = field(default_factory=deque)
    """Consumed one per trace request; then all are accepted."""
    released: threading.Event = field(default_factory=threading.Event)

    def next_answer(self) -> Answer:
        with self.lock:
            self.requests += 1
            return self.answers.popleft() if self.answers else Answer()

    def accept(self, body: bytes, rejected: int) -> None:
        numbers = numbers_in(body)
        with self.lock:
            self.numbers += numbers[: len(numbers) - rejected]


class HttpReceiver:
    """OTLP/HTTP on a port of its own, or on *port*."""

    def __init__(
        self,
        answers: Iterable[Answer] = (),
        tls: ssl.SSLContext | None = None,
        port: int = 0,
        host: str = "127.0.0.1",
    ) -> None:
        self.seen = Received(answers=deque(answers))
        self._connections: set[socket.socket] = set()
        self._server = ThreadingHTTPServer((host, port), _handler(self.seen, self._connections))
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening and cut the connections, as a process that dies would."""
        self.seen.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _handler(seen: Received, connections: set[socket.socket]) -> type[BaseHTTPRequestHandler]:  # noqa: C901 (the sum of a class's short methods)
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            connections.add(self.connection)

        def finish(self) -> None:
            connections.discard(self.connection)
            with suppress(OSError):
                super().finish()

        def handle(self) -> None:
            with suppress(OSError):  # the client left
                super().handle()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            with seen.lock:
                seen.paths.append(self.path)
                seen.headers.append({name.lower(): value for name, value in self.headers.items()})
            if self.path.endswith("/v1/metrics"):
                with seen.lock:
                    seen.metrics.append(body)
                self._respond(
                    Answer(), metrics_service_pb2.ExportMetricsServiceResponse().SerializeToString()
                )
                return
            with seen.lock:
                seen.bodies.append(body)
            answer = seen.next_answer()
            response = trace_service_pb2.ExportTraceServiceResponse()
            if answer.rejected:
                response.partial_success.rejected_spans = answer.rejected
                response.partial_success.error_message = "no room"
            if answer.stall:
                seen.released.wait(90)
                self.close_connection = True
                return
            if answer.raw:
                self.wfile.write(answer.raw)
                self.close_connection = True
                return
            if answer.reset:
                self._reset(inside=answer.reset == "inside")
                return
            if answer.status == 200:
                seen.accept(body, answer.rejected)
            self._respond(answer, response.SerializeToString())

        def _respond(self, answer: Answer, body: bytes) -> None:
            self.send_response(answer.status)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(body)))
            for name, value in answer.headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def _reset(self, inside: bool) -> None:
            if inside:
                self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\nhalf")
                self.wfile.flush()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


class GrpcReceiver:
    """OTLP/gRPC with the generated service classes."""

    def __init__(
        self,
        answers: Iterable[Answer] = (),
        credentials: grpc.ServerCredentials | None = None,
        port: int = 0,
        host: str = "127.0.0.1",
    ) -> None:
        self.seen = Received(answers=deque(answers))
        self._server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(_Traces(self.seen), self._server)
        metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(_Metrics(self.seen), self._server)
        address = f"{host}:{port}"
        if credentials is None:
            self.port = self._server.add_insecure_port(address)
        else:
            self.port = self._server.add_secure_port(address, credentials)
        self._server.start()

    def close(self) -> None:
        self.seen.released.set()
        self._server.stop(0).wait()


class _Traces(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self, seen: Received) -> None:
        self._seen = seen

    def Export(self, request, context):  # type: ignore[no-untyped-def]
        seen = self._seen
        body = request.SerializeToString()
        with seen.lock:
            seen.headers.append(dict(context.invocation_metadata()))
            seen.bodies.append(body)
        answer = seen.next_answer()
        if answer.stall:
            seen.released.wait(90)
            context.abort(grpc.StatusCode.UNAVAILABLE, "stalled")
        if answer.code is not None:
            if answer.retry_delay_s is not None:
                details = status_with_retry_info(answer.retry_delay_s)
                context.set_trailing_metadata((("grpc-status-details-bin", details),))
            context.abort(answer.code, "refused on command")
        seen.accept(body, answer.rejected)
        response = trace_service_pb2.ExportTraceServiceResponse()
        if answer.rejected:
            response.partial_success.rejected_spans = answer.rejected
        return response


class _Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
    def __init__(self, seen: Received) -> None:
        self._seen = seen

    def Export(self, request, context):  # type: ignore[no-untyped-def]
        with self._seen.lock:
            self._seen.metrics.append(request.SerializeToString())
        return metrics_service_pb2.ExportMetricsServiceResponse()


def status_with_retry_info(delay_s: float | None, before: Iterable[tuple[str, bytes]] = ()) -> bytes:
    """An encoded ``google.rpc.Status`` with a ``RetryInfo`` behind the details *before*."""
    status = _STATUS(code=8, message="no room")
    for name, octets in before:
        status.details.add(type_url=f"type.googleapis.com/{name}", value=octets)
    info = _RETRY_INFO()
    if delay_s is not None:
        info.retry_delay.SetInParent()
        info.retry_delay.seconds, info.retry_delay.nanos = int(delay_s), round(delay_s % 1 * 1e9)
    status.details.add(type_url="type.googleapis.com/google.rpc.RetryInfo", value=info.SerializeToString())
    return status.SerializeToString()


def _rpc_messages():  # type: ignore[no-untyped-def]
    """What is needed of google/rpc/status.proto and error_details.proto, for the official library."""
    pool = descriptor_pool.DescriptorPool()
    for message in (Any, Duration):
        described = descriptor_pb2.FileDescriptorProto()
        message.DESCRIPTOR.file.CopyToProto(described)
        pool.Add(described)
    file = descriptor_pb2.FileDescriptorProto(name="rpc.proto", package="google.rpc", syntax="proto3")
    file.dependency.extend(["google/protobuf/any.proto", "google/protobuf/duration.proto"])
    kinds = descriptor_pb2.FieldDescriptorProto
    status = file.message_type.add(name="Status")
    status.field.add(name="code", number=1, type=kinds.TYPE_INT32, label=kinds.LABEL_OPTIONAL)
    status.field.add(name="message", number=2, type=kinds.TYPE_STRING, label=kinds.LABEL_OPTIONAL)
    status.field.add(
        name="details",
        number=3,
        type=kinds.TYPE_MESSAGE,
        label=kinds.LABEL_REPEATED,
        type_name=".google.protobuf.Any",
    )
    info = file.message_type.add(name="RetryInfo")
    info.field.add(
        name="retry_delay",
        number=1,
        type=kinds.TYPE_MESSAGE,
        label=kinds.LABEL_OPTIONAL,
        type_name=".google.protobuf.Duration",
    )
    pool.Add(file)
    return tuple(
        message_factory.GetMessageClass(pool.FindMessageTypeByName(f"google.rpc.{name}"))
        for name in ("Status", "RetryInfo")
    )


_STATUS, _RETRY_INFO = _rpc_messages()
