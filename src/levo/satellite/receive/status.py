"""Answers in the words of OTLP: ``google.rpc.Status`` with ``RetryInfo``, and partial success.

``Status`` {1: code, 2: message, 3: repeated Any} and ``RetryInfo`` {1: Duration} are not part of the protobuf
runtime; they are small enough to be written here.
"""

from __future__ import annotations

from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from levo.satellite.queue import RecordKind
from levo.satellite.receive.otlp import Checked
from levo.satellite.receive.salvage import encode_field, encode_varint

_RETRY_INFO_TYPE = "type.googleapis.com/google.rpc.RetryInfo"


def status_message(code: int, text: str, retry_after_s: int | None = None) -> bytes:
    """Return a serialized ``google.rpc.Status``; *retry_after_s* adds a ``RetryInfo``."""
    octets = (b"\x08" + encode_varint(code) if code else b"") + encode_field(2, text.encode())
    if retry_after_s is not None:
        delay = encode_field(1, Duration(seconds=retry_after_s).SerializeToString())
        octets += encode_field(3, Any(type_url=_RETRY_INFO_TYPE, value=delay).SerializeToString())
    return octets


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
