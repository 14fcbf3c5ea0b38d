"""Reading of certificates and keys, anew when they change, with errors that name the setting and the file."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from pathlib import Path

from levo.errors import ConfigError, Problem
from levo.sensor.export.settings import OtlpSettings


def client_context(settings: OtlpSettings) -> ssl.SSLContext:
    """A TLS client context as *settings* ask; raises ConfigError on unreadable or mismatched files."""
    check_pair(settings)
    if settings.ca_cert_path is not None:
        read_pem(settings.ca_cert_path, "tls-ca-cert-path")
    try:
        context = ssl.create_default_context(
            cafile=None if settings.ca_cert_path is None else str(settings.ca_cert_path)
        )
    except (OSError, ValueError):
        raise _problem(
            "tls-ca-cert-path", f"{settings.ca_cert_path} holds no usable PEM certificate"
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.client_cert_path is not None:
        read_pem(settings.client_cert_path, "tls-client-cert-path")
        if settings.client_key_path is not None:
            read_pem(settings.client_key_path, "tls-client-key-path")
        try:
            # An encrypted key must be an error, not a question on the terminal.
            context.load_cert_chain(settings.client_cert_path, settings.client_key_path, password=lambda: "")
        except (OSError, ValueError):
            raise _problem(
                "tls-client-cert-path",
                f"{settings.client_cert_path} and its key {settings.client_key_path or 'in the same file'} "
                "are not a certificate and its unencrypted private key in PEM form",
            ) from None
    if settings.ignore_ssl_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class Renewals:
    """Takes certificates, keys and authorities that are renewed on disk while the sensor runs.

    The files are looked at before a request, which costs a system call for each. What cannot be used, such as
    a certificate whose key is not written yet, is left alone until it changes again: what was read before is
    used on.
    """

    def __init__(self, settings: OtlpSettings) -> None:
        named = (settings.ca_cert_path, settings.client_cert_path, settings.client_key_path)
        self._paths = [path for path in named if path is not None] if settings.address.tls else []
        if settings.address.tls and settings.ca_cert_path is None:
            bundle = ssl.get_default_verify_paths().cafile
            self._paths += [] if bundle is None else [Path(bundle)]
        self._seen = self._look()

    def take(self, use: Callable[[], None]) -> str:
        """Have *use* read the files if any has changed; why they cannot be used, or nothing."""
        found = self._look()
        if found == self._seen:
            return ""
        self._seen = found
        try:
            use()
        except ConfigError as exc:
            return f"{exc}; what was read before is used"
        return ""

    def _look(self) -> list[tuple[int, ...] | None]:
        return [_state_of(path) for path in self._paths]


def _state_of(path: Path) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def check_pair(settings: OtlpSettings) -> None:
    """A key without a certificate is a mistake."""
    if settings.client_key_path is not None and settings.client_cert_path is None:
        raise _problem("tls-client-key-path", "is set without tls-client-cert-path: set both")


def read_pem(path: Path, where: str) -> bytes:
    """The octets of a PEM file; ConfigError names the setting, the path and the reason."""
    try:
        return path.read_bytes()
    except OSError as exc:
        raise _problem(where, f"{path} cannot be read: {exc.strerror or type(exc).__name__}") from None


def _problem(where: str, text: str) -> ConfigError:
    return ConfigError(Problem(where, text))
