"""``encode.otlp``: what the published protobuf definitions read equals the values of the same batch."""

from __future__ import annotations

import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from levo.engine.exchange.batch import Batch
from levo.model.exchange import Exchange, Message, Request, Response
from levo.wire.resource import encode_resource
from tests.helpers.exchanges import examples, exchanges, simple_exchange

KNOWN_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"}


def python_value(value: AnyValue) -> object:
    kind = value.WhichOneof("value")
    assert kind is not None
    if kind == "array_value":
        return [python_value(one) for one in value.array_value.values]
    return getattr(value, kind)


def spans_of(batch: Batch, resource: bytes = b"") -> list[Span]:
    request = ExportTraceServiceRequest.FromString(bytes(batch.otlp(resource)))
    return [span for r in request.resource_spans for scope in r.scope_spans for span in scope.spans]


def attributes_of(span: Span) -> dict[str, object]:
    attributes = {pair.key: python_value(pair.value) for pair in span.attributes}
    assert len(attributes) == len(span.attributes), "a key stands twice"
    return attributes


def only(exchange: Exchange) -> tuple[Span, dict[str, object]]:
    (span,) = spans_of(Batch.build([exchange]))
    return span, attributes_of(span)


def lower_ascii(text: str) -> str:
    return re.sub("[A-Z]", lambda match: match[0].lower(), text)


def expected_fields(prefix: str, section: tuple[tuple[str, str], ...]) -> dict[str, object]:
    grouped: dict[str, list[str]] = {}
    for name, value in section:
        grouped.setdefault(prefix + lower_ascii(name), []).append(value)
    return dict(grouped)


def expected_message(side: str, message: Message) -> dict[str, object]:
    out: dict[str, object] = {f"http.{side}.body.size": message.wire_body_size}
    out |= expected_fields(f"http.{side}.header.", message.headers)
    out |= expected_fields(f"levo.http.{side}.trailer.", message.trailers)
    if message.body_size != message.wire_body_size:
        out[f"levo.http.{side}.body.size"] = message.body_size
    if message.body:
        out[f"levo.http.{side}.body"] = message.body if message.body_text is None else message.body_text
    if message.truncated:
        out[f"levo.http.{side}.body.truncated"] = True
    if message.missing_bytes:
        out[f"levo.http.{side}.body.missing_bytes"] = message.missing_bytes
    if message.data_messages:
        out[f"levo.http.{side}.data_messages"] = message.data_messages
        out[f"levo.http.{side}.data_message_bytes"] = message.data_message_bytes
    return out


def expected_attributes(exchange: Exchange) -> dict[str, object]:
    """Everything but server.address, server.port, rpc.* and error.type, from the value."""
    request, response = exchange.request, exchange.response
    message = request or response
    assert message is not None
    out: dict[str, object] = {
        "network.local.address": exchange.server.address,
        "network.local.port": exchange.server.port,
        "client.address": exchange.client.address,
        "client.port": exchange.client.port,
        "network.protocol.name": "websocket" if exchange.protocol == "websocket" else "http",
        "network.protocol.version": message.version,
        "levo.sample.weight": exchange.weight,
        "levo.timing.total_ns": exchange.end_ns - exchange.start_ns,
    }
    if request is not None:
        if request.method in KNOWN_METHODS:
            out["http.request.method"] = request.method
        elif request.method:
            out |= {"http.request.method": "_OTHER", "http.request.method_original": request.method}
        out |= {"url.scheme": request.scheme}
        if request.path:
            out["url.path"] = request.path
        out |= expected_message("request", request)
    if response is not None:
        if response.status:
            out["http.response.status_code"] = response.status
        if response.reason:
            out["levo.http.response.reason"] = response.reason
        out |= expected_message("response", response)
    if request is not None and response is not None:
        out["levo.timing.time_to_first_byte_ns"] = response.start_ns - exchange.start_ns
    anomalies = [f"request.{name}" for name in (request.anomalies if request else ())]
    anomalies += [f"response.{name}" for name in (response.anomalies if response else ())]
    if anomalies:
        out["levo.anomalies"] = anomalies
    if exchange.incomplete:
        out["levo.exchange.incomplete"] = exchange.incomplete
    if exchange.interim:
        out["levo.http.interim_responses"] = exchange.interim
    if exchange.stream_id:
        out["levo.http2.stream_id"] = exchange.stream_id
    return out


@examples(80)
@given(st.lists(exchanges(), min_size=1, max_size=3))
def test_spans_say_what_the_values_say(values):
    batch = Batch.build(values)

    for span, exchange in zip(spans_of(batch), batch.exchanges(), strict=True):
        attributes = attributes_of(span)
        request = exchange.request
        if request is not None:
            if "url.query" in attributes or request.query:
                assert attributes.pop("url.query") == request.query
            plain = {request.path, f"{request.path}?{request.query}"}
            if request.target not in plain or "levo.http.request.target" in attributes:
                assert attributes.pop("levo.http.request.target") == request.target
        for key in [key for key in attributes if key.startswith(("rpc.", "server."))]:
            del attributes[key]
        assert attributes.pop("error.type", None) == error_type(exchange)
        assert attributes == expected_attributes(exchange)
        assert span.kind == Span.SPAN_KIND_SERVER
        assert (span.start_time_unix_nano, span.end_time_unix_nano) == (exchange.start_ns, exchange.end_ns)
        assert len(span.trace_id) == 16 and any(span.trace_id)
        assert len(span.span_id) == 8 and any(span.span_id)
        failed = error_type(exchange) is not None
        assert span.status.code == (Status.STATUS_CODE_ERROR if failed else Status.STATUS_CODE_UNSET)


def error_type(exchange: Exchange) -> str | None:
    response = exchange.response
    if response is not None and response.status >= 500:
        return str(response.status)
    if exchange.grpc and response is not None:
        for section in (response.trailers, response.headers):
            codes = [value for name, value in section if name.lower() == "grpc-status"]
            if codes:
                if re.fullmatch("[0-9]{1,4}", codes[0]) and int(codes[0]) in (2, 4, 12, 13, 14, 15):
                    return str(int(codes[0]))
                break
    if exchange.incomplete in ("no_response", "request_cut", "response_cut", "reset_stream"):
        return exchange.incomplete
    return None


@examples(40)
@given(st.lists(exchanges(), min_size=1, max_size=3), st.text(max_size=200))
def test_the_encoding_is_the_one_protobuf_itself_writes(values, name):
    """Shortest lengths, fields in order: decoding and encoding again gives the same octets."""
    encoded = bytes(Batch.build(values).otlp(encode_resource({"service.name": name}), scope_version="1.2.3"))

    assert ExportTraceServiceRequest.FromString(encoded).SerializeToString(deterministic=True) == encoded


@pytest.mark.parametrize("size", [0, 1, 100, 127, 128, 16_000, 16_383, 16_384, 300_000, 3_000_000])
def test_bodies_of_any_size_fit_their_lengths(size):
    body = b"x" * size

    _, attributes = only(simple_exchange(request=Request(body=body, method="POST")))

    assert attributes.get("levo.http.request.body", "") == body.decode()


@pytest.mark.parametrize(
    ("host", "address", "port"),
    [
        pytest.param("api.example.com", "api.example.com", 8080, id="name: port of the connection"),
        pytest.param("api.example.com:81", "api.example.com", 81, id="name and port"),
        pytest.param("[2001:db8::1]:82", "2001:db8::1", 82, id="IPv6 and port"),
        pytest.param("[2001:db8::1]", "2001:db8::1", 8080, id="IPv6"),
        pytest.param("api.example.com:99999", "api.example.com", 8080, id="port out of range"),
        pytest.param("api.example.com:", "api.example.com", 8080, id="empty port"),
        pytest.param("", "192.0.2.1", 8080, id="nothing: address of the connection"),
    ],
)
def test_server_is_the_host_that_was_asked_for(host, address, port):
    _, attributes = only(simple_exchange(request=Request(headers=(("Host", host),))))

    assert (attributes["server.address"], attributes["server.port"]) == (address, port)
    assert (attributes["network.local.address"], attributes["network.local.port"]) == ("192.0.2.1", 8080)


@pytest.mark.parametrize(
    ("exchange", "name"),
    [
        pytest.param(simple_exchange(request=Request(method="PATCH")), "PATCH", id="method"),
        pytest.param(simple_exchange(request=Request(method="BREW")), "HTTP", id="unknown method"),
        pytest.param(simple_exchange(request=None), "HTTP", id="no request"),
        pytest.param(
            simple_exchange(request=Request(method="POST", target="/shop.Cart/Add", version="2"), grpc=True),
            "shop.Cart/Add",
            id="gRPC",
        ),
    ],
)
def test_span_names_follow_the_conventions(exchange, name):
    assert only(exchange)[0].name == name


@pytest.mark.parametrize(
    ("trailers", "headers", "code", "error"),
    [
        pytest.param((("grpc-status", "0"),), (), 0, None, id="OK"),
        pytest.param((("grpc-status", "5"),), (), 5, None, id="NOT_FOUND is the client's"),
        pytest.param((("grpc-status", "13"),), (), 13, "13", id="INTERNAL"),
        pytest.param((), (("grpc-status", "14"),), 14, "14", id="trailers only"),
        pytest.param((), (), None, None, id="unknown"),
        pytest.param((("grpc-status", "x"),), (), None, None, id="no number"),
    ],
)
def test_grpc_calls_carry_service_method_and_status(trailers, headers, code, error):
    request = Request(method="POST", target="/shop.v1.Cart/Add", version="2")
    response = Response(version="2", headers=headers, trailers=trailers)

    _, attributes = only(simple_exchange(request=request, response=response, protocol="http/2", grpc=True))

    assert attributes["rpc.system"] == "grpc"
    assert (attributes["rpc.service"], attributes["rpc.method"]) == ("shop.v1.Cart", "Add")
    assert (attributes.get("rpc.grpc.status_code"), attributes.get("error.type")) == (code, error)


def test_a_body_decoded_to_another_size_has_both():
    response = Response(body=b"x" * 50, wire_body_size=20, decoded=True)

    _, attributes = only(simple_exchange(response=response))

    assert attributes["http.response.body.size"] == 20
    assert attributes["levo.http.response.body.size"] == 50


def test_scope_and_resource_stand_around_the_spans():
    attributes = {
        "service.name": "shop",
        "n": 7,
        "minus": -1,
        "f": 1.5,
        "yes": True,
        "list": ["a", 1],
        "b": b"\0",
    }
    encoded = Batch.build([simple_exchange()]).otlp(
        encode_resource(attributes | {"absent": None}), scope_version="9.8.7"
    )

    (resource_spans,) = ExportTraceServiceRequest.FromString(bytes(encoded)).resource_spans

    assert {a.key: python_value(a.value) for a in resource_spans.resource.attributes} == attributes
    (scope_spans,) = resource_spans.scope_spans
    assert (scope_spans.scope.name, scope_spans.scope.version) == ("levo-sensor", "9.8.7")


def test_negative_durations_do_not_occur():
    late = dataclasses.replace(simple_exchange().response, start_ns=1, end_ns=2)

    span, attributes = only(simple_exchange(response=late))

    assert span.start_time_unix_nano == 1
    assert attributes["levo.timing.total_ns"] >= 0
    assert attributes["levo.timing.time_to_first_byte_ns"] == 0


@pytest.mark.parametrize("status", [0, 2, 99, 600, 999, 40_000])
def test_no_number_outside_100_to_599_is_a_status_code(status):
    """Nor in values from elsewhere, such as lines of an earlier version."""
    span, attributes = only(
        Exchange(request=Request(), response=Response(status=status, anomalies=("bad_status",)))
    )

    assert "http.response.status_code" not in attributes and "error.type" not in attributes
    assert attributes["levo.anomalies"] == ["response.bad_status"]
    assert span.status.code == Status.STATUS_CODE_UNSET


def test_a_path_that_is_not_known_is_absent():
    """HTTP/2 joined late: the path was named by a table entry that nobody saw."""
    exchange = simple_exchange()
    assert exchange.request is not None
    unknown = dataclasses.replace(exchange.request, path="", target="", query="")
    _, attributes = only(dataclasses.replace(exchange, request=unknown))
    assert "url.path" not in attributes and attributes["http.request.method"] == unknown.method
