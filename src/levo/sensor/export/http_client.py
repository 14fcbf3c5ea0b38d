"""One POST at a time over connections that are kept open.

A direct connection is the standard library's, which takes half of urllib3's processor time for each request.
urllib3 is loaded for proxies, with which it can do more (TLS to the proxy and through it).
"""

from __future__ import annotations

import http.client
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import NamedTuple, Protocol

from levo.config import ProxyUrl, SatelliteUrl
from levo.sensor.export.advice import handshake_problem

MOST_OCTETS = 64 * 1024
"""Read of an answer; a longer one is cut off with its connection."""
_READ_AT_ONCE = 8192


class Answer(NamedTuple):
    """What the server said."""

    status: int
    content_type: str
    """Empty when there is none."""
    retry_after: str | None
    date: str | None
    body: bytes


class Limits(NamedTuple):
    """Seconds for the connection, for each read, and, as a time of the monotonic clock, for all of it."""

    connect_s: float
    read_s: float
    deadline_s: float


class UnansweredError(Exception):
    """No whole answer came; the text is a short cause. Nobody knows whether the request arrived."""


class UnsecuredError(UnansweredError):
    """TLS could not be agreed; the text says why and what to change. Nothing was sent."""


class HttpClient(Protocol):
    """Used by one thread at a time; ``close`` by any."""

    def post(self, path: str, body: bytes, fields: Mapping[str, str], limits: Limits) -> Answer:
        """Send *body* to *path* and read the answer. Raises UnansweredError."""

    def close(self) -> None:
        """Close the connections; one in use breaks off, as far as that can be done."""


def open_client(address: SatelliteUrl, proxy: ProxyUrl | None, context: ssl.SSLContext | None) -> HttpClient:
    """Return a client of *address*; *context* is for TLS to it. No connection is opened yet."""
    if proxy is None:
        return Direct(address.host, address.port, context)
    return Proxied(address, proxy, context)


class Direct:
    """Without a proxy."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext | None) -> None:
        self._host, self._port, self._context = host, port, context
        self._connection: http.client.HTTPConnection | None = None

    def post(self, path: str, body: bytes, fields: Mapping[str, str], limits: Limits) -> Answer:
        connection, self._connection = self._connection, None
        if connection is not None and _is_dropped(connection):
            connection.close()
            connection = None
        try:
            if connection is None:
                connection = self._connect(limits)
            self._connection = connection
            return self._exchange(connection, path, body, fields, limits)
        except BaseException as exc:
            self.close()
            if isinstance(exc, (http.client.HTTPException, OSError)):
                raise _unanswered(exc) from None
            raise

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if connection.sock is not None:
            with suppress(OSError):  # whoever waits for it in another thread wakes up
                connection.sock.shutdown(socket.SHUT_RDWR)
        connection.close()

    def _connect(self, limits: Limits) -> http.client.HTTPConnection:
        if self._context is None:
            made = http.client.HTTPConnection(self._host, self._port, timeout=limits.connect_s)
        else:
            made = http.client.HTTPSConnection(
                self._host, self._port, timeout=limits.connect_s, context=self._context
            )
        try:
            made.connect()
        except TimeoutError:
            made.close()
            raise OSError(0, "cannot connect in time") from None
        except BaseException:
            made.close()
            raise
        return made

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        path: str,
        body: bytes,
        fields: Mapping[str, str],
        limits: Limits,
    ) -> Answer:
        connection.sock.settimeout(limits.read_s)
        connection.request("POST", path, body, dict(fields))
        response = connection.getresponse()
        with _naming_the_break():
            read, whole = _read(response, limits.deadline_s)
            if whole and response.length:  # the library takes an early end for the end
                raise http.client.IncompleteRead(read, response.length)
        if not whole:
            self.close()
        return _answer(response.status, response.headers.get, read)


class Proxied:
    """Through an HTTP proxy: as it is for ``http``, through a tunnel for ``https``."""

    def __init__(self, address: SatelliteUrl, proxy: ProxyUrl, context: ssl.SSLContext | None) -> None:
        import urllib3
        from urllib3.util import make_headers

        if context is not None and context.verify_mode == ssl.CERT_NONE:
            # The library would warn on standard error at every request of what the operator asked for.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        credentials = make_headers(proxy_basic_auth=proxy.credentials) if proxy.credentials else None
        self._origin = f"{'https' if address.tls else 'http'}://{address.authority}"
        self._pool = urllib3.ProxyManager(
            proxy.url, num_pools=2, maxsize=2, ssl_context=context, proxy_headers=credentials
        )

    def post(self, path: str, body: bytes, fields: Mapping[str, str], limits: Limits) -> Answer:
        from urllib3.exceptions import HTTPError
        from urllib3.util import Timeout

        try:
            response = self._pool.request(
                "POST",
                self._origin + path,
                body=body,
                headers=fields,
                timeout=Timeout(connect=limits.connect_s, read=limits.read_s),
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except (HTTPError, OSError) as exc:
            raise _unanswered(exc) from None
        whole = False
        try:
            with _naming_the_break():
                read, whole = _read(response, limits.deadline_s)
        except (HTTPError, OSError) as exc:
            raise UnansweredError(short_cause(exc)) from None
        finally:
            if whole:
                response.release_conn()
            else:
                response.close()
        return _answer(response.status, response.headers.get, read)

    def close(self) -> None:
        self._pool.clear()


def _answer(status: int, field: Callable[[str], str | None], body: bytes) -> Answer:
    return Answer(status, field("content-type") or "", field("retry-after"), field("date"), body)


class _Readable(Protocol):
    def read(self, amt: int, /) -> bytes: ...


def _read(response: _Readable, deadline_s: float) -> tuple[bytes, bool]:
    """(the answer, or as much of it as we take; whether that was all of it)."""
    parts: list[bytes] = []
    size = 0
    while size < MOST_OCTETS:
        part = response.read(_READ_AT_ONCE)
        if not part:
            return b"".join(parts), True
        parts.append(part)
        size += len(part)
        if time.monotonic() > deadline_s:
            raise TimeoutError
    return b"".join(parts), False


@contextmanager
def _naming_the_break() -> Iterator[None]:
    """What goes wrong inside is the answer's breaking off."""
    try:
        yield
    except Exception as exc:
        raise UnansweredError(f"the answer broke off: {short_cause(exc)}") from None


def _is_dropped(connection: http.client.HTTPConnection) -> bool:
    """Whether the server has closed an idle connection, or said something nobody asked for."""
    if connection.sock is None:  # it closed behind its last answer
        return True
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return bool(poll.poll(0))


def _unanswered(exc: Exception) -> UnansweredError:
    problem = handshake_problem(exc)
    return UnansweredError(short_cause(exc)) if problem is None else UnsecuredError(problem)


def short_cause(exc: Exception) -> str:
    """The system's own words where there are some, else the kind of error."""
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
        "RemoteDisconnected": "connection lost",
        "BadStatusLine": "no HTTP answer",
    }.get(name, name)
