"""Keeping the good spans of a request that cannot be decoded as a whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from levo.satellite.receive.salvage import salvage_traces
from tests.satellite.requests import Call, traces

BAD = "DAMAGED"


@given(st.lists(st.lists(st.booleans(), max_size=5), min_size=1, max_size=4))
def test_exactly_the_undecodable_spans_are_missing(groups: list[list[bool]]) -> None:
    request = ExportTraceServiceRequest()
    for number, group in enumerate(groups):
        calls = [
            Call(path=f"/{number}/{i}", more={"note": BAD} if bad else {}) for i, bad in enumerate(group)
        ]
        request.MergeFrom(traces(calls, {"service.name": f"app-{number}"}))
    octets = request.SerializeToString().replace(BAD.encode(), b"\xff" * len(BAD))
    bad = sum(map(sum, groups))
    salvaged = salvage_traces(octets)

    if not bad:
        assert salvaged is None  # it was decodable, so nobody asks
        return
    assert salvaged is not None
    kept = ExportTraceServiceRequest.FromString(salvaged[0])
    assert salvaged[1] == bad
    for resource_spans, expected in zip(kept.resource_spans, request.resource_spans, strict=True):
        assert resource_spans.resource == expected.resource
        good = [s for s in expected.scope_spans[0].spans if not any(a.key == "note" for a in s.attributes)]
        assert list(resource_spans.scope_spans[0].spans) == good


@given(st.binary(max_size=200))
def test_any_octets_give_none_or_something_decodable(octets: bytes) -> None:
    salvaged = salvage_traces(octets)
    if salvaged is not None:
        ExportTraceServiceRequest.FromString(salvaged[0])


def test_broken_framing_is_not_guessed_at() -> None:
    octets = traces([Call(), Call()]).SerializeToString()

    assert salvage_traces(octets[:-1]) is None
    assert salvage_traces(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01") is None
