"""Traces from exchanges and HAR files."""

from __future__ import annotations

import pytest

from levo.model.exchange import Address, Exchange, Request, Response
from levo.satellite.learn.exchange import read_har, trace_of
from levo.satellite.learn.trace import Origin

ORIGIN = Origin("o", "e", "a", "")


def test_an_exchange() -> None:
    exchange = Exchange(
        client=Address("10.0.0.1", 5),
        server=Address("10.0.0.2", 8080),
        request=Request(
            method="POST", path="/a", query="b=1", host="Shop.example:80", headers=(("X", "y"),), body=b"{}"
        ),
        response=Response(status=201, body=b"cut", truncated=True),
        start_ns=1,
        end_ns=5,
    )
    trace = trace_of(exchange, ORIGIN)

    assert trace is not None
    assert (trace.host, trace.method, trace.path, trace.query) == ("shop.example", "POST", "/a", "b=1")
    assert (trace.status, trace.request_body, trace.request_whole, trace.response_whole) == (
        201,
        b"{}",
        True,
        False,
    )
    assert trace.request_headers == (("x", "y"),)
    assert trace_of(Exchange(), ORIGIN) is None


def test_a_har_file_and_what_is_none() -> None:
    entry = {
        "startedDateTime": "2024-05-17T09:30:00.000Z",
        "time": 12.5,
        "request": {
            "method": "POST",
            "url": "https://shop.example/a?b=1",
            "headers": [{"name": "Content-Type", "value": "application/json"}],
            "postData": {"text": "{}"},
        },
        "response": {
            "status": 200,
            "headers": [],
            "content": {"text": "e30=", "encoding": "base64", "size": 2},
        },
    }
    (trace,) = read_har({"log": {"entries": [entry, {"request": 3}]}}, ORIGIN)

    assert (trace.host, trace.path, trace.query, trace.status) == ("shop.example", "/a", "b=1", 200)
    assert (trace.request_body, trace.response_body) == (b"{}", b"{}")
    assert trace.end_ns - trace.start_ns == 12_500_000
    with pytest.raises(ValueError, match="no HAR"):
        list(read_har([], ORIGIN))
