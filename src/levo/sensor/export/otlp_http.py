"""OTLP/HTTP with protobuf bodies, gzip-compressed (OTLP specification, section OTLP/HTTP)."""

from __future__ import annotations

import time
from collections.abc import Iterator

from levo import __version__
from levo.sensor.export.advice import http_refusal
from levo.sensor.export.batch import EncodedRequest, ExportBatch, RequestLimits, otlp_slices
from levo.sensor.export.compression import compress, compressor
from levo.sensor.export.destination import Receipt
from levo.sensor.export.failure import HandshakeError, PermanentExportError, RetryableExportError
from levo.sensor.export.http_client import (
    Answer,
    HttpClient,
    Limits,
    UnansweredError,
    UnsecuredError,
    open_client,
)
from levo.sensor.export.retry import retry_after_s
from levo.sensor.export.settings import OtlpSettings
from levo.sensor.export.tls import Renewals, client_context
from levo.wire.answers import rejected_items

_ENCODED_TOGETHER = 64
_LIMITS = RequestLimits(8 * 1024 * 1024, 5000)
"""A busy second takes a few requests. Collectors take 20 MiB over HTTP unless told otherwise, 4 over gRPC."""
_RETRYABLE = frozenset({429, 502, 503, 504})


class _Request:
    """A request in the making: encoded messages in a row, compressed as they come."""

    def __init__(self) -> None:
        self.traces = 0
        self.size = 0
        """Octets before compression."""
        self._stream = compressor()
        self._pieces: list[bytes] = []

    def add(self, traces: int, body: bytes | memoryview) -> None:
        self.traces += traces
        self.size += len(body)
        self._pieces.append(self._stream.compress(body))

    def finish(self) -> EncodedRequest:
        return EncodedRequest(self.traces, b"".join([*self._pieces, self._stream.flush()]), gzipped=True)


class OtlpHttp:
    """Sends to ``…/v1/traces`` and ``…/v1/metrics``. Opens no connection before the first send."""

    consumes = True

    def __init__(self, settings: OtlpSettings, limits: RequestLimits | None = None) -> None:
        """Raises ConfigError on unreadable certificates, an unsendable id or token, or a bad proxy."""
        self._settings = settings
        self._limits = limits or _LIMITS
        self._traces_path = settings.address.traces_path
        self._metrics_path = settings.address.metrics_path
        self._headers = {
            "content-type": "application/x-protobuf",
            "content-encoding": "gzip",
            "accept": "application/x-protobuf",
            "user-agent": f"levo-sensor/{__version__}",
            **settings.headers(),
        }
        self._renewals = Renewals(settings)
        self._client = self._open()

    def encode(self, batch: ExportBatch, resource: bytes) -> Iterator[EncodedRequest]:
        """Requests whose body is several messages in a row, which protobuf reads as one.

        Each is encoded and compressed while the processor's cache still holds it.
        """
        limits = self._limits
        request = _Request()
        for traces, body in otlp_slices(batch, resource, limits.sliced(_ENCODED_TOGETHER)):
            over = request.size + len(body) > limits.bytes or request.traces + traces > limits.traces
            if request.traces and over:
                yield request.finish()
                request = _Request()
            request.add(traces, body)
        if request.traces:
            yield request.finish()

    def send(self, request: EncodedRequest, timeout_s: float | None = None) -> Receipt:
        body = request.body if request.gzipped else compress(request.body)
        trouble = self._renewals.take(self._reopen)
        answer = self._post(self._traces_path, body, timeout_s)
        date = "" if request.traces else answer.date or ""
        return Receipt(min(_rejected(answer), request.traces), len(body), trouble, date)

    def send_metrics(self, encoded: bytes, timeout_s: float | None = None) -> Receipt:
        body = compress(encoded)
        trouble = self._renewals.take(self._reopen)
        return Receipt(_rejected(self._post(self._metrics_path, body, timeout_s)), len(body), trouble)

    def _open(self) -> HttpClient:
        settings = self._settings
        context = client_context(settings) if settings.address.tls else None
        return open_client(settings.address, settings.proxy, context)

    def _reopen(self) -> None:
        client, self._client = self._client, self._open()
        client.close()

    def close(self) -> None:
        self._client.close()

    def abandon(self) -> None:
        self._client.close()

    def _post(self, path: str, body: bytes, timeout_s: float | None) -> Answer:
        """Send *body*; the answer of a success, or an exception."""
        settings = self._settings
        limit_s = (
            settings.request_timeout_s if timeout_s is None else min(settings.request_timeout_s, timeout_s)
        )
        limit_s = max(limit_s, 0.001)
        limits = Limits(min(settings.connect_timeout_s, limit_s), limit_s, time.monotonic() + limit_s)
        url = settings.address.origin + path
        try:
            answer = self._client.post(path, body, self._headers, limits)
        except UnsecuredError as exc:
            raise HandshakeError(f"{url}: {exc}") from None
        except UnansweredError as exc:
            # Without the whole answer nobody knows what became of the request: it goes again, same span ids.
            raise RetryableExportError(f"{url}: {exc}") from None
        self._raise_for(url, answer)
        return answer

    def _raise_for(self, url: str, answer: Answer) -> None:
        status = answer.status
        if 200 <= status < 300:
            return
        if status in _RETRYABLE:
            asked = retry_after_s(answer.retry_after, answer.date)
            raise RetryableExportError(f"{url}: HTTP {status}", asked)
        advice = http_refusal(status, self._settings)
        raise PermanentExportError(
            f"{url}: HTTP {status}{f': {advice}' if advice else ''}",
            organization_rejected=status in (401, 403),
        )


def _rejected(answer: Answer) -> int:
    """The number of items that a success says it refused."""
    kind = answer.content_type.partition(";")[0].strip().lower()
    return rejected_items(answer.body) if kind == "application/x-protobuf" else 0
