"""Answers: what we write read by the official libraries, and what they write read by us.

The definitions of ``google.rpc`` are built here from their published field numbers.
"""

from __future__ import annotations

import pytest
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, duration_pb2, message_factory
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from levo.wire.answers import rejected_items, retry_delay_s, status_message
from tests.sensor.export.receivers import status_with_retry_info


def definitions() -> tuple[type[Message], type[Message]]:
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="rpc_for_tests.proto", package="google.rpc", syntax="proto3"
    )
    file.dependency.extend([any_pb2.DESCRIPTOR.name, duration_pb2.DESCRIPTOR.name])
    status = file.message_type.add(name="Status")
    status.field.add(name="code", number=1, type=field.TYPE_INT32, label=field.LABEL_OPTIONAL)
    status.field.add(name="message", number=2, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    status.field.add(
        name="details",
        number=3,
        type=field.TYPE_MESSAGE,
        type_name=".google.protobuf.Any",
        label=field.LABEL_REPEATED,
    )
    retry_info = file.message_type.add(name="RetryInfo")
    retry_info.field.add(
        name="retry_delay",
        number=1,
        type=field.TYPE_MESSAGE,
        type_name=".google.protobuf.Duration",
        label=field.LABEL_OPTIONAL,
    )
    pool = descriptor_pool.DescriptorPool()
    for known in (any_pb2, duration_pb2):
        pool.AddSerializedFile(known.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    return (
        message_factory.GetMessageClass(pool.FindMessageTypeByName("google.rpc.Status")),
        message_factory.GetMessageClass(pool.FindMessageTypeByName("google.rpc.RetryInfo")),
    )


@pytest.mark.parametrize(
    ("code", "text", "retry_after_s"), [(8, "später", 300), (3, "x" * 200, None), (0, "", 1)]
)
def test_status_and_retry_info(code: int, text: str, retry_after_s: int | None) -> None:
    status_type, retry_type = definitions()
    status = status_type.FromString(status_message(code, text, retry_after_s))

    assert (status.code, status.message) == (code, text)  # type: ignore[attr-defined]
    details = status.details  # type: ignore[attr-defined]
    if retry_after_s is None:
        assert not details
    else:
        retry = retry_type.FromString(details[0].value)
        assert details[0].type_url == "type.googleapis.com/google.rpc.RetryInfo"
        assert retry.retry_delay.seconds == retry_after_s  # type: ignore[attr-defined]
    assert retry_delay_s(status_message(code, text, retry_after_s)) == retry_after_s


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
