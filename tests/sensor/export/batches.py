"""Batches whose OTLP form is written by the official protobuf library, one numbered span a trace."""

from __future__ import annotations

import json
from collections.abc import Sequence

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from levo.model.exchange import Exchange, Request, Response

RESOURCE = Resource(dropped_attributes_count=7).SerializeToString()


class NumberedBatch:
    """Traces with the given numbers, each with about *padding* octets of body."""

    def __init__(self, numbers: Sequence[int], padding: int = 0) -> None:
        self.numbers = list(numbers)
        self.padding = padding
        self.released = 0
        self.processed = False

    @property
    def nbytes(self) -> int:
        return len(self.numbers) * (100 + self.padding)

    def __len__(self) -> int:
        return len(self.numbers)

    def otlp(self, resource: bytes, start: int = 0, stop: int | None = None) -> bytes:
        assert start >= self.released
        request = ExportTraceServiceRequest()
        group = request.resource_spans.add()
        group.resource.ParseFromString(resource)
        spans = group.scope_spans.add().spans
        for number in self.numbers[start:stop]:
            spans.add(
                name=str(number),
                trace_id=number.to_bytes(16, "big"),
                span_id=(number + 1).to_bytes(8, "big"),
                trace_state="x" * self.padding,
            )
        return request.SerializeToString()

    def jsonl(self, start: int = 0, stop: int | None = None) -> bytes:
        assert start >= self.released
        chosen = self.numbers[start:stop]
        return b"".join(json.dumps({"number": number}).encode() + b"\n" for number in chosen)

    def release(self, stop: int) -> None:
        self.released = stop

    def process(self) -> None:
        self.processed = True

    def exchanges(self) -> list[Exchange]:
        return [
            Exchange(request=Request(path=f"/{number}", host="api.test"), response=Response(status=200))
            for number in self.numbers
        ]


def numbers_in(request: bytes) -> list[int]:
    """The numbers of the spans in an encoded request, in order."""
    decoded = ExportTraceServiceRequest.FromString(request)
    return [
        int(span.name)
        for group in decoded.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]
