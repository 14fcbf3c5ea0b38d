"""The hand-written decoder against messages that the official libraries encoded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from levo.sensor.export.wire import rejected_items, retry_delay_s
from tests.sensor.export.receivers import status_with_retry_info


@given(rejected=st.integers(0, 2**63 - 1), text=st.text())
def test_rejected_spans_are_read_as_the_library_writes_them(rejected: int, text: str) -> None:
    traces, metrics = ExportTraceServiceResponse(), ExportMetricsServiceResponse()
    traces.partial_success.rejected_spans = metrics.partial_success.rejected_data_points = rejected
    traces.partial_success.error_message = metrics.partial_success.error_message = text

    assert rejected_items(traces.SerializeToString()) == rejected
    assert rejected_items(metrics.SerializeToString()) == rejected


def test_an_answer_that_rejects_nothing_or_less_reads_as_nothing() -> None:
    negative = ExportTraceServiceResponse()
    negative.partial_success.rejected_spans = -5

    assert rejected_items(b"") == 0
    assert rejected_items(negative.SerializeToString()) == 0


@given(delay_s=st.integers(0, 10_000_000).map(lambda ms: ms / 1000), name=st.text(), octets=st.binary())
def test_retry_info_is_found_among_other_details(delay_s: float, name: str, octets: bytes) -> None:
    status = status_with_retry_info(delay_s, [("google.rpc.DebugInfo" + name, octets)])

    assert retry_delay_s(status) == pytest.approx(delay_s)


def test_retry_info_without_a_delay_means_at_once() -> None:
    assert retry_delay_s(status_with_retry_info(None)) == 0.0
    assert retry_delay_s(b"") is None


@given(octets=st.binary(max_size=200))
def test_any_octets_are_safe(octets: bytes) -> None:
    assert rejected_items(octets) >= 0
    delay = retry_delay_s(octets)
    assert delay is None or delay >= 0


@given(
    delay_s=st.integers(0, 1000), at=st.integers(0, 200), octet=st.integers(0, 255), cut=st.integers(0, 200)
)
def test_damaged_answers_are_safe(delay_s: int, at: int, octet: int, cut: int) -> None:
    status = bytearray(status_with_retry_info(delay_s))
    status[at % len(status)] = octet
    delay = retry_delay_s(bytes(status[:cut]))
    assert delay is None or delay >= 0
