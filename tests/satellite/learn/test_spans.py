"""The reader of octets agrees with protobuf on every request, and leaves to it what it does not know."""

from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError
from hypothesis import example, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from levo.satellite.learn import Trace
from levo.satellite.learn.spans import read_spans
from levo.satellite.learn.trace import read_delivery
from levo.wire import schema
from levo.wire.protobuf import field
from levo.wire.validation import count_spans
from tests.helpers.effort import scaled
from tests.helpers.protobuf_spans import read_traces
from tests.satellite.requests import Call, traces

NOW = 1_700_000_000_000_000_000
WHOLE = Call(
    "POST",
    "/a/1",
    201,
    3,
    more={
        "url.query": "q=ä",
        "client.address": "10.0.0.1",
        "levo.http.request.body": b"\xff\x00",
        "levo.http.response.body": "text",
        "http.request.header.accept": "*/*",
        "http.response.header.x-a": "1",
    },
)
KEYS = st.one_of(
    st.sampled_from(
        [
            "http.request.method", "url.scheme", "url.path", "url.query", "server.address", "server.port",
            "client.address", "http.response.status_code", "levo.sample.weight", "levo.exchange.incomplete",
            "levo.http.request.body", "levo.http.request.body.truncated", "levo.anomalies", "levo.findings",
            "levo.http.response.body.missing_bytes", "http.request.header.", "http.request.header.accept",
            "http.response.header.x-a", "http.response.header.\u00e4",
        ]
    ),
    st.text(max_size=4),
)  # fmt: skip
TEXTS = st.one_of(
    st.sampled_from(
        [
            "200",
            "2XX",
            "response.bad_status",
            "request.head_cut",
            "response.head_cut",
            "GET",
            "BREW",
            "/a",
            "https",
            "shop.example",
            "gap",
            "request_cut",
            "grpc",
        ]
    ),
    st.text(),
)
SCALARS = st.one_of(
    TEXTS.map(lambda v: AnyValue(string_value=v)),
    st.booleans().map(lambda v: AnyValue(bool_value=v)),
    st.integers(-(2**63), 2**63 - 1).map(lambda v: AnyValue(int_value=v)),
    st.sampled_from([0, 80, 200, 404, 999]).map(lambda v: AnyValue(int_value=v)),
    st.floats().map(lambda v: AnyValue(double_value=v)),
    st.binary(max_size=20).map(lambda v: AnyValue(bytes_value=v)),
    st.just(AnyValue()),
)
TIMES = st.one_of(st.integers(0, 2**64 - 1), st.integers(NOW - 10**9, NOW + 10**9))


@st.composite
def values(draw: st.DrawFn) -> AnyValue:
    value = draw(SCALARS)
    if draw(st.integers(0, 4)) == 0:
        array = AnyValue()
        array.array_value.values.extend(draw(st.lists(SCALARS, max_size=3)))
        return array
    return value


@st.composite
def requests(draw: st.DrawFn) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    for _ in range(draw(st.integers(0, 2))):
        resource_spans = request.resource_spans.add()
        if draw(st.booleans()):
            resource_spans.resource.attributes.add(key="service.name").value.CopyFrom(draw(values()))
        for _ in range(draw(st.integers(0, 2))):
            spans = resource_spans.scope_spans.add(schema_url=draw(st.text(max_size=3))).spans
            for _ in range(draw(st.integers(0, 3))):
                span = spans.add(
                    trace_id=draw(st.sampled_from([b"t" * 16, b"u" * 16, b""])),
                    span_id=draw(st.sampled_from([b"s" * 8, b"x"])),
                    kind=draw(st.sampled_from([Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT])),
                    name=draw(st.text(max_size=3)),
                    start_time_unix_nano=draw(TIMES),
                    end_time_unix_nano=draw(TIMES),
                )
                span.events.add(name=draw(st.text(max_size=3)))
                for key, value in draw(st.lists(st.tuples(KEYS, values()), max_size=8)):
                    span.attributes.add(key=key).value.CopyFrom(value)
    return request


def by_protobuf(octets: bytes) -> list[Trace | None] | None:
    try:
        return list(read_traces(ExportTraceServiceRequest.FromString(octets), "", NOW))
    except DecodeError:
        return None


def by_octets(octets: bytes) -> list[Trace | None] | None:
    try:
        return read_delivery(octets, "", NOW)[1]
    except ValueError:
        return None


def untouched(octets: bytes) -> bool:
    """Whether the reader of octets did not give up."""

    def refuse(_: bytes) -> None:
        raise KeyError

    try:
        return read_spans(octets, refuse) is not None
    except (KeyError, TypeError):
        return True


@given(requests())
@example(traces([WHOLE]))
@example(traces([Call(more={"http.request.header.": "a", "http.response.header.": "b"})]))
@settings(max_examples=scaled(400), deadline=None)
def test_traces_are_those_that_protobuf_reads(request: ExportTraceServiceRequest) -> None:
    octets = request.SerializeToString()

    assert untouched(octets)
    assert by_octets(octets) == by_protobuf(octets)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4), st.data())
@settings(max_examples=scaled(400), deadline=None)
def test_damaged_octets_are_read_as_protobuf_reads_them_or_not_at_all(
    changes: list[tuple[int, int]], data: st.DataObject
) -> None:
    octets = bytearray(traces([WHOLE, Call()]).SerializeToString())
    for place, octet in changes:
        octets[place % len(octets)] = octet
    damaged = bytes(octets[: data.draw(st.integers(0, len(octets)))]) if len(changes) > 2 else bytes(octets)

    read, expected = by_octets(damaged), by_protobuf(damaged)
    assert read == expected or expected is None
    counted = count_spans(damaged)
    assert counted is None or (expected is not None and counted == len(expected))


@given(st.binary(max_size=200))
@settings(max_examples=scaled(300), deadline=None)
def test_any_octets(octets: bytes) -> None:
    counted, expected = count_spans(octets), by_protobuf(octets)

    assert counted is None or (expected is not None and counted == len(expected))
    assert expected is None or by_octets(octets) == expected


def one_span(span: bytes = b"", attribute: bytes = b"", resource_spans: bytes = b"") -> bytes:
    """A request of one span with *span*, *attribute* and *resource_spans* at the end of these messages."""
    request = traces([WHOLE])
    (group,) = request.resource_spans
    (scope_spans,) = group.scope_spans
    (only,) = scope_spans.spans
    key = field(schema.KEY_VALUE_KEY, b"http.request.header.accept")
    octets = only.SerializeToString() + field(schema.SPAN_ATTRIBUTES, key + attribute) + span
    octets = field(schema.RESOURCE_SPANS_SCOPE_SPANS, field(schema.SCOPE_SPANS_SPANS, octets))
    octets = field(schema.RESOURCE_SPANS_RESOURCE, group.resource.SerializeToString()) + octets
    return field(schema.EXPORT_TRACE_SERVICE_REQUEST_RESOURCE_SPANS, octets + resource_spans)


def value(text: str) -> bytes:
    return field(schema.KEY_VALUE_VALUE, AnyValue(string_value=text).SerializeToString())


def array(*texts: str) -> bytes:
    made = AnyValue()
    for text in texts:
        made.array_value.values.add(string_value=text)
    return made.SerializeToString()


MORE_RESOURCE = Resource(attributes=[KeyValue(key="levo.sensor.id", value=AnyValue(string_value="other"))])


@pytest.mark.parametrize(
    "octets",
    [
        one_span(resource_spans=field(schema.RESOURCE_SPANS_RESOURCE, MORE_RESOURCE.SerializeToString())),
        one_span(attribute=value("first") + value("second")),
        one_span(attribute=field(schema.KEY_VALUE_VALUE, array("a") + array("b", "c"))),
        one_span(attribute=field(schema.KEY_VALUE_VALUE, array("a")) + value("b")),
        one_span(span=b"\xa3\x06\x08\x01\xa4\x06"),
        one_span(resource_spans=b"\xa3\x06\xa4\x06"),
    ],
    ids=["resource", "value", "array", "members", "group in a span", "group beside the spans"],
)
def test_what_protobuf_reads_and_seldom_writes_is_read_as_it_does(octets: bytes) -> None:
    """A message in two pieces is one message to protobuf, and a group is an unknown field."""
    expected = by_protobuf(octets)

    assert expected is not None and expected[0] is not None
    assert by_octets(octets) == expected


def test_a_rewritten_request_gives_each_resource_once() -> None:
    octets = one_span(attribute=value("first") + value("second"))

    resources, found = read_delivery(octets, "", NOW)

    assert (len(resources), len(found)) == (1, 1)


def test_text_that_is_not_utf8_is_left_to_protobuf() -> None:
    octets = traces([Call(path="/abcd")]).SerializeToString().replace(b"/abcd", b"/\xed\xa0\x80d")

    assert count_spans(octets) is None
    assert by_octets(octets) is None is by_protobuf(octets)
