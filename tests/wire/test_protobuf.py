"""The wire format: what protobuf writes is read, what we write protobuf reads, and nothing else is taken."""

from __future__ import annotations

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import NumberDataPoint
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from levo.wire import schema
from levo.wire.protobuf import WireError, double, field, fields, fixed64, number_field, signed, varint

INT64 = st.integers(-(2**63), 2**63 - 1)
GROUP_TYPES = (3, 4)


@given(number=INT64, fraction=st.floats(allow_nan=False), content=st.binary(), when=st.integers(0, 2**64 - 1))
def test_protobuf_reads_what_is_written(number: int, fraction: float, content: bytes, when: int) -> None:
    value = AnyValue.FromString
    assert value(number_field(schema.ANY_VALUE_INT_VALUE, number)).int_value == number
    assert value(double(schema.ANY_VALUE_DOUBLE_VALUE, fraction)).double_value == fraction
    assert value(field(schema.ANY_VALUE_BYTES_VALUE, content)).bytes_value == content
    span = Span.FromString(fixed64(schema.SPAN_START_TIME_UNIX_NANO, when))
    assert span.start_time_unix_nano == when
    point = NumberDataPoint.FromString(fixed64(schema.NUMBER_DATA_POINT_AS_INT, number))
    assert point.as_int == number


@given(number=INT64, when=st.integers(0, 2**64 - 1), flags=st.integers(0, 2**32 - 1), name=st.text())
def test_what_protobuf_writes_is_read(number: int, when: int, flags: int, name: str) -> None:
    span = Span(start_time_unix_nano=when, flags=flags, name=name)
    span.attributes.add(key="a").value.int_value = number

    found = dict(fields(span.SerializeToString(deterministic=True)))

    assert found.get(schema.SPAN_START_TIME_UNIX_NANO, 0) == when
    assert found.get(schema.SPAN_FLAGS, 0) == flags
    assert found.get(schema.SPAN_NAME, b"") == name.encode()
    pair = dict(fields(found[schema.SPAN_ATTRIBUTES]))  # type: ignore[arg-type]
    value = dict(fields(pair[schema.KEY_VALUE_VALUE]))  # type: ignore[arg-type]
    read = value[schema.ANY_VALUE_INT_VALUE]
    assert isinstance(read, int) and signed(read) == number


@given(st.integers(0, 2**64 - 1))
@example(2**64 - 1)
def test_varints_are_of_the_shortest_form(number: int) -> None:
    octets = varint(number)

    assert len(octets) == max(1, -(-number.bit_length() // 7))
    assert list(fields(b"\x08" + octets)) == [(0x08, number)]


def stretched(number: int, octets: int) -> bytes:
    """A varint that is longer than it need be."""
    return b"".join(bytes([each | 0x80]) for each in varint(number)) + b"\x80" * octets + b"\x00"


@given(
    st.lists(
        st.one_of(
            st.tuples(st.integers(0, 2**33), st.integers(0, 9), st.binary(max_size=9)).map(
                lambda f: stretched(f[0], f[1]) + f[2]
            ),
            st.tuples(st.integers(0, 9), st.integers(0, 9)).map(
                lambda f: b"\x1a" + stretched(f[0], f[1]) + bytes(f[0])
            ),
            st.binary(max_size=20),
        ),
        max_size=4,
    ).map(b"".join)
)
@example(b"\x00\x00")
@example(b"\x88\x80\x80\x80\x80\x00\x01")
@example(b"\x80" * 10 + b"\x01")
def test_octets_are_a_message_exactly_if_protobuf_says_so(octets: bytes) -> None:
    """A ``Duration`` has no text and no message in it, so protobuf checks the framing and nothing else."""
    try:
        read = list(fields(octets))
    except WireError as error:
        if "wire type 3" in str(error) or "wire type 4" in str(error):
            return  # a group: protobuf may know it
        with pytest.raises(DecodeError):
            Duration.FromString(octets)
        return
    Duration.FromString(octets)
    assert all(tag & 7 not in GROUP_TYPES and tag >> 3 for tag, _ in read)


def test_an_error_holds_nothing_of_what_was_read() -> None:
    with pytest.raises(WireError) as error:
        list(fields(field(0x0A, b"secret")[:-1]))

    assert "secret" not in str(error.value) and "6 octets, 5 left" in str(error.value)
