"""From the value of ``--output`` to a destination."""

from __future__ import annotations

from levo.errors import ConfigError, Problem
from levo.sensor.export.batch import RequestLimits
from levo.sensor.export.destination import Destination
from levo.sensor.export.target import OtlpSettings, OutputKind, OutputTarget, Transport


def open_destination(
    target: OutputTarget, otlp: OtlpSettings | None = None, limits: RequestLimits | None = None
) -> Destination:
    """Open what *target* names: files at once, connections at the first send.

    *otlp* says how to reach the Satellite, which only ``otlp`` needs. Raises ConfigError with one line that
    names the value and the fix. Client libraries are imported here, not before: a sensor that writes files
    needs none.
    """
    match target.kind:
        case OutputKind.NULL:
            from levo.sensor.export.null import Null

            return Null()
        case OutputKind.JSONL:
            from levo.sensor.export.jsonl import JsonLines

            return JsonLines(target.path)
        case OutputKind.HAR:
            from levo.sensor.export.har import HarFile

            return HarFile(target.path)
    if otlp is None:
        raise ConfigError(Problem("--satellite-url", "is needed for --output otlp"))
    if otlp.address.transport is Transport.HTTP:
        from levo.sensor.export.otlp_http import OtlpHttp

        return OtlpHttp(otlp, limits)
    from levo.sensor.export.otlp_grpc import OtlpGrpc

    return OtlpGrpc(otlp, limits)
