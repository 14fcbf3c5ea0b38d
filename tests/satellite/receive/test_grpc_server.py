"""OTLP/gRPC as a client sees it, with the stubs that come with the published definitions."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from tests.satellite.receive.test_http_routes import known
from tests.satellite.requests import Call, traces
from tests.satellite.running import RunningSatellite

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@pytest.fixture
def channel(satellite: RunningSatellite) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(satellite.grpc, options=[("grpc.max_send_message_length", -1)]) as channel:
        yield channel


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_traces_are_received(
    satellite: RunningSatellite, channel: grpc.Channel, compression: grpc.Compression
) -> None:
    application = f"grpc-{compression.name}"
    answer = TraceServiceStub(channel).Export(  # type: ignore[no-untyped-call]
        traces([Call(status=204)] * 2, {"service.name": application}), compression=compression
    )

    assert answer == ExportTraceServiceResponse()
    assert known(satellite, application)[0]["statuses"] == {"204": 2}


def test_the_organization_in_metadata_wins(satellite: RunningSatellite, channel: grpc.Channel) -> None:
    request = traces([Call()], {"service.name": "grpc-org", "levo.organization.id": "resource"})
    TraceServiceStub(channel).Export(request, metadata=[("x-levo-organization-id", "metadata")])  # type: ignore[no-untyped-call]

    assert known(satellite, "grpc-org")[0]["organization"] == "metadata"


def test_partial_success_is_told(satellite: RunningSatellite, channel: grpc.Channel) -> None:
    request = traces([Call()] * 3, {"service.name": "grpc-partial"})
    request.resource_spans[0].scope_spans[0].spans[0].trace_id = b""
    answer = TraceServiceStub(channel).Export(request)  # type: ignore[no-untyped-call]

    assert answer.partial_success.rejected_spans == 1


def test_octets_that_are_no_request_are_an_invalid_argument(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary(EXPORT)(b"\xff\xff\xff")

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_oversize_and_bombs_are_refused(channel: grpc.Channel, compression: grpc.Compression) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary(EXPORT)(bytes(80 << 20), compression=compression)

    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    # Without RetryInfo the OTLP specification tells a client not to try again.
    assert "grpc-status-details-bin" not in {key for key, _ in refused.value.trailing_metadata()}


def test_other_services_are_not_there(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        LogsServiceStub(channel).Export(ExportLogsServiceRequest())  # type: ignore[no-untyped-call]

    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    ("metadata", "taken"),
    [
        pytest.param([("x-large", "y" * 100_000)], False, id="100 kB"),
        pytest.param([(f"x-{n}", "y") for n in range(5000)], False, id="5,000 fields"),
        pytest.param([(f"x-{n}", "y") for n in range(100)], True, id="100 fields"),
    ],
)
def test_header_fields_are_bounded(
    channel: grpc.Channel, metadata: list[tuple[str, str]], taken: bool
) -> None:
    try:
        channel.unary_unary(EXPORT)(b"", metadata=metadata)
    except grpc.RpcError as error:
        assert not taken and error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    else:
        assert taken
