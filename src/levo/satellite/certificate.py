"""The certificate that this Satellite shows: what a sensor must trust, and under which names it is valid.

Answered by a handshake in memory between the files of the settings and a client that verifies as the sensor
does, so that what a page says about TLS is what a sensor will meet.
"""

from __future__ import annotations

import re
import ssl
import threading
from pathlib import Path

from levo.errors import LevoError

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")
_MOST_KEPT = 64


class Certificate:
    """Usable from any thread."""

    def __init__(self, chain: Path, key: Path, authority: Path | None = None) -> None:
        """*authority*: PEM file of who signed it; without one, what *chain* itself has of that.

        Raises:
            LevoError: a file cannot be used.
        """
        self._server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            self._server.load_cert_chain(chain, key)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "no certificate with its private key"
            raise LevoError(f"tls-certificate {chain}, tls-key {key}: cannot be used: {reason}") from None
        self._lock = threading.Lock()
        self._known: dict[str, str] = {}
        self.is_public = not self._verdict(ssl.create_default_context(), "")
        """Signed by an authority that this machine's system trusts: sensors elsewhere most likely do too."""
        self._given = authority is not None
        self.authority = read_authority(authority) if authority is not None else self._own_authority(chain)
        """PEM of what a sensor has to trust; empty when only the operator knows."""

    @property
    def to_hand_over(self) -> str:
        """What a sensor has to be given; empty when its system trusts the certificate already."""
        return self.authority if self._given or not self.is_public else ""

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

    def _own_authority(self, chain: Path) -> str:
        """The last certificate of the chain that suffices to trust the first one."""
        for pem in reversed(_PEM.findall(chain.read_text(encoding="ascii", errors="replace"))):
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
        answering = self._server.wrap_bio(outward, inward, server_side=True)
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
