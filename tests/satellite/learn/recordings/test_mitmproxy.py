"""Flows saved by mitmproxy."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.satellite.learn import Trace
from levo.satellite.learn.har import HarReport, read_har
from levo.satellite.learn.recordings import mitmproxy_entries
from levo.satellite.learn.trace import Origin


def written(value: Any) -> bytes:
    """Return *value* as a typed netstring."""
    if value is None:
        payload, kind = b"", b"~"
    elif isinstance(value, bool):
        payload, kind = str(value).lower().encode(), b"!"
    elif isinstance(value, (int, float)):
        payload, kind = repr(value).encode(), b"#" if isinstance(value, int) else b"^"
    elif isinstance(value, bytes):
        payload, kind = value, b","
    elif isinstance(value, str):
        payload, kind = value.encode(), b";"
    elif isinstance(value, list):
        payload, kind = b"".join(map(written, value)), b"]"
    else:
        payload, kind = b"".join(written(each) for pair in value.items() for each in pair), b"}"
    return str(len(payload)).encode() + b":" + payload + kind


def flow(**request: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "version": 21,
        "error": None,
        "request": {
            "method": b"POST",
            "scheme": b"https",
            "host": "192.0.2.1",
            "port": 8443,
            "authority": b"",
            "path": b"/users?a=1",
            "headers": [[b"Host", b"shop.example"], [b"content-type", b"application/json"]],
            "content": b'{"name": 1}',
            "timestamp_start": 1715938200.5,
            **request,
        },
        "response": {
            "status_code": 201,
            "headers": [[b"Content-Type", b"application/json"], [b"Content-Encoding", b"br"]],
            "content": brotli.compress(b'{"id": 7}'),
        },
    }


def read(*flows: Any) -> tuple[list[Trace], HarReport]:
    report = HarReport()
    entries = list(mitmproxy_entries(b"".join(map(written, flows))))
    return list(read_har({"log": {"entries": entries}}, Origin("o", "e", "a", ""), report)), report


def test_a_flow() -> None:
    (trace,), report = read(flow())

    assert (trace.method, trace.host, trace.path, trace.query) == ("POST", "shop.example", "/users", "a=1")
    assert (trace.status, trace.request_body, trace.response_body) == (201, b'{"name": 1}', b'{"id": 7}')
    assert trace.start_ns == 1_715_938_200_500_000_000
    assert report.used == 1 and not list(report.lines())


def test_a_flow_that_names_no_host_has_that_of_its_connection() -> None:
    (trace,), _ = read(flow(headers=[]))

    assert trace.host == "192.0.2.1:8443"


def test_flows_of_other_protocols_and_without_response() -> None:
    traces, report = read({"type": "tcp", "messages": []}, {**flow(), "response": None})

    assert [each.status for each in traces] == [0]
    assert [*report.lines()] == ["1 entry with no response"]


@pytest.mark.parametrize("octets", [b"5:ab", b"x", b"3:abc?", b"1:x,", b"99999999999999:", b"4:1:a,]"])
def test_what_is_no_such_file(octets: bytes) -> None:
    with pytest.raises(ValueError, match=r"netstring|breaks off|type|dictionary"):
        list(mitmproxy_entries(octets))


@given(st.binary(max_size=60), st.integers(0, 400))
def test_any_octets_end_in_flows_or_an_error(junk: bytes, at: int) -> None:
    whole = written(flow())
    with suppress(ValueError):
        list(mitmproxy_entries(whole[:at] + junk + whole[at:]))
