"""OTLP/HTTP with protobuf bodies, gzip-compressed (OTLP specification, section OTLP/HTTP)."""

from __future__ import annotations

import time
from collections.abc import Iterator

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.util import Timeout, make_headers

from levo.sensor.export.batch import EncodedRequest, ExportBatch, RequestLimits, otlp_slices
from levo.sensor.export.compression import compress, compressor
from levo.sensor.export.destination import Receipt
from levo.sensor.export.failure import PermanentExportError, RetryableExportError
from levo.sensor.export.retry import retry_after_s
from levo.sensor.export.settings import OtlpSettings
from levo.sensor.export.tls import client_context
from levo.sensor.export.wire import rejected_items

_ENCODED_TOGETHER = 128
_RETRYABLE = frozenset({429, 502, 503, 504})
_MAX_RESPONSE = 64 * 1024
"""Octets read of an answer; a longer one is cut off with its connection."""


class _Request:
    """A request in the making: encoded messages in a row, compressed as they come."""

    def __init__(self) -> None:
        self.traces = 0
        self.size = 0
        """Octets before compression."""
        self._stream = compressor()
        self._pieces: list[bytes] = []

    def add(self, traces: int, body: bytes) -> None:
        self.traces += traces
        self.size += len(body)
        self._pieces.append(self._stream.compress(body))

    def finish(self) -> EncodedRequest:
        return EncodedRequest(self.traces, b"".join([*self._pieces, self._stream.flush()]), gzipped=True)


class OtlpHttp:
    """Sends to ``…/v1/traces`` and ``…/v1/metrics``. Opens no connection before the first send."""

    def __init__(self, settings: OtlpSettings, limits: RequestLimits | None = None) -> None:
        """Raises ConfigError on unreadable certificates, an unsendable id or token, or a bad proxy."""
        self._settings = settings
        self._limits = limits or RequestLimits()
        self._traces_url = settings.address.traces_url
        self._metrics_url = settings.address.metrics_url
        self._headers = {
            "content-type": "application/x-protobuf",
            "content-encoding": "gzip",
            "accept": "application/x-protobuf",
            "user-agent": "levo-sensor",
            **settings.headers(),
        }
        self._pool = _pool(settings)

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
        rejected = self._post(self._traces_url, body, timeout_s)
        return Receipt(min(rejected, request.traces), len(body))

    def send_metrics(self, encoded: bytes, timeout_s: float | None = None) -> Receipt:
        body = compress(encoded)
        return Receipt(self._post(self._metrics_url, body, timeout_s), len(body))

    def close(self) -> None:
        self._pool.clear()

    def abandon(self) -> None:
        self._pool.clear()

    def _post(self, url: str, body: bytes, timeout_s: float | None) -> int:
        """Send *body*; the number of rejected items of a success, or an exception."""
        settings = self._settings
        limit_s = (
            settings.request_timeout_s if timeout_s is None else min(settings.request_timeout_s, timeout_s)
        )
        limit_s = max(limit_s, 0.001)
        deadline = time.monotonic() + limit_s
        try:
            response = self._pool.request(
                "POST",
                url,
                body=body,
                headers=self._headers,
                timeout=Timeout(connect=min(settings.connect_timeout_s, limit_s), read=limit_s),
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except (HTTPError, OSError) as exc:
            raise RetryableExportError(f"{url}: {_reason(exc)}") from None
        whole = False
        try:
            answer, whole = _read(response, deadline)
        except (HTTPError, OSError) as exc:
            # Without the whole answer nobody knows what became of the request: it goes again, same span ids.
            raise RetryableExportError(f"{url}: the answer broke off: {_reason(exc)}") from None
        finally:
            if whole:
                response.release_conn()
            else:
                response.close()
        self._raise_for(url, response)
        if (
            response.headers.get("content-type", "").partition(";")[0].strip().lower()
            != "application/x-protobuf"
        ):
            return 0
        return rejected_items(answer)

    def _raise_for(self, url: str, response: urllib3.BaseHTTPResponse) -> None:
        status = response.status
        if 200 <= status < 300:
            return
        if status in _RETRYABLE:
            asked = retry_after_s(response.headers.get("retry-after"), time.time())
            raise RetryableExportError(f"{url}: HTTP {status}", asked)
        if status in (401, 403):
            who = self._settings.organization_id
            organization = "without an organisation id" if not who else f"organisation {who!r}"
            raise PermanentExportError(
                f"{url}: HTTP {status}: the receiver rejects {organization} or its token",
                organization_rejected=True,
            )
        if 300 <= status < 400:
            raise PermanentExportError(
                f"{url}: HTTP {status}: redirected; set --satellite-url to the new address"
            )
        if status == 404:
            raise PermanentExportError(f"{url}: HTTP 404: no OTLP receiver at this path")
        raise PermanentExportError(f"{url}: HTTP {status}")


def _read(response: urllib3.BaseHTTPResponse, deadline: float) -> tuple[bytes, bool]:
    """(the answer, or as much of it as we take; whether that was all of it)."""
    parts: list[bytes] = []
    size = 0
    while size < _MAX_RESPONSE:
        part = response.read(8192)
        if not part:
            return b"".join(parts), True
        parts.append(part)
        size += len(part)
        if time.monotonic() > deadline:
            raise TimeoutError
    return b"".join(parts), False


def _pool(settings: OtlpSettings) -> urllib3.PoolManager:
    context = client_context(settings) if settings.address.tls else None
    if settings.ignore_ssl_verify:
        # The library would warn on standard error at every request of what the operator asked for.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    proxy = settings.proxy
    if proxy is None:
        return urllib3.PoolManager(num_pools=2, maxsize=2, ssl_context=context)
    credentials = make_headers(proxy_basic_auth=proxy.credentials) if proxy.credentials else None
    return urllib3.ProxyManager(
        proxy.url, num_pools=2, maxsize=2, ssl_context=context, proxy_headers=credentials
    )


def _reason(exc: Exception) -> str:
    """A short cause: the system's own words where there are some, else the kind of error."""
    seen: BaseException | None = exc
    for _ in range(5):
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror
        following = getattr(seen, "reason", None)
        if not isinstance(following, BaseException):
            following = seen.__cause__ or seen.__context__ if seen is not None else None
        if following is None:
            break
        seen = following
    name = type(exc).__name__
    return {
        "ReadTimeoutError": "no answer in time",
        "ConnectTimeoutError": "cannot connect in time",
        "TimeoutError": "no answer in time",
        "NameResolutionError": "host name not found",
        "NewConnectionError": "cannot connect",
        "ProtocolError": "connection lost",
        "IncompleteRead": "connection lost",
    }.get(name, name)
