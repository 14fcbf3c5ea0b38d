"""The table of tags: made from the published definitions, and what protobuf itself writes."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from levo.wire import schema
from levo.wire.protobuf import fields

GENERATOR = Path(__file__).resolve().parents[2] / "tools" / "wire_schema.py"


def test_the_table_is_current() -> None:
    """Renew with: .venv/bin/python tools/wire_schema.py"""
    for path, text in runpy.run_path(str(GENERATOR))["FILES"].items():
        assert path.read_text(encoding="utf-8") == text(), path.name


def messages() -> dict[str, Descriptor]:
    reachable = runpy.run_path(str(GENERATOR))["reachable"]
    found: dict[str, Descriptor] = {}
    for file in (trace_service_pb2.DESCRIPTOR, metrics_service_pb2.DESCRIPTOR):
        for root in file.message_types_by_name.values():
            reachable(root, found)
    return found


@pytest.mark.parametrize("message", messages().values(), ids=messages())
def test_every_tag_is_the_one_that_protobuf_writes(message: Descriptor) -> None:
    upper = runpy.run_path(str(GENERATOR))["upper"]
    for each in message.fields:
        made = GetMessageClass(message)()
        target = getattr(made, each.name)
        if each.message_type is not None:
            (target.add() if each.is_repeated else target).SetInParent()
        elif each.is_repeated:
            target.append(example_of(each))
        else:
            setattr(made, each.name, example_of(each))

        ((tag, _),) = fields(made.SerializeToString())

        assert getattr(schema, f"{upper(message.name)}_{each.name.upper()}") == tag, each.full_name


def example_of(field: FieldDescriptor) -> object:
    return {FieldDescriptor.TYPE_STRING: "a", FieldDescriptor.TYPE_BYTES: b"a"}.get(field.type, 1)


def test_a_partial_success_is_read_alike_for_traces_and_metrics() -> None:
    """``answers.rejected_items`` reads both by the tags of one."""
    assert (
        schema.EXPORT_TRACE_SERVICE_RESPONSE_PARTIAL_SUCCESS
        == schema.EXPORT_METRICS_SERVICE_RESPONSE_PARTIAL_SUCCESS
    )
    assert (
        schema.EXPORT_TRACE_PARTIAL_SUCCESS_REJECTED_SPANS
        == schema.EXPORT_METRICS_PARTIAL_SUCCESS_REJECTED_DATA_POINTS
    )
