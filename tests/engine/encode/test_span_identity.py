"""``levo.engine.encode.span_identity``: trace and span identifiers."""

from __future__ import annotations

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from levo.engine.exchange.batch import Batch
from levo.model.exchange import Address, Exchange, Request
from tests.helpers.exchanges import simple_exchange

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def spans_of(batch: Batch) -> list[Span]:
    request = ExportTraceServiceRequest.FromString(bytes(batch.otlp(b"")))
    return list(request.resource_spans[0].scope_spans[0].spans)


def span_of(exchange: Exchange) -> Span:
    (span,) = spans_of(Batch.build([exchange]))
    return span


@pytest.mark.parametrize(
    ("headers", "flags"),
    [
        pytest.param((("traceparent", TRACEPARENT),), 0x301, id="version 00"),
        pytest.param((("TraceParent", "cc" + TRACEPARENT[2:-2] + "00-more"),), 0x300, id="later version"),
    ],
)
def test_traceparent_gives_trace_and_parent(headers, flags):
    """W3C Trace Context section 3.2."""
    span = span_of(simple_exchange(request=Request(headers=(*headers, ("tracestate", "a=1,b=2")))))

    assert span.trace_id.hex() == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert span.parent_span_id.hex() == "00f067aa0ba902b7"
    assert span.span_id.hex() != "00f067aa0ba902b7"
    assert (span.flags, span.trace_state) == (flags, "a=1,b=2")


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty"),
        pytest.param(TRACEPARENT[:-1], id="short"),
        pytest.param(TRACEPARENT + "-x", id="longer than version 00"),
        pytest.param("ff" + TRACEPARENT[2:], id="version ff"),
        pytest.param(TRACEPARENT.upper(), id="upper case"),
        pytest.param("00-" + "0" * 32 + TRACEPARENT[35:], id="zero trace id"),
        pytest.param(TRACEPARENT[:36] + "0" * 16 + "-01", id="zero parent id"),
        pytest.param(TRACEPARENT.replace("-", "_"), id="wrong separators"),
    ],
)
def test_a_bad_traceparent_is_ignored(value):
    bad = span_of(simple_exchange(request=Request(headers=(("traceparent", value),))))
    none = span_of(simple_exchange(request=Request()))

    assert (bad.trace_id, bad.span_id, bad.parent_span_id) == (none.trace_id, none.span_id, b"")


def test_identifiers_are_the_same_for_the_same_capture_and_differ_between_exchanges():
    values = [simple_exchange(client=Address("192.0.2.7", port)) for port in range(5000)]
    values += [simple_exchange()] * 10

    spans = spans_of(Batch.build(values))

    assert [span.span_id for span in spans] == [span.span_id for span in spans_of(Batch.build(values))]
    assert len({span.trace_id for span in spans}) == len({span.span_id for span in spans}) == 5010
