"""Traces from exchanges and HAR files."""

from __future__ import annotations

import pytest

from levo.model.exchange import Address, Exchange, Request, Response
from levo.satellite.learn.exchange import trace_of
from levo.satellite.learn.trace import INVALID_STATUS, Origin

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


@pytest.mark.parametrize(
    ("target", "path", "expected"), [("", "", ""), ("http://shop.example", "", "/"), ("/a", "/a", "/a")]
)
def test_a_path_is_not_invented(target: str, path: str, expected: str) -> None:
    """As of a connection of HTTP/2 that was joined late, where nothing is known of it."""
    trace = trace_of(Exchange(request=Request(target=target, path=path)), ORIGIN)
    assert trace is not None and trace.path == expected


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (None, 0),
        (Response(status=0), 0),
        (Response(status=0, anomalies=("bad_status",)), INVALID_STATUS),
        (Response(status=999), INVALID_STATUS),
        (Response(status=599), 599),
    ],
)
def test_a_status_outside_100_to_599_is_none(response: Response | None, expected: int) -> None:
    """Lines of an earlier sensor hold numbers that are no status codes."""
    trace = trace_of(Exchange(request=Request(), response=response), ORIGIN)

    assert trace is not None and trace.status == expected


@pytest.mark.parametrize(("scheme", "expected"), [("https", "https"), ("http", "http"), ("ftp", "")])
def test_the_scheme_of_the_request_is_kept(scheme: str, expected: str) -> None:
    trace = trace_of(Exchange(request=Request(scheme=scheme, host="a:443")), ORIGIN)

    assert trace is not None and trace.scheme == expected
    assert trace.host == ("a" if scheme == "https" else "a:443")


@pytest.mark.parametrize("side", ["request", "response"])
def test_a_head_that_was_cut_is_marked_and_its_message_is_not_whole(side: str) -> None:
    request, response = Request(body=b"a"), Response(body=b"a")
    if side == "request":
        request = Request(body=b"a", anomalies=("head_cut",))
    else:
        response = Response(body=b"a", anomalies=("head_cut",))
    trace = trace_of(Exchange(request=request, response=response, incomplete=f"{side}_gap"), ORIGIN)

    assert trace is not None
    assert trace.request_head_whole == trace.request_whole == (side != "request")
    assert trace.response_head_whole == trace.response_whole == (side != "response")
