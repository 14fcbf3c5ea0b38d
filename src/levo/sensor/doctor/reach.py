"""Asks the Satellite: does it answer, and does it know us?"""

from __future__ import annotations

from dataclasses import dataclass

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
    try:
        destination.send(EncodedRequest(0, b""), _TIMEOUT_S)
    except PermanentExportError as error:
        return Reached(address, str(error), error.organization_rejected)
    except ExportError as error:
        return Reached(address, str(error))
    finally:
        destination.close()
    return Reached(address)
