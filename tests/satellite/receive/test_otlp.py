"""Checking export requests."""

from __future__ import annotations

import json

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from levo.satellite.queue import RecordKind
from levo.satellite.receive.otlp import (
    MAX_JSON_MARKS,
    MAX_MESSAGES,
    BadRequest,
    TooMany,
    check_json,
    check_protobuf,
)
from levo.wire.protobuf import field
from tests.satellite.receive.test_http_routes import otlp_json
from tests.satellite.requests import Call, metrics, traces


def test_a_sound_request_passes_unchanged() -> None:
    body = traces([Call(more={"levo.http.request.body": b"\xff\x00"})] * 2).SerializeToString()
    checked = check_protobuf(RecordKind.TRACES, body)

    assert (checked.payload, checked.items, checked.rejected) == (body, 2, 0)
    assert (
        check_protobuf(RecordKind.METRICS, metrics({"levo.a": 1, "levo.b": 2}).SerializeToString()).items == 2
    )


@given(
    st.lists(st.sampled_from([16, 0, 15, 17]), max_size=8), st.lists(st.sampled_from([8, 7, 0]), max_size=8)
)
def test_spans_with_ids_of_the_wrong_length_are_left_out(trace_ids: list[int], span_ids: list[int]) -> None:
    lengths = list(zip(trace_ids, span_ids, strict=False))
    request = traces([Call(path=f"/{index}") for index in range(len(lengths))])
    spans = request.resource_spans[0].scope_spans[0].spans
    for span, (trace_id, span_id) in zip(spans, lengths, strict=True):
        span.trace_id, span.span_id = b"t" * trace_id, b"s" * span_id
    checked = check_protobuf(RecordKind.TRACES, request.SerializeToString())

    kept = ExportTraceServiceRequest.FromString(checked.payload).resource_spans[0].scope_spans[0].spans
    assert [span for span in kept] == [s for s, ids in zip(spans, lengths, strict=True) if ids == (16, 8)]
    assert (checked.items, checked.items + checked.rejected) == (lengths.count((16, 8)), len(lengths))


def test_json_becomes_the_same_message() -> None:
    calls = [Call(weight=2.5, more={"levo.http.request.body": b"\x00\xff", "text": "ä\u2028"})]
    checked = check_json(RecordKind.TRACES, otlp_json("shop", calls))

    (span,) = ExportTraceServiceRequest.FromString(checked.payload).resource_spans[0].scope_spans[0].spans
    assert (len(span.trace_id), len(span.span_id), checked.items) == (16, 8, 1)
    values = {a.key: a.value for a in span.attributes}
    assert values["levo.http.request.body"].bytes_value == b"\x00\xff"
    assert (values["text"].string_value, values["levo.sample.weight"].double_value) == ("ä\u2028", 2.5)


def test_json_numbers_may_be_strings_and_unknown_fields_are_ignored() -> None:
    document = json.loads(otlp_json("shop", [Call()]))
    document["future"] = [1, {"x": None}]
    span = document["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    assert isinstance(span["endTimeUnixNano"], str)
    span["endTimeUnixNano"] = int(span["endTimeUnixNano"])

    assert check_json(RecordKind.TRACES, json.dumps(document).encode()).items == 1


def test_json_ids_that_are_no_hexadecimal_are_rejected_spans() -> None:
    document = json.loads(otlp_json("shop", [Call(), Call()]))
    document["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"] = "not hexadecimal"

    checked = check_json(RecordKind.TRACES, json.dumps(document).encode())
    assert (checked.items, checked.rejected) == (1, 1)


def test_json_metrics() -> None:
    document = json_format.MessageToJson(metrics({"levo.packets": 3}))

    assert check_json(RecordKind.METRICS, document.encode()).items == 1


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["resourceSpans", "scopeSpans", "spans", "traceId", "kind", "attributes", "value", "links"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON_VALUES)
def test_any_json_is_an_answer_or_a_bad_request(value: object) -> None:
    try:
        checked = check_json(RecordKind.TRACES, json.dumps(value).encode())
    except BadRequest:
        return
    ExportTraceServiceRequest.FromString(checked.payload)


@given(st.binary(max_size=300), st.sampled_from(list(RecordKind)))
def test_any_octets_are_an_answer_or_a_bad_request(octets: bytes, kind: RecordKind) -> None:
    for check in (check_protobuf, check_json):
        try:
            checked = check(kind, octets)
        except BadRequest:
            continue
        assert check_protobuf(kind, checked.payload).items == checked.items


@given(st.data())
def test_damaged_requests_are_an_answer_or_a_bad_request(data: st.DataObject) -> None:
    body = bytearray(traces([Call(), Call(status=None)]).SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        checked = check_protobuf(RecordKind.TRACES, bytes(body))
    except BadRequest:
        return
    kept = ExportTraceServiceRequest.FromString(checked.payload)
    assert sum(len(s.spans) for r in kept.resource_spans for s in r.scope_spans) == checked.items


def test_a_bad_request_says_nothing_of_the_content() -> None:
    with pytest.raises(BadRequest) as bad:
        check_json(RecordKind.TRACES, b'{"resourceSpans": "canary-8271"}')

    assert "canary" not in str(bad.value)
    assert bad.value.__cause__ is None


EMPTY = {
    "spans": (RecordKind.TRACES, (1, 2, 2)),
    "attributes": (RecordKind.TRACES, (1, 2, 2, 9)),
    "resource metrics": (RecordKind.METRICS, (1,)),
    "points": (RecordKind.METRICS, (1, 2, 2, 5, 1)),
}


@pytest.mark.parametrize(("kind", "place"), EMPTY.values(), ids=EMPTY)
def test_more_messages_than_may_be_objects_are_refused_before_they_are(
    kind: RecordKind, place: tuple[int, ...]
) -> None:
    def body(count: int) -> bytes:
        octets = field(place[-1] << 3 | 2, b"") * count
        for number in reversed(place[:-1]):
            octets = field(number << 3 | 2, octets)
        return octets

    with pytest.raises(TooMany):
        check_protobuf(kind, body(MAX_MESSAGES + 1))
    check_protobuf(kind, body(1000))


@pytest.mark.parametrize("value", [b"{}", b"1", b"[]"])
def test_more_json_values_than_may_be_objects_are_refused_before_they_are(value: bytes) -> None:
    with pytest.raises(TooMany):
        check_json(RecordKind.TRACES, b'{"resourceSpans":[' + (value + b",") * MAX_JSON_MARKS + value + b"]}")
