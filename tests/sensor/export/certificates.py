"""Throw-away certificates for loopback."""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, as PEM files."""

    cert: Path
    key: Path


def make_authority(folder: Path, name: str = "authority") -> tuple[Pair, ec.EllipticCurvePrivateKey]:
    """A self-signed certificate authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(name, name, key).add_extension(x509.BasicConstraints(True, None), critical=True)
    return _write(folder, name, builder.sign(key, hashes.SHA256()), key), key


def make_leaf(
    folder: Path,
    name: str,
    authority: Pair,
    signer: ec.EllipticCurvePrivateKey,
    host: str,
    *,
    address: str = "",
    expired: bool = False,
) -> Pair:
    """A certificate for *host* (a DNS name), 127.0.0.1 and *address*, signed by *authority*."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.load_pem_x509_certificate(authority.cert.read_bytes()).subject
    issuer_name = str(issuer.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
    names: list[x509.GeneralName] = [x509.DNSName(host)]
    if host == "localhost":
        names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    if address:
        names.append(x509.IPAddress(ipaddress.ip_address(address)))
    builder = _builder(name, issuer_name, key, age_h=24 if expired else 1).add_extension(
        x509.SubjectAlternativeName(names), critical=False
    )
    return _write(folder, name, builder.sign(signer, hashes.SHA256()), key)


def _builder(
    name: str, issuer: str, key: ec.EllipticCurvePrivateKey, *, age_h: int = 1
) -> x509.CertificateBuilder:
    begin = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=age_h)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(hours=2))
    )


def _write(folder: Path, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    pair.cert.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pair.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return pair
