"""The answer to an accepted export request, in the words of OTLP."""

from __future__ import annotations

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from levo.satellite.queue import RecordKind
from levo.satellite.receive.otlp import Checked


def export_response(
    kind: RecordKind, checked: Checked
) -> ExportTraceServiceResponse | ExportMetricsServiceResponse:
    """Return the answer to an accepted request; partial success only when something was rejected."""
    if kind is RecordKind.METRICS:
        return ExportMetricsServiceResponse()
    response = ExportTraceServiceResponse()
    if checked.rejected:
        response.partial_success.rejected_spans = checked.rejected
        response.partial_success.error_message = "spans were not decodable or had ids of the wrong length"
    return response
