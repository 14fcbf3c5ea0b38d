"""OTLP/gRPC over raw octets: no generated code, so the sensor needs no protobuf library."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from levo import __version__
from levo.errors import ConfigError, Problem
from levo.sensor.export.advice import forbidden, grpc_handshake_problem, unauthenticated
from levo.sensor.export.batch import EncodedRequest, ExportBatch, RequestLimits, otlp_slices
from levo.sensor.export.compression import compress, decompress
from levo.sensor.export.destination import Receipt
from levo.sensor.export.failure import (
    ExhaustedError,
    HandshakeError,
    PermanentExportError,
    RetryableExportError,
)
from levo.sensor.export.grpc_call import Call, open_call
from levo.sensor.export.peer import fetch_certificate
from levo.sensor.export.settings import OtlpSettings
from levo.sensor.export.tls import Renewals, check_pair, client_context, read_pem
from levo.wire.answers import rejected_items, retry_delay_s

if TYPE_CHECKING:
    import grpc

TRACE_METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
METRICS_METHOD = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
_CAUSES = (
    ("handshake failed", "TLS handshake failed"),
    ("Connection refused", "Connection refused"),
    ("address lookup failed", "host name not found"),
    ("No route to host", "No route to host"),
    ("Network is unreachable", "Network is unreachable"),
    ("Socket closed", "connection lost"),
)
"""Words of the library about a connection that cannot be made, and ours, which are those of OTLP/HTTP."""
_RETRYABLE = frozenset(
    {"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"}
)
_MAX_RESPONSE = 1024 * 1024


class OtlpGrpc:
    """Calls ``TraceService/Export`` and ``MetricsService/Export``. Connects lazily, at the first send."""

    consumes = True

    def __init__(self, settings: OtlpSettings, limits: RequestLimits | None = None) -> None:
        """Raises ConfigError on unreadable certificates, an unsendable id or token."""
        self._settings = settings
        self._limits = limits or RequestLimits()
        self._metadata = tuple(settings.headers().items())
        self._proxy = settings.proxy
        if self._proxy is not None and settings.ignore_ssl_verify and settings.address.tls:
            raise ConfigError(Problem("ignore-ssl-verify", "does not go with OTLP/gRPC through a proxy"))
        self._renewals = Renewals(settings)
        self._roots, self._key, self._chain = _credentials(settings)
        self._channel: grpc.Channel | None = None
        self._calls: dict[str, Call] = {}

    def encode(self, batch: ExportBatch, resource: bytes) -> Iterator[EncodedRequest]:
        for traces, body in otlp_slices(batch, resource, self._limits):
            yield EncodedRequest(traces, compress(body), gzipped=True)

    def send(self, request: EncodedRequest, timeout_s: float | None = None) -> Receipt:
        body = request.body if request.gzipped else compress(request.body)
        receipt, done = self._call(TRACE_METHOD, body, timeout_s)
        date = "" if request.traces else _date(done)
        return replace(receipt, rejected=min(receipt.rejected, request.traces), date=date)

    def send_metrics(self, encoded: bytes, timeout_s: float | None = None) -> Receipt:
        return self._call(METRICS_METHOD, compress(encoded), timeout_s)[0]

    def close(self) -> None:
        self.abandon()

    def abandon(self) -> None:
        channel, self._channel = self._channel, None
        self._calls = {}
        if channel is not None:
            channel.close()

    def _reopen(self) -> None:
        self._roots, self._key, self._chain = _credentials(self._settings)
        self.abandon()

    def _call(self, method: str, body: bytes, timeout_s: float | None) -> tuple[Receipt, grpc.Call]:
        """Send *body*, a gzip stream."""
        # The library's own lines on standard error would stand between our log's. It looks once, at import.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        import grpc

        limit_s = self._settings.request_timeout_s
        if timeout_s is not None:
            limit_s = min(limit_s, max(timeout_s, 0.001))
        where = str(self._settings.address)
        trouble = self._renewals.take(self._reopen)
        try:
            call = self._calls.get(method) or self._open(method)
            answer, done = call(body, limit_s, self._metadata)
        except grpc.RpcError as exc:
            failure = self._failure(where, exc, body)
            if self._settings.ignore_ssl_verify and isinstance(failure, RetryableExportError):
                self.abandon()  # the server may come back with another certificate
            raise failure from None
        except ValueError:
            raise RetryableExportError(f"{where}: the channel was closed") from None
        return Receipt(rejected_items(answer), len(body), trouble), done

    def _open(self, method: str) -> Call:
        import grpc

        if self._channel is None:
            settings = self._settings
            options: list[tuple[str, int | str]] = [
                ("grpc.max_send_message_length", -1),
                ("grpc.max_receive_message_length", _MAX_RESPONSE),
                # Our own backoff decides when to try again: the channel must not sleep through it.
                ("grpc.initial_reconnect_backoff_ms", 100),
                ("grpc.min_reconnect_backoff_ms", 100),
                ("grpc.max_reconnect_backoff_ms", 1000),
                # The receiver may have moved to another address; the library would ask once in 30 seconds.
                ("grpc.dns_min_time_between_resolutions_ms", 1000),
                ("grpc.enable_retries", 0),
                ("grpc.primary_user_agent", f"levo-sensor/{__version__}"),
                ("grpc.enable_http_proxy", 0 if self._proxy is None else 1),
            ]
            if self._proxy is not None:
                options.append(("grpc.http_proxy", self._proxy.written))
            target = f"dns:///{settings.address.authority}"
            if settings.address.tls:
                roots = self._roots
                if settings.ignore_ssl_verify:
                    roots = self._shown_certificate(options)
                credentials = grpc.ssl_channel_credentials(roots, self._key, self._chain)
                self._channel = grpc.secure_channel(target, credentials, options=options)
            else:
                self._channel = grpc.insecure_channel(target, options=options)
        call = self._calls[method] = open_call(self._channel, method)
        return call

    def _shown_certificate(self, options: list[tuple[str, int | str]]) -> bytes:
        """The certificate the server shows now, as the only one to trust; *options* get its name."""
        settings = self._settings
        address = settings.address
        try:
            shown = fetch_certificate(
                address.host, address.port, client_context(settings), settings.connect_timeout_s
            )
        except OSError as exc:
            raise RetryableExportError(f"{address}: {exc.strerror or type(exc).__name__}") from None
        if shown.name is not None:
            options.append(("grpc.ssl_target_name_override", shown.name))
        return shown.pem

    def _failure(
        self, where: str, exc: grpc.RpcError, body: bytes
    ) -> RetryableExportError | PermanentExportError:
        code = exc.code().name
        asked: float | None = None
        trailers: Any = exc.trailing_metadata()
        for key, value in trailers or ():
            if key == "grpc-status-details-bin" and isinstance(value, bytes):
                asked = retry_delay_s(value)
        if code in _RETRYABLE or (code == "RESOURCE_EXHAUSTED" and asked is not None):
            problem = grpc_handshake_problem(exc.details() or "") if code == "UNAVAILABLE" else None
            if problem is not None:
                return HandshakeError(f"{where}: {problem}")
            return RetryableExportError(f"{where}: {_cause(exc.details()) or f'gRPC {code}'}", asked)
        if code == "RESOURCE_EXHAUSTED" and (size := len(decompress(body))) > self._limits.bytes:
            # A single trace above the bound. Receivers refuse it with this code for its size, for good.
            return PermanentExportError(
                f"{where}: gRPC {code}: a trace of {size:,} octets is too large for it"
            )
        if code == "RESOURCE_EXHAUSTED":
            return ExhaustedError(f"{where}: gRPC {code}, without saying when to try again")
        if code in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
            advise = unauthenticated if code == "UNAUTHENTICATED" else forbidden
            return PermanentExportError(
                f"{where}: gRPC {code}: {advise(self._settings)}", organization_rejected=True
            )
        if code == "UNIMPLEMENTED":
            return PermanentExportError(
                f"{where}: gRPC UNIMPLEMENTED: no OTLP receiver at this address: check host and port "
                "(4317 for gRPC; http:// for OTLP/HTTP)"
            )
        return PermanentExportError(f"{where}: gRPC {code}")


def _date(done: grpc.Call) -> str:
    trailers: Any = done.trailing_metadata()
    return next((str(value) for key, value in trailers or () if key == "date"), "")


def _cause(details: str | None) -> str | None:
    """What the library says of a failed connection, in our words; None for other text: it is not repeated."""
    return next((cause for sign, cause in _CAUSES if sign in (details or "")), None)


def _credentials(settings: OtlpSettings) -> tuple[bytes | None, bytes | None, bytes | None]:
    """(roots, key, chain) in PEM form, None where not configured."""
    check_pair(settings)
    if not settings.address.tls:
        return None, None, None
    client_context(settings)  # the same checks, and the same messages, as over HTTP
    roots = key = chain = None
    if settings.ca_cert_path is not None:
        roots = read_pem(settings.ca_cert_path, "tls-ca-cert-path")
    if settings.client_cert_path is not None:
        chain = read_pem(settings.client_cert_path, "tls-client-cert-path")
        key = read_pem(settings.client_key_path or settings.client_cert_path, "tls-client-key-path")
    return roots, key, chain
