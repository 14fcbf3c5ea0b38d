"""Answers to requests that were taken in."""

from __future__ import annotations

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

from levo.satellite.queue import RecordKind
from levo.satellite.receive.otlp import Checked
from levo.satellite.receive.status import export_response


def test_partial_success_only_when_something_was_rejected() -> None:
    assert not export_response(RecordKind.TRACES, Checked(b"", 3, 0)).HasField("partial_success")
    assert export_response(RecordKind.TRACES, Checked(b"", 3, 2)).partial_success.rejected_spans == 2  # type: ignore[union-attr]
    assert export_response(RecordKind.METRICS, Checked(b"", 3, 0)) == ExportMetricsServiceResponse()
