"""Answers, read by definitions of ``google.rpc`` that are built here from their published field numbers."""

from __future__ import annotations

import pytest
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, duration_pb2, message_factory
from google.protobuf.message import Message
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

from levo.satellite.queue import RecordKind
from levo.satellite.receive.otlp import Checked
from levo.satellite.receive.status import export_response, status_message


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


def test_partial_success_only_when_something_was_rejected() -> None:
    assert not export_response(RecordKind.TRACES, Checked(b"", 3, 0)).HasField("partial_success")
    assert export_response(RecordKind.TRACES, Checked(b"", 3, 2)).partial_success.rejected_spans == 2  # type: ignore[union-attr]
    assert export_response(RecordKind.METRICS, Checked(b"", 3, 0)) == ExportMetricsServiceResponse()
