"""One contract for every destination, with the engine's own batches."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from levo.config.values import satellite_url
from levo.engine.exchange.batch import Batch
from levo.model.exchange import Address, Exchange, Request, Response
from levo.sensor.export import Destination, ExportBatch, OtlpSettings, RequestLimits
from levo.sensor.export.har import HarFile
from levo.sensor.export.jsonl import JsonLines
from levo.sensor.export.null import Null
from levo.sensor.export.otlp_grpc import OtlpGrpc
from levo.sensor.export.otlp_http import OtlpHttp
from tests.sensor.export.batches import RESOURCE
from tests.sensor.export.helpers import balanced, otlp_output, output_to
from tests.sensor.export.receivers import GrpcReceiver, HttpReceiver

LIMITS = RequestLimits(bytes=4_000, traces=10)
NOWHERE = "127.0.0.1:1"

DESTINATIONS: dict[str, Callable[[], Destination]] = {
    "otlp over http": lambda: OtlpHttp(OtlpSettings(satellite_url(f"http://{NOWHERE}")), LIMITS),
    "otlp over grpc": lambda: OtlpGrpc(OtlpSettings(satellite_url(NOWHERE)), LIMITS),
    "jsonl": lambda: JsonLines(None, io.BytesIO()),
    "har": lambda: HarFile(None, io.BytesIO()),
    "null": Null,
}


def batch(count: int) -> Batch:
    return Batch.build(
        [
            Exchange(
                client=Address("10.0.0.2", 1000 + number),
                server=Address("10.0.0.1", 80),
                request=Request(
                    method="POST", target=f"/{number}", path=f"/{number}", body=b"x" * (number * 7 % 900)
                ),
                response=Response(status=200, body=b"\x00\xff" * (number % 5)),
                start_ns=1_700_000_000_000_000_000 + number,
                end_ns=1_700_000_000_000_000_500 + number,
            )
            for number in range(count)
        ]
    )


@pytest.mark.parametrize("make", DESTINATIONS.values(), ids=DESTINATIONS.keys())
def test_encoding_counts_every_trace_once(make: Callable[[], Destination]) -> None:
    destination = make()
    shared: ExportBatch = batch(57)
    for count, source in ((57, shared), (57, shared), (1, batch(1))):
        assert sum(request.traces for request in destination.encode(source, RESOURCE)) == count
    destination.close()


@pytest.mark.parametrize("make", DESTINATIONS.values(), ids=DESTINATIONS.keys())
def test_closing_before_any_delivery_and_abandoning_are_harmless(make: Callable[[], Destination]) -> None:
    destination = make()
    destination.abandon()
    destination.close()


def test_bounded_requests_add_up_to_the_batch() -> None:
    destination = OtlpHttp(OtlpSettings(satellite_url(f"http://{NOWHERE}")), LIMITS)
    targets = []
    for request in destination.encode(batch(57), RESOURCE):
        body = gzip.decompress(request.body)
        decoded = ExportTraceServiceRequest.FromString(body)
        spans = [
            span for group in decoded.resource_spans for scope in group.scope_spans for span in scope.spans
        ]
        assert len(spans) == request.traces <= LIMITS.traces
        assert len(body) <= LIMITS.bytes or len(spans) == 1
        paths = [[a.value.string_value for a in span.attributes if a.key == "url.path"] for span in spans]
        targets += [path for [path] in paths]
    assert targets == [f"/{number}" for number in range(57)]


def test_one_batch_goes_to_several_outputs_at_once() -> None:
    http, grpc = HttpReceiver(), GrpcReceiver()
    lines, archive = io.BytesIO(), io.BytesIO()
    outputs = [
        otlp_output(f"http://127.0.0.1:{http.port}", requests=LIMITS),
        otlp_output(f"127.0.0.1:{grpc.port}", requests=LIMITS),
        output_to(JsonLines(None, lines)),
        output_to(HarFile(None, archive)),
    ]
    # Spans of real batches have no numbers: count them instead of comparing.
    for receiver in (http, grpc):
        receiver.seen.accept = lambda body, rejected: None  # type: ignore[method-assign]
    try:
        for _ in range(3):
            source = batch(40)
            for output in outputs:
                assert output.submit(source)
            del source
        for output in outputs:
            assert output.flush(20)
    finally:
        for output in outputs:
            output.close()
        http.close()
        grpc.close()
    assert [balanced(output).exported for output in outputs] == [120] * 4
    for receiver in (http, grpc):
        decoded = [ExportTraceServiceRequest.FromString(body) for body in receiver.seen.bodies]
        assert sum(len(s.spans) for d in decoded for r in d.resource_spans for s in r.scope_spans) == 120
        assert all(r.resource.dropped_attributes_count == 7 for d in decoded for r in d.resource_spans)
    assert len([json.loads(line) for line in lines.getvalue().splitlines()]) == 120
    assert len(json.loads(archive.getvalue())["log"]["entries"]) == 120
