"""OTLP/HTTP as a client sees it."""

from __future__ import annotations

import gzip
import json
import socket
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from levo.satellite.receive import Refusal, RefusalReason
from levo.satellite.receive.http_routes import bounded_gunzip
from tests.satellite.requests import Call, traces
from tests.satellite.running import RunningSatellite, until

PROTOBUF, JSON = "application/x-protobuf", "application/json"


def known(satellite: RunningSatellite, application: str) -> list[dict[str, object]]:
    until(lambda: len(satellite.endpoints(f"?application={application}")) > 0)
    return satellite.endpoints(f"?application={application}")


def otlp_json(application: str, calls: list[Call]) -> bytes:
    """OTLP's JSON form: that of protobuf, but with ids in hexadecimal and enums as numbers."""
    request = traces(calls, {"service.name": application})
    document = json_format.MessageToDict(request, use_integers_for_enums=True)
    for span, made in zip(
        document["resourceSpans"][0]["scopeSpans"][0]["spans"],
        request.resource_spans[0].scope_spans[0].spans,
        strict=True,
    ):
        span["traceId"], span["spanId"] = made.trace_id.hex(), made.span_id.hex().upper()
    return json.dumps(document).encode()


@pytest.mark.parametrize("port", ["web", "otlp_http"])
@pytest.mark.parametrize("encode", [None, gzip.compress], ids=["plain", "gzip"])
def test_protobuf_is_received_on_both_ports(
    satellite: RunningSatellite, port: str, encode: Callable[[bytes], bytes] | None
) -> None:
    application = f"protobuf-{port}-{encode is not None}"
    body = traces([Call()] * 3, {"service.name": application}).SerializeToString()
    headers = {"content_encoding": "gzip"} if encode else {}
    answer = satellite.post(
        "/v1/traces",
        encode(body) if encode else body,
        getattr(satellite, port),
        content_type=PROTOBUF,
        **headers,
    )

    assert (answer.status, answer.headers["content-type"]) == (200, PROTOBUF)
    assert ExportTraceServiceResponse.FromString(answer.body) == ExportTraceServiceResponse()
    assert known(satellite, application)[0]["count"] == 3


def test_json_is_received(satellite: RunningSatellite) -> None:
    calls = [Call(path="/items/17", weight=2), Call(path="/items/18", status=404)]
    answer = satellite.post("/v1/traces", otlp_json("json", calls), content_type=JSON + "; charset=utf-8")

    assert (answer.status, answer.headers["content-type"], answer.json()) == (200, JSON, {})
    (endpoint,) = known(satellite, "json")
    assert (endpoint["path"], endpoint["statuses"]) == ("/items/{itemId}", {"200": 2, "404": 1})


def test_spans_with_wrong_ids_are_a_partial_success(satellite: RunningSatellite) -> None:
    request = traces([Call()] * 4, {"service.name": "wrong-ids"})
    request.resource_spans[0].scope_spans[0].spans[1].trace_id = b"short"
    request.resource_spans[0].scope_spans[0].spans[2].span_id = b""
    answer = satellite.post("/v1/traces", request.SerializeToString(), content_type=PROTOBUF)

    told = ExportTraceServiceResponse.FromString(answer.body).partial_success
    assert (answer.status, told.rejected_spans) == (200, 2)
    assert told.error_message
    assert known(satellite, "wrong-ids")[0]["count"] == 2


def test_a_span_that_cannot_be_decoded_does_not_take_the_others_with_it(satellite: RunningSatellite) -> None:
    request = traces([Call(more={"note": "REPLACE"}), Call(), Call()], {"service.name": "not-utf-8"})
    body = request.SerializeToString().replace(b"REPLACE", b"\xff\xfe\xfd\xfc\xff\xff\xff")
    answer = satellite.post("/v1/traces", body, content_type=PROTOBUF)

    assert ExportTraceServiceResponse.FromString(answer.body).partial_success.rejected_spans == 1
    assert known(satellite, "not-utf-8")[0]["count"] == 2


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        pytest.param({"content_type": PROTOBUF}, b"\xff\xff\xff", 400, id="no protobuf"),
        pytest.param({"content_type": JSON}, b"{", 400, id="no JSON"),
        pytest.param({"content_type": JSON}, b"[1]", 400, id="JSON of another kind"),
        pytest.param(
            {"content_type": JSON}, b'{"resourceSpans": [{"resource": 7}]}', 400, id="wrong JSON type"
        ),
        pytest.param({"content_type": JSON}, b"[" * 100_000, 400, id="deep JSON"),
        pytest.param({"content_type": "text/plain"}, b"", 415, id="another media type"),
        pytest.param({}, b"", 415, id="no media type"),
        pytest.param({"content_type": PROTOBUF, "content_encoding": "br"}, b"", 415, id="another coding"),
        pytest.param({"content_type": PROTOBUF, "content_encoding": "gzip"}, b"no gzip", 415, id="no gzip"),
        pytest.param(
            {"content_type": PROTOBUF, "content_encoding": "gzip"},
            gzip.compress(b"x" * 99)[:-9],
            415,
            id="cut gzip",
        ),
        pytest.param(
            {"content_type": PROTOBUF, "content_encoding": "gzip"},
            gzip.compress(bytes(80 << 20)),
            413,
            id="zip bomb",
        ),
        pytest.param({"content_type": PROTOBUF}, bytes((64 << 20) + 1), 413, id="oversize"),
    ],
)
def test_what_cannot_be_used_is_refused(
    satellite: RunningSatellite, headers: dict[str, str], body: bytes, status: int
) -> None:
    before = satellite.metric("levo_satellite_requests_accepted_total")
    answer = satellite.post("/v1/traces", body, satellite.otlp_http, **headers)

    assert answer.status == status
    assert "retry-after" not in answer.headers
    assert satellite.metric("levo_satellite_requests_accepted_total") == before


def test_a_body_that_never_says_its_length_is_cut_off(satellite: RunningSatellite) -> None:
    host, _, port = satellite.otlp_http.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=90) as client:
        client.sendall(
            b"POST /v1/traces HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-protobuf\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )
        chunk = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
        answer = b""
        try:
            for _ in range(70):
                client.sendall(chunk)
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            answer = client.recv(100)
        except ConnectionResetError:
            return  # closed while we were still sending, which is as good
    assert answer.startswith(b"HTTP/1.1 413")


def test_only_post_is_known(satellite: RunningSatellite) -> None:
    assert satellite.get("/v1/traces").status == 405


def test_the_otlp_port_has_no_pages(satellite: RunningSatellite) -> None:
    from tests.satellite.running import fetch

    assert fetch("GET", satellite.otlp_http + "/healthz", None, {}).status == 200
    assert fetch("GET", satellite.otlp_http + "/api/endpoints", None, {}).status == 404


@given(st.binary(max_size=2000), st.integers(1, 4), st.integers(0, 12))
def test_bounded_gunzip_undoes_gzip_in_any_number_of_members(data: bytes, members: int, cut: int) -> None:
    size = -(-len(data) // members) or 1
    packed = b"".join(gzip.compress(data[i : i + size]) for i in range(0, len(data), size))

    assert bounded_gunzip(packed, len(data)) == data
    if cut and packed:
        with pytest.raises(Refusal):
            bounded_gunzip(packed[:-cut], len(data))


@given(st.integers(1, 3000), st.integers(1, 200))
def test_bounded_gunzip_stops_at_its_limit(size: int, over: int) -> None:
    with pytest.raises(Refusal) as refused:
        bounded_gunzip(zlib.compress(bytes(size), wbits=31), max(0, size - over))

    assert refused.value.reason is RefusalReason.TOO_LARGE


def test_members_without_content_cost_no_more_than_their_number(satellite: RunningSatellite) -> None:
    body = gzip.compress(b"") * 150_000
    answer = satellite.post("/v1/traces", body, content_type=PROTOBUF, content_encoding="gzip")

    assert answer.status == 415
    assert b"more than 256 members" in answer.body


@given(st.integers(1, 256), st.binary(max_size=300))
def test_members_up_to_the_bound_are_read_wherever_windows_cut_them(members: int, data: bytes) -> None:
    packed = gzip.compress(data) * members

    assert bounded_gunzip(packed, len(data) * members) == data * members
    with pytest.raises(Refusal):
        bounded_gunzip(packed + b"\0", len(data) * members)


def test_a_bomb_is_refused_before_it_is_held() -> None:
    bomb = zlib.compress(bytes(80 << 20), wbits=31)
    for packed in (bomb, zlib.compress(bytes(20 << 20), wbits=31) * 4):
        tracemalloc.start()
        try:
            with pytest.raises(Refusal) as refused:
                bounded_gunzip(packed, 64 << 20)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert refused.value.reason is RefusalReason.TOO_LARGE
        assert most < 16 << 20
