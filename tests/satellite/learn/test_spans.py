"""The reader of octets agrees with protobuf on every request, and leaves to it what it does not know."""

from __future__ import annotations

from google.protobuf.message import DecodeError
from hypothesis import example, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from levo.satellite.learn import Trace, read_traces
from levo.satellite.learn.spans import count_spans, read_spans
from levo.satellite.learn.trace import read_delivery
from tests.helpers.effort import scaled
from tests.satellite.requests import RESOURCE, Call, traces

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
            "levo.http.request.body", "levo.http.request.body.truncated", "levo.findings",
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


@given(requests())
@settings(max_examples=scaled(200), deadline=None)
def test_spans_are_counted_if_all_ids_are_sound(request: ExportTraceServiceRequest) -> None:
    spans = [span for r in request.resource_spans for s in r.scope_spans for span in s.spans]
    sound = all(len(span.trace_id) == 16 and len(span.span_id) == 8 for span in spans)

    assert count_spans(request.SerializeToString()) == (len(spans) if sound else None)


def test_what_protobuf_joins_is_left_to_it() -> None:
    """A message field that comes twice is one message to protobuf."""
    request = traces([WHOLE], {**RESOURCE, "service.name": "one"})
    more = ExportTraceServiceRequest()
    more.resource_spans.add().resource.attributes.add(key="levo.sensor.id").value.string_value = "s"
    first, second = (r.resource_spans[0].SerializeToString() for r in (request, more))
    octets = b"\x0a" + _varint(len(first) + len(second)) + first + second

    assert not untouched(octets)
    assert by_octets(octets) == by_protobuf(octets) != None  # noqa: E711


def test_text_that_is_not_utf8_is_left_to_protobuf() -> None:
    octets = traces([Call(path="/abcd")]).SerializeToString().replace(b"/abcd", b"/\xed\xa0\x80d")

    assert count_spans(octets) is None
    assert by_octets(octets) is None is by_protobuf(octets)


def _varint(number: int) -> bytes:
    octets = b""
    while number > 0x7F:
        octets += bytes([number & 0x7F | 0x80])
        number >>= 7
    return octets + bytes([number])
