"""How a delivery can fail. The texts never hold captured content, nor what a server answered."""

from __future__ import annotations

from levo.errors import LevoError


class ExportError(LevoError):
    """A delivery failed; the text says where and why in one line."""


class RetryableExportError(ExportError):
    """The same request may succeed later."""

    def __init__(self, text: str, retry_after_s: float | None = None) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s
        """How long the server asked to wait (Retry-After, RetryInfo), or None."""


class HandshakeError(RetryableExportError):
    """TLS cannot be agreed. Nothing but a change of a certificate or a setting, here or there, cures it."""


class PermanentExportError(ExportError):
    """The same request will never succeed; its traces are counted as failed."""

    def __init__(self, text: str, organization_rejected: bool = False) -> None:
        super().__init__(text)
        self.organization_rejected = organization_rejected
        """The server knows neither the organization nor its token (HTTP 401, 403 and their gRPC kin)."""


class ExhaustedError(PermanentExportError):
    """The receiver has no room and does not say that trying again would help: gRPC RESOURCE_EXHAUSTED without
    RetryInfo. Given up from memory, as the OTLP specification wants it; what is on disk may wait."""


class SpoolError(ExportError):
    """The spool directory cannot be used; names the path and the system's reason."""
