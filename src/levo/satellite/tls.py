"""TLS of the three ports: one certificate that all show, and its successor once the files hold one.

Programs that renew certificates replace two files one after the other, so what is found may belong together
only a moment later. A pair is taken as a whole or not at all; connections that are open keep theirs.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import grpc

from levo.errors import LevoError
from levo.satellite.certificate import Certificate, Pem, PemFiles

_LOG = logging.getLogger(__name__)
LOOK_EVERY_S = 2.0
"""How often the files are read."""
WARN_NS = 14 * 86_400 * 10**9
"""So long before its end a certificate is warned of …"""
_WARN_EVERY_S = 86_400.0
"""… in the log once a day."""


@dataclass(frozen=True, slots=True)
class TlsStatistics:
    """Snapshot."""

    expiry_ns: int
    """When the certificate in use, or one that it depends on, expires: nanoseconds since the Unix epoch."""
    loads_total: int
    """Pairs taken, the first one included."""
    refusals_total: int
    """Pairs found in the files that cannot be used."""
    refusal: str
    """Why the files are not what is in use; empty if they are."""


class Tls:
    """The certificate in use. Usable from any thread, but for :meth:`watch`."""

    def __init__(self, files: PemFiles, clock_ns: Callable[[], int] = time.time_ns) -> None:
        """Raises:
        LevoError: the files cannot be used.
        """
        self._files = files
        self._clock_ns = clock_ns
        self._looking = threading.Lock()
        pem = files.read()
        self._seen: Pem | str = pem
        """What the last look found, or why it found nothing …"""
        self._is_settled = True
        """… and whether that is taken or refused for good."""
        self._refusal = ""
        self._loads, self._refusals = 1, 0
        try:
            self._certificate = Certificate(pem)
        except LevoError as error:
            raise LevoError(f"{files}: cannot be used: {error}") from None
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        """For servers that take one context for their whole life: a connection gets that of the certificate
        in use when its handshake begins."""
        self.context.sni_callback = self._choose

    @property
    def certificate(self) -> Certificate:
        """The one in use."""
        return self._certificate

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """Return credentials for one gRPC server, which follow the certificate in use."""
        given = self._certificate

        def fetch() -> grpc.ServerCertificateConfiguration | None:
            nonlocal given
            if self._certificate is given:
                return None
            given = self._certificate
            return _grpc_configuration(given)

        # What is not new is None to grpc, which its types leave out.
        return grpc.dynamic_ssl_server_credentials(_grpc_configuration(given), fetch)  # type: ignore[arg-type]

    def look(self, *, files: PemFiles | None = None, settled: bool = False) -> bool:
        """Take what the files hold now, if that is another pair than the one in use and a good one.

        Args:
            files: other files to look at from now on.
            settled: whether a bad pair is one for sure; else it is when the next look finds the same.

        Returns:
            Whether another pair was taken.
        """
        with self._looking:
            self._files = files or self._files
            found: Pem | str
            try:
                found = self._files.read()
            except LevoError as error:
                found = str(error)
            is_new = found != self._seen
            if not is_new and self._is_settled:
                return False
            self._seen = found
            before = self._certificate
            try:
                self._take(found)
            except LevoError as error:
                # Perhaps one file is renewed already, and the other not yet.
                self._is_settled = settled or not is_new
                if self._is_settled:
                    self._refusal = str(error)
                    self._refusals += 1
                    _LOG.warning("tls: keeps the certificate in use: %s", error)
            else:
                self._is_settled, self._refusal = True, ""
            return self._certificate is not before

    def _take(self, found: Pem | str) -> None:
        if isinstance(found, str):
            raise LevoError(found)
        if found == self._certificate.pem:
            return
        try:
            certificate = Certificate(found)
        except LevoError as error:
            raise LevoError(f"{self._files}: {error}") from None
        if certificate.expiry_ns <= self._clock_ns() < self._certificate.expiry_ns:
            raise LevoError(f"{self._files}: has expired on {_day(certificate.expiry_ns)}")
        self._certificate = certificate
        self._loads += 1
        _LOG.warning("tls: took a renewed certificate, valid until %s", _day(certificate.expiry_ns))

    def statistics(self) -> TlsStatistics:
        """Return a snapshot."""
        return TlsStatistics(self._certificate.expiry_ns, self._loads, self._refusals, self._refusal)

    def notes(self) -> list[str]:
        """Return what an operator should know of the certificate, each in one line."""
        found = [f"the certificate files are not in use: {self._refusal}"] if self._refusal else []
        expiry_ns = self._certificate.expiry_ns
        left_ns = expiry_ns - self._clock_ns()
        if left_ns <= 0:
            found.append(f"the TLS certificate has expired on {_day(expiry_ns)}")
        elif left_ns < WARN_NS:
            days = left_ns // (86_400 * 10**9)
            found.append(f"the TLS certificate expires in {days} days, on {_day(expiry_ns)}")
        return found

    async def watch(self) -> None:
        """Look at the files again and again, and warn of the end, until cancelled."""
        warned_s = float("-inf")
        while True:
            expiring = [line for line in self.notes() if "expire" in line]
            if expiring and time.monotonic() - warned_s >= _WARN_EVERY_S:
                warned_s = time.monotonic()
                _LOG.warning("tls: %s", expiring[-1])
            await asyncio.sleep(LOOK_EVERY_S)
            await asyncio.to_thread(self.look)

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._certificate.server


def _grpc_configuration(certificate: Certificate) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(certificate.pem.key, certificate.pem.chain)])


def _day(moment_ns: int) -> str:
    with contextlib.suppress(OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(moment_ns / 1e9, UTC).strftime("%Y-%m-%d")
    return "a day past the calendar"
