"""gRPC-Web over HTTP/1: service, method, messages and status, however they are carried."""

from __future__ import annotations

import base64
import gzip
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from levo.config import Redaction
from levo.engine.engine import Engine
from levo.sensor.redact.masking import Masking
from tests.helpers.conversation import converse, exchanges_as_turns
from tests.helpers.effort import scaled
from tests.helpers.engine_runs import run_frames
from tests.helpers.packets import Ends, capture_segments

BINARY, TEXT = b"application/grpc-web+proto", b"application/grpc-web-text"
OK = b"grpc-status:0"


def framed(content: bytes, flags: int = 0) -> bytes:
    return struct.pack("!BI", flags, len(content)) + content


def trailers(*lines: bytes) -> bytes:
    return framed(b"".join(line + b"\r\n" for line in lines), 0x80)


def message(start: bytes, kind: bytes, body: bytes, *more: bytes) -> bytes:
    lines = [start, b"Host: a", b"Content-Type: " + kind, b"Content-Length: %d" % len(body), *more]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def frames_of(
    asked: bytes, answered: bytes, kind: bytes = b"application/grpc-web+proto", *more: bytes
) -> Any:
    pair = (
        message(b"POST /shop.Cart/Add HTTP/1.1", kind, asked),
        message(b"HTTP/1.1 200 OK", kind, answered, *more),
    )
    return capture_segments(converse(exchanges_as_turns([pair])), Ends())


def call(*given: Any) -> dict[str, Any]:
    (found,) = run_frames(frames_of(*given)).exchanges
    return found


def said(found: dict[str, Any]) -> tuple[Any, ...]:
    request, response = found["request"], found["response"]
    return (
        found.get("grpc", False),
        request.get("data_messages", 0),
        response.get("data_messages", 0),
        [tuple(each) for each in response.get("trailers", [])],
    )


@pytest.mark.parametrize("kind", [BINARY, b"application/grpc-web", b"Application/GRPC-Web+json; x=y"])
def test_messages_and_the_trailers_of_the_last_frame(kind):
    found = call(framed(b"hello"), framed(b"abc") + trailers(OK, b"grpc-message: all is well"), kind)

    assert said(found) == (True, 1, 1, [("grpc-status", "0"), ("grpc-message", "all is well")])
    assert found["request"]["data_message_bytes"] == 5
    assert found["response"]["body_size"] == 8 + 5 + len(OK) + 2 + 25 + 2
    assert base64.b64decode(found["response"]["body"]) == framed(b"abc"), "trailers are not content"


def test_the_span_says_service_method_and_status():
    engine = Engine()
    engine.feed(frames_of(framed(b"x"), trailers(b"grpc-status: 13")))
    batch = engine.take()
    batch.decode()
    (span,) = (
        ExportTraceServiceRequest.FromString(bytes(batch.otlp(b"")))
        .resource_spans[0].scope_spans[0].spans
    )  # fmt: skip
    values = {each.key: each.value for each in span.attributes}
    assert span.name == "shop.Cart/Add"
    assert values["rpc.system"].string_value == "grpc"
    assert values["rpc.service"].string_value == "shop.Cart"
    assert values["rpc.method"].string_value == "Add"
    assert values["rpc.grpc.status_code"].int_value == 13
    assert span.status.code == span.status.STATUS_CODE_ERROR


def test_a_call_that_fails_at_once_has_its_status_in_the_head():
    found = call(framed(b"x"), b"", BINARY, b"grpc-status: 12")

    assert said(found) == (True, 1, 0, [])


def test_several_messages_and_compressed_ones():
    found = call(framed(b"x", 1), framed(b"a") + framed(b"bc", 1) + trailers(OK))

    assert said(found) == (True, 1, 2, [("grpc-status", "0")])
    assert (found["grpc_streaming"], found["grpc_compressed"]) == ("server", True)


@pytest.mark.parametrize(
    "text",
    [
        base64.b64encode(framed(b"abc") + trailers(OK)),
        base64.b64encode(framed(b"abc")) + base64.b64encode(trailers(OK)),
        b"\r\n".join(base64.b64encode(each) for each in (framed(b"abc"), trailers(OK))),
    ],
    ids=["whole", "in pieces", "in lines"],
)
def test_base64_is_undone(text):
    found = call(base64.b64encode(framed(b"hello")), text, TEXT)

    assert said(found) == (True, 1, 1, [("grpc-status", "0")])
    assert base64.b64decode(found["response"]["body"]) == framed(b"abc")


def test_what_is_no_base64_stays_as_it_is():
    found = call(b"AAAA{not}", b"gAAA-", TEXT)

    assert said(found) == (True, 0, 0, [])
    assert (found["request"]["body"], found["response"]["body"]) == ("AAAA{not}", "gAAA-")


def test_a_content_coding_is_undone_first():
    found = call(
        framed(b"x"), gzip.compress(framed(b"abc") + trailers(OK)), BINARY, b"Content-Encoding: gzip"
    )

    assert said(found) == (True, 1, 1, [("grpc-status", "0")])


@pytest.mark.parametrize(
    "tail",
    [
        b"\x80\0\0\0\xffgrpc-status:0\r\n",
        framed(b"x:y\n" * 70, 0x80),
        framed(OK, 0x81),
        trailers(OK) + b"\0",
        b"\x80\0\0\0",
    ],
    ids=["cut", "too many", "compressed", "not the last", "no length"],
)
def test_trailers_that_cannot_be_read_stay_in_the_body(tail):
    found = call(framed(b"x"), framed(b"abc") + tail)

    assert said(found) == (True, 1, 1, [])
    assert base64.b64decode(found["response"]["body"]) == framed(b"abc") + tail


@pytest.mark.parametrize("kind", [b"application/json", b"application/grpc-w", b"text/plain"])
def test_other_content_is_left_alone(kind):
    assert said(call(framed(b"hello"), framed(b"abc") + trailers(OK), kind)) == (False, 0, 0, [])


def test_a_credential_among_the_trailers_is_masked():
    engine = Engine()
    engine.feed(frames_of(framed(b"x"), framed(b"a") + trailers(OK, b"authorization: Bearer canary-77")))
    batch = engine.take()
    Masking(Redaction())(batch, 10_000_000, 64_000_000)

    octets = batch.jsonl() + bytes(batch.otlp(b""))
    assert b"Bearer *********" in octets
    assert b"canary-77" not in octets
    assert base64.b64encode(b"canary-77")[:8] not in octets


def test_behind_a_hole_nothing_is_read():
    body = framed(b"a" * 6000) + trailers(OK)
    frames = frames_of(framed(b"x"), body)
    hole = next(i for i, each in enumerate(frames) if b"a" * 1000 in each[1]) + 1
    (found,) = run_frames(frames[:hole] + frames[hole + 1 :]).exchanges

    assert said(found) == (True, 1, 1, [])
    assert found["incomplete"] == "response_gap"


@settings(max_examples=scaled(300))
@given(
    body=st.one_of(
        st.binary(max_size=60),
        st.lists(st.binary(max_size=9).map(framed), max_size=4).map(b"".join),
        st.binary(max_size=40).map(base64.b64encode),
    ),
    kind=st.sampled_from([BINARY, TEXT]),
)
def test_any_octets_are_read_without_harm(body, kind):
    assert call(body, body, kind)["response"]["status"] == 200
