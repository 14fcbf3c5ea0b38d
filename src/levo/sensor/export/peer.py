"""A server's own certificate, taken as it is shown: what ``ignore-ssl-verify`` means for gRPC.

gRPC cannot be told to skip verification. It can be told to trust exactly one certificate, under exactly one
name, so we ask the server for its certificate first and hand that over. Whoever answers is believed, as the
setting says.
"""

from __future__ import annotations

import re
import socket
import ssl
from dataclasses import dataclass

_SUBJECT_ALT_NAME = bytes.fromhex("0603551d11")
"""DER of the object identifier 2.5.29.17 (RFC 5280 section 4.2.1.6)."""
_COMMON_NAME = bytes.fromhex("0603550403")
"""DER of 2.5.4.3."""
_HOST_NAME = re.compile(rb"[A-Za-z0-9*_.-]+")


@dataclass(frozen=True, slots=True)
class PeerCertificate:
    """What a server showed."""

    pem: bytes
    name: str | None
    """A host name the certificate is valid for; None when it holds none."""


def fetch_certificate(host: str, port: int, context: ssl.SSLContext, timeout_s: float) -> PeerCertificate:
    """Connect, take the certificate, disconnect. *context* must not verify. Raises OSError."""
    with (
        socket.create_connection((host, port), timeout=timeout_s) as plain,
        context.wrap_socket(plain, server_hostname=host) as secured,
    ):
        der = secured.getpeercert(binary_form=True)
    if der is None:
        raise ConnectionError("no certificate shown")
    return PeerCertificate(ssl.DER_cert_to_PEM_cert(der).encode(), certificate_name(der))


def certificate_name(der: bytes) -> str | None:
    """The first DNS name of a certificate's subject alternative names, else its last common name."""
    name: bytes | None = None
    at = der.find(_SUBJECT_ALT_NAME)
    if at >= 0:
        at += len(_SUBJECT_ALT_NAME)
        if der[at : at + 3] == b"\x01\x01\xff":  # critical
            at += 3
        outer = _value(der, at, 0x04)
        names = None if outer is None else _value(outer, 0, 0x30)
        name = None if names is None else _first_dns_name(names)
    if name is None:
        at = der.rfind(_COMMON_NAME)
        if at >= 0:
            at += len(_COMMON_NAME)
            name = _value(der, at, 0x0C) or _value(der, at, 0x13)
    if name is None or not _HOST_NAME.fullmatch(name):
        return None
    return name.decode("ascii").replace("*", "any")


def _first_dns_name(names: bytes) -> bytes | None:
    at = 0
    while at < len(names):
        header = _length(names, at + 1)
        if header is None:
            return None
        size, start = header
        if names[at] == 0x82:
            return names[start : start + size]
        at = start + size
    return None


def _value(der: bytes, at: int, tag: int) -> bytes | None:
    """Contents of the element of type *tag* at *at*, or None when there is none."""
    if at >= len(der) or der[at] != tag:
        return None
    header = _length(der, at + 1)
    if header is None:
        return None
    size, start = header
    return der[start : start + size]


def _length(der: bytes, at: int) -> tuple[int, int] | None:
    """(length, where the contents start) of a DER element whose length octets start at *at*."""
    if at >= len(der):
        return None
    first = der[at]
    if first < 0x80:
        return first, at + 1
    count = first & 0x7F
    if count == 0 or count > 4 or at + 1 + count > len(der):
        return None
    return int.from_bytes(der[at + 1 : at + 1 + count], "big"), at + 1 + count
