"""The certificate that this Satellite shows: what a sensor must trust, and under which names it is valid.

Answered by a handshake in memory between the files of the settings and a client that verifies as the sensor
does, so that what a page says about TLS is what a sensor will meet.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import re
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509

from levo.errors import LevoError

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")
_MOST_KEPT = 64


@dataclass(frozen=True, slots=True)
class PemFiles:
    """Where a certificate is."""

    chain: Path
    key: Path
    authority: Path | None = None
    """Of who signed it; None: what :attr:`chain` itself has of that."""

    def read(self) -> Pem:
        """Return what the files hold now.

        Raises:
            LevoError: one of them cannot be read.
        """
        try:
            return Pem(self.chain.read_bytes(), self.key.read_bytes(), self._read_authority())
        except OSError as error:
            raise LevoError(f"{self}: cannot be read: {error.strerror}") from None

    def _read_authority(self) -> str | None:
        return None if self.authority is None else read_authority(self.authority)

    def __str__(self) -> str:
        return f"tls-certificate {self.chain}, tls-key {self.key}"


@dataclass(frozen=True, slots=True)
class Pem:
    """A certificate with all that belongs to it, as it was read at one moment."""

    chain: bytes
    key: bytes = field(repr=False)
    authority: str | None = None
    """Certificates of who signed it, and nothing else; None: see :attr:`PemFiles.authority`."""


class Certificate:
    """One certificate, which never changes. Usable from any thread."""

    def __init__(self, pem: Pem) -> None:
        """Raises:
        LevoError: the private key is not that of the certificate, or one of them is none.
        """
        self.pem = pem
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        """What shows it."""
        try:
            with _as_file(pem.key + b"\n" + pem.chain) as path:
                self.server.load_cert_chain(
                    path, password=""
                )  # one with a password is refused, not asked for
            self.expiry_ns = _expiry_ns(pem.chain)
            """When it, or one that it depends on, ends to be valid: nanoseconds since the Unix epoch."""
        except (OSError, ValueError):
            raise LevoError("no certificate with its private key") from None
        self._lock = threading.Lock()
        self._known: dict[str, str] = {}
        self.is_public = not self._verdict(ssl.create_default_context(), "")
        """Signed by an authority that this machine's system trusts: sensors elsewhere most likely do too."""
        self.authority = pem.authority if pem.authority is not None else self._own_authority()
        """PEM of what a sensor has to trust; empty when only the operator knows."""

    @property
    def to_hand_over(self) -> str:
        """What a sensor has to be given; empty when its system trusts the certificate already."""
        return self.authority if self.pem.authority is not None or not self.is_public else ""

    def problem_of(self, name: str) -> str:
        """Why a sensor that is given *name* (a host name or IP address) refuses the certificate; or empty."""
        with self._lock:
            if name not in self._known:
                if len(self._known) >= _MOST_KEPT:
                    self._known.clear()
                self._known[name] = self._verdict(self._client(), name)
            return self._known[name]

    def _client(self) -> ssl.SSLContext:
        if not self.authority:
            return ssl.create_default_context()
        return ssl.create_default_context(cadata=self.authority)

    def _own_authority(self) -> str:
        """The last certificate of the chain that suffices to trust the first one."""
        for pem in reversed(_PEM.findall(self.pem.chain.decode("ascii", errors="replace"))):
            try:
                text = ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(pem))
                client = ssl.create_default_context(cadata=text)
            except (ssl.SSLError, ValueError):
                continue
            # Sensors with an older Python accept nothing but a certificate that signed itself.
            client.verify_flags &= ~getattr(ssl, "VERIFY_X509_PARTIAL_CHAIN", 0)
            if not self._verdict(client, ""):
                return text
        return ""

    def _verdict(self, client: ssl.SSLContext, name: str) -> str:
        """Why *client* refuses the certificate, empty if it accepts it. No *name*: under whatever name."""
        client.check_hostname = bool(name)
        inward, outward = ssl.MemoryBIO(), ssl.MemoryBIO()
        asking = client.wrap_bio(inward, outward, server_hostname=name or None)
        answering = self.server.wrap_bio(outward, inward, server_side=True)
        for _ in range(4):
            for side in (asking, answering):
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    continue
                except ssl.SSLCertVerificationError as error:
                    return (error.verify_message or "certificate verify failed").rstrip(".")
                except (ssl.SSLError, ValueError) as error:
                    return getattr(error, "reason", None) or str(error)
                if side is asking:
                    return ""
        return "the handshake does not end"


@contextlib.contextmanager
def _as_file(octets: bytes) -> Iterator[str]:
    """Give *octets*, which never lie on a disk, a name: OpenSSL reads pairs from files only."""
    descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, octets)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _expiry_ns(chain: bytes) -> int:
    """Return when the first of the certificates that are shown expires."""
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    ends = min(each.not_valid_after_utc for each in x509.load_pem_x509_certificates(chain))
    return (ends - epoch) // datetime.timedelta(microseconds=1) * 1000


def read_authority(path: Path) -> str:
    """Return the certificates of a PEM file, and nothing else that is in it.

    Raises:
        LevoError: there is none.
    """
    try:
        text = path.read_text(encoding="ascii", errors="replace")
        found = [ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(pem)) for pem in _PEM.findall(text)]
        ssl.create_default_context(cadata="".join(found) or None)
    except OSError as error:
        raise LevoError(f"tls-ca-certificate {path}: cannot be read: {error.strerror}") from None
    except ValueError:
        found = []
    if not found:
        raise LevoError(f"tls-ca-certificate {path}: holds no PEM certificate")
    return "".join(found)
