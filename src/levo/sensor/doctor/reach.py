"""Asks the Satellite: does it answer, and does it know us?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

from levo.config import OutputSpec, SensorConfig
from levo.sensor.export.failure import ExportError, PermanentExportError

_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Reached:
    """How the Satellite answered to a request without traces."""

    address: str
    error: str | None = None
    """One line; None when it accepted the request."""
    rejects_organization: bool = False
    ahead_s: float | None = None
    """Seconds by which this host's clock is ahead of the Satellite's; None where it does not say the time."""
    within_s: float = 0.0
    """How far off *ahead_s* may be."""


def reach(config: SensorConfig) -> Reached | None:
    """Send an empty ``ExportTraceServiceRequest`` as the sensor would; None without an otlp output.

    Raises:
        ConfigError: a certificate cannot be used.
    """
    if not any(spec.kind == "otlp" for spec in config.output):
        return None
    from levo.sensor.assembly import otlp_settings
    from levo.sensor.export.batch import EncodedRequest
    from levo.sensor.export.opening import open_destination

    destination = open_destination(OutputSpec("otlp"), otlp_settings(config))
    address = str(config.satellite)
    asked, begun = time.time(), time.monotonic()
    try:
        receipt = destination.send(EncodedRequest(0, b""), _TIMEOUT_S)
    except PermanentExportError as error:
        return Reached(address, str(error), error.organization_rejected)
    except ExportError as error:
        return Reached(address, str(error))
    finally:
        destination.close()
    took_s = time.monotonic() - begun
    return Reached(address, None, False, *_ahead(receipt.date, asked, took_s))


def _ahead(date: str, asked_s: float, took_s: float) -> tuple[float | None, float]:
    """How far our clock is ahead of the one that gave *date*, and the greatest error of that, in seconds.

    *date* is the beginning of a second, of some moment in the *took_s* after *asked_s*.
    """
    try:
        told = parsedate_to_datetime(date)
        second = told.replace(tzinfo=told.tzinfo or UTC).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None, 0.0
    within_s = (1 + took_s) / 2
    return asked_s + took_s - second - within_s, within_s
