"""The name in a certificate, against certificates that ``cryptography`` made."""

from __future__ import annotations

import datetime
import ipaddress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from levo.sensor.export.peer import certificate_name

KEY = ec.generate_private_key(ec.SECP256R1())
NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def certificate(common: str | None, names: list[x509.GeneralName], critical: bool = False) -> bytes:
    parts = [] if common is None else [x509.NameAttribute(NameOID.COMMON_NAME, common)]
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "the issuer")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(parts))
        .issuer_name(issuer)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + datetime.timedelta(days=1))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=critical)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


ADDRESS = x509.IPAddress(ipaddress.ip_address("10.0.0.1"))
MANY: list[x509.GeneralName] = [ADDRESS, x509.DNSName("first.test")]
MANY += [x509.DNSName(f"other{n}.test") for n in range(40)]


@pytest.mark.parametrize(
    ("common", "names", "expected"),
    [
        ("common.test", [x509.DNSName("alternative.test")], "alternative.test"),
        ("common.test", [ADDRESS], "common.test"),
        ("common.test", [], "common.test"),
        (None, MANY, "first.test"),
        (None, [x509.DNSName("*.wild.test")], "any.wild.test"),
        ("Some Company", [], None),
    ],
)
def test_a_name_is_found(common: str | None, names: list[x509.GeneralName], expected: str | None) -> None:
    for critical in (False, True):
        assert certificate_name(certificate(common, names, critical)) == expected


WHOLE = certificate("common.test", MANY)


@given(octets=st.binary(max_size=100), at=st.integers(0, len(WHOLE)), cut=st.integers(0, len(WHOLE)))
def test_any_octets_are_safe(octets: bytes, at: int, cut: int) -> None:
    damaged = (WHOLE[:at] + octets + WHOLE[at + len(octets) :])[:cut]
    for der in (octets, damaged):
        name = certificate_name(der)
        assert name is None or name.isascii()
