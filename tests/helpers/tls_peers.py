"""Two TLS peers of Python's ssl module that talk through memory, with every octet and secret written down."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Talk = list[tuple[bool, bytes]]
"""(from the client, octets on the wire)."""


def certificate(folder: Path, names: Sequence[str], common_name: str = "cn.example") -> Path:
    """A PEM file with a self-signed certificate for *names* and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    start = datetime(2024, 1, 1, tzinfo=UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=36500))
    )
    if names:
        alternatives = x509.SubjectAlternativeName([x509.DNSName(each) for each in names])
        built = built.add_extension(alternatives, critical=False)
    pem = built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "server.pem"
    path.write_bytes(pem + secret)
    return path


class TlsPeers:
    """A client and a server; ``talk`` holds what they sent, in order."""

    def __init__(
        self,
        folder: Path,
        *,
        version: ssl.TLSVersion,
        names: Sequence[str] = ("api.example", "*.api.example"),
        server_name: str | None = "api.example",
        offers: Sequence[str] = (),
        accepts: Sequence[str] = (),
        ciphers: str | None = None,
    ) -> None:
        self.talk: Talk = []
        self.key_log = folder / "keys.log"
        server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server_context.load_cert_chain(certificate(folder, names))
        client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client_context.check_hostname = False
        client_context.verify_mode = ssl.CERT_NONE
        client_context.keylog_filename = str(self.key_log)
        client_context.minimum_version = client_context.maximum_version = version
        if ciphers is not None:
            client_context.set_ciphers(ciphers)
        if offers:
            client_context.set_alpn_protocols(list(offers))
        if accepts:
            server_context.set_alpn_protocols(list(accepts))
        self._to_server, self._to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = client_context.wrap_bio(self._to_client, self._to_server, server_hostname=server_name)
        self.server = server_context.wrap_bio(self._to_server, self._to_client, server_side=True)
        self._wires = {True: ssl.MemoryBIO(), False: ssl.MemoryBIO()}

    def handshake(self) -> TlsPeers:
        """Until both sides are content."""
        waiting = [(True, self.client), (False, self.server)]
        for _ in range(20):
            for side in list(waiting):
                try:
                    side[1].do_handshake()
                    waiting.remove(side)
                except ssl.SSLWantReadError:
                    pass
                self._note(side[0])
            if not waiting:
                self._take_tickets()
                return self
        raise AssertionError("the handshake does not end")

    def _take_tickets(self) -> None:
        # What the server has sent behind its handshake: were it left on the wire, it would be noted again.
        try:
            self.client.read(1)
        except ssl.SSLWantReadError:
            return

    def send(self, from_client: bool, octets: bytes) -> TlsPeers:
        """*octets* from one side, read by the other."""
        sender, reader = (self.client, self.server) if from_client else (self.server, self.client)
        sender.write(octets)
        self._note(from_client)
        got = b""
        while len(got) < len(octets):
            got += reader.read(1 << 20)
        assert got == octets
        return self

    def _note(self, from_client: bool) -> None:
        # The octets that one side has just written: taken out, written down, and put back for the other.
        wire = self._to_server if from_client else self._to_client
        fresh = wire.read()
        if fresh:
            self.talk.append((from_client, fresh))
            wire.write(fresh)
