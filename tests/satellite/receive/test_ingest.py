"""Bounds, counting, and back-pressure towards both protocols."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future

import grpc
import pytest
from starlette.applications import Starlette

from levo.satellite.queue import JournalFull, JournalUnavailable, Position, Record, RecordKind
from levo.satellite.receive import (
    GrpcReceiver,
    Ingester,
    IngestStatistics,
    Refusal,
    RefusalReason,
    otlp_routes,
)
from tests.satellite.asgi import call
from tests.satellite.requests import Call, traces

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
BODY = traces([Call()] * 3).SerializeToString()


class RecordSink:
    """Takes records, or fails as it is told: at once, or after a while."""

    def __init__(self, at_once: Exception | None = None, later: Exception | None = None) -> None:
        self.records: list[Record] = []
        self._at_once, self._later = at_once, later

    def append(self, record: Record) -> Future[Position]:
        if self._at_once is not None:
            raise self._at_once
        self.records.append(record)
        future: Future[Position] = Future()
        if self._later is not None:
            future.set_exception(self._later)
        else:
            future.set_result(Position(1, len(self.records)))
        return future


def ingester(handover: RecordSink, *, in_flight: int = 1 << 20) -> Ingester:
    return Ingester(
        handover,
        max_request_bytes=1 << 20,
        max_in_flight_bytes=in_flight,
        on_accepted=lambda: None,
        clock_ns=lambda: 77,
    )


def balance(counts: IngestStatistics) -> int:
    return (
        counts.requests_total - counts.accepted_total - sum(counts.refused_total.values()) - counts.in_flight
    )


BUSY = [
    pytest.param(RecordSink(at_once=JournalFull("full")), 429, grpc.StatusCode.RESOURCE_EXHAUSTED, id="full"),
    pytest.param(
        RecordSink(at_once=JournalUnavailable("end")), 503, grpc.StatusCode.UNAVAILABLE, id="closing"
    ),
    pytest.param(
        RecordSink(later=JournalUnavailable("disk")), 503, grpc.StatusCode.UNAVAILABLE, id="disk refuses"
    ),
]


@pytest.mark.parametrize(("handover", "http_status", "_grpc_status"), BUSY)
def test_http_is_told_to_come_back(handover: RecordSink, http_status: int, _grpc_status: object) -> None:
    receiving = ingester(handover)
    app = Starlette(routes=list(otlp_routes(receiving)))
    answer = call(app, "POST", "/v1/traces", BODY, {"content-type": "application/x-protobuf"})

    assert (answer.status, answer.headers["retry-after"]) == (http_status, "2")
    assert receiving.statistics().accepted_items_total[RecordKind.TRACES] == 0
    assert balance(receiving.statistics()) == 0


@pytest.mark.parametrize(("handover", "_http_status", "grpc_status"), BUSY)
def test_grpc_is_told_to_come_back(
    handover: RecordSink, _http_status: int, grpc_status: grpc.StatusCode
) -> None:
    async def run() -> grpc.aio.AioRpcError:
        receiver = GrpcReceiver(ingester(handover))
        port = await receiver.start("127.0.0.1", 0)
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await channel.unary_unary(EXPORT)(BODY)
                return refused.value
        finally:
            await receiver.stop(0)

    error = asyncio.run(run())

    assert error.code() is grpc_status
    details = dict(error.trailing_metadata())["grpc-status-details-bin"]
    assert b"type.googleapis.com/google.rpc.RetryInfo" in details


def test_more_than_may_be_in_flight_is_refused_and_given_back() -> None:
    receiving = ingester(RecordSink(), in_flight=1000)
    app = Starlette(routes=list(otlp_routes(receiving)))
    headers = {"content-type": "application/x-protobuf"}
    answers = [call(app, "POST", "/v1/traces", body, headers).status for body in (BODY, BODY * 9, BODY)]

    assert answers == [200, 429, 200]
    counts = receiving.statistics()
    assert (counts.in_flight, counts.in_flight_bytes, counts.refused_total[RefusalReason.BUSY]) == (0, 0, 1)
    assert balance(counts) == 0


def test_what_is_handed_over_is_what_arrived() -> None:
    handover = RecordSink()
    asyncio.run(ingester(handover).accept(RecordKind.TRACES, BODY, "acme"))

    assert handover.records == [Record(RecordKind.TRACES, 77, "acme", BODY)]


def test_a_request_without_spans_needs_no_journal() -> None:
    handover = RecordSink(at_once=JournalFull("full"))
    checked = asyncio.run(ingester(handover).accept(RecordKind.TRACES, b"", ""))

    assert (checked.items, checked.rejected) == (0, 0)


def test_a_bad_request_is_counted_by_its_reason() -> None:
    receiving = ingester(RecordSink())
    with pytest.raises(Refusal) as refused, receiving.request():
        asyncio.run(receiving.accept(RecordKind.METRICS, b"\xff", ""))

    assert refused.value.retry_after_s is None
    assert receiving.statistics().refused_total[RefusalReason.BAD_REQUEST] == 1
