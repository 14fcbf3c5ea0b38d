"""A request is called sound only if protobuf decodes it, down to its last text."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from levo.wire.protobuf import field
from levo.wire.validation import count_spans
from tests.satellite.requests import Call, traces

Way = tuple[FieldDescriptor, ...]


def ways_to_text(message: Descriptor, before: Way = ()) -> Iterator[Way]:
    """Every way from *message* to a text, through no message twice."""
    for each in message.fields:
        if each.type == FieldDescriptor.TYPE_STRING:
            yield (*before, each)
        elif each.message_type is not None and all(each.message_type is not b.message_type for b in before):
            yield from ways_to_text(each.message_type, (*before, each))


WAYS = list(ways_to_text(ExportTraceServiceRequest.DESCRIPTOR))


def with_text(way: Way, text: bytes) -> bytes:
    """A request that holds nothing but *text*, and the ids of a span if *way* leads through one."""
    octets = text
    for each in reversed(way):
        octets = field(each.number << 3 | 2, octets)
        if each.containing_type.name == "Span":
            octets = field(1 << 3 | 2, b"t" * 16) + field(2 << 3 | 2, b"s" * 8) + octets
    return octets


@pytest.mark.parametrize("way", WAYS, ids=lambda way: ".".join(each.name for each in way))
def test_no_text_of_a_sound_request_is_other_than_utf8(way: Way) -> None:
    sound, bad = with_text(way, b"\xc3\xa4"), with_text(way, b"\xed\xa0\x80")
    spans = sum(each.name == "spans" for each in way)
    ExportTraceServiceRequest.FromString(sound)
    with pytest.raises(DecodeError):
        ExportTraceServiceRequest.FromString(bad)

    assert count_spans(sound) == spans
    assert count_spans(bad) is None


@pytest.mark.parametrize("way", WAYS, ids=lambda way: ".".join(each.name for each in way))
def test_broken_framing_is_found_in_every_message(way: Way) -> None:
    broken = with_text(way[:-1], b"\x0a\x05ab")
    with pytest.raises(DecodeError):
        ExportTraceServiceRequest.FromString(broken)

    assert count_spans(broken) is None


@given(st.lists(st.tuples(st.sampled_from([0, 8, 16]), st.sampled_from([0, 8, 16])), max_size=4))
def test_spans_are_counted_if_all_ids_have_their_length(ids: list[tuple[int, int]]) -> None:
    request = traces([Call()] * len(ids))
    for span, (trace_id, span_id) in zip(
        (s for r in request.resource_spans for g in r.scope_spans for s in g.spans), ids, strict=True
    ):
        span.trace_id, span.span_id = b"t" * trace_id, b"s" * span_id

    counted = count_spans(request.SerializeToString())

    assert counted == (len(ids) if all(each == (16, 8) for each in ids) else None)


@pytest.mark.parametrize(
    "stretch", [b"\x80" * 3 + b"\x00", b"\x80" * 4 + b"\x00"], ids=["five octets", "six"]
)
@pytest.mark.parametrize("part", ["tag", "length"])
def test_a_tag_or_length_is_as_long_as_protobuf_takes_it(part: str, stretch: bytes) -> None:
    """Inside the resource, which protobuf decodes by itself when the request is learned."""
    tag, length = bytes([0x0A | 0x80]) + stretch, bytes([0x00 | 0x80]) + stretch
    resource = tag + b"\x00" if part == "tag" else b"\x0a" + length
    octets = field(0x0A, field(0x0A, resource))

    try:
        ExportTraceServiceRequest.FromString(octets)
    except DecodeError:
        assert count_spans(octets) is None
    else:
        assert count_spans(octets) == 0


def test_deep_nesting_is_left_to_protobuf() -> None:
    request = traces([Call()])
    value = request.resource_spans[0].scope_spans[0].spans[0].attributes.add(key="deep").value
    for _ in range(22):
        value = value.array_value.values.add()

    assert count_spans(request.SerializeToString()) is None
