"""From the value of ``--output`` to a destination."""

from __future__ import annotations

from pathlib import Path

from levo.config import OutputSpec
from levo.errors import ConfigError, Problem
from levo.sensor.export.batch import RequestLimits
from levo.sensor.export.destination import Destination
from levo.sensor.export.settings import OtlpSettings


def open_destination(
    spec: OutputSpec,
    otlp: OtlpSettings | None = None,
    limits: RequestLimits | None = None,
    owner: tuple[int, int] | None = None,
    *,
    append: bool = False,
) -> Destination:
    """Open what *spec* names: files at once, connections at the first send.

    *otlp* says how to reach the Satellite, which only ``otlp`` needs; a file that is made belongs to *owner*
    (user and group). With *append*, a file of lines that is there goes on. Raises ConfigError with one
    line that names the value and the fix. Client libraries are imported here, not before: a sensor that writes
    files needs none.
    """
    path = None if spec.path is None else Path(spec.path)
    match spec.kind:
        case "null":
            from levo.sensor.export.null import Null

            return Null()
        case "jsonl":
            from levo.sensor.export.jsonl import JsonLines

            return JsonLines(path, owner=owner, append=append)
        case "har":
            from levo.sensor.export.har import HarFile

            return HarFile(path, owner=owner)
    if otlp is None:
        raise ConfigError(Problem("--satellite-url", "is needed for --output otlp"))
    if otlp.address.transport == "http":
        from levo.sensor.export.otlp_http import OtlpHttp

        return OtlpHttp(otlp, limits)
    from levo.sensor.export.otlp_grpc import OtlpGrpc

    return OtlpGrpc(otlp, limits)
