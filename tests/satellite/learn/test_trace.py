"""API traces out of spans."""

from __future__ import annotations

import dataclasses

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from levo.engine.engine import Engine
from levo.satellite.learn import State, Trace, learn_all, merge
from levo.satellite.learn.trace import INVALID_STATUS, LONGEST_NS, clean_host, read_delivery
from tests.helpers.conversation import converse
from tests.helpers.http2_peers import Peers, request_head, response_head
from tests.helpers.packets import capture_segments
from tests.satellite.requests import RESOURCE, Call, traces

NOW = 1_700_000_000_000_000_000


def read_one(call: Call, organization: str = "", **resource: str) -> Trace | None:
    named = {name.replace("_", "."): value for name, value in resource.items()}
    (found,) = read_delivery(traces([call], named or RESOURCE).SerializeToString(), organization, NOW)[1]
    return found


def read(call: Call, organization: str = "", **resource: str) -> Trace:
    found = read_one(call, organization, **resource)
    assert found is not None
    return found


def test_all_that_is_learned_from() -> None:
    trace = read(Call("PUT", "/a?b", 201, 3, "API.Example.", 8443, "https", NOW))

    assert (trace.method, trace.path, trace.status, trace.weight) == ("PUT", "/a?b", 201, 3.0)
    assert (trace.host, trace.end_ns, trace.start_ns) == ("api.example:8443", NOW, NOW - 3_000_000)
    assert dataclasses.astuple is not None and trace.origin.application == "shop"


@pytest.mark.parametrize(
    ("scheme", "host", "port", "expected"),
    [
        ("http", "a", 80, "a"),
        ("https", "a", 443, "a"),
        ("https", "a", 80, "a:80"),
        ("http", "a", None, "a"),
        ("http", "::1", 8080, "[::1]:8080"),
        ("http", "a\nb", 80, "a\ufffdb"),
        ("http", "", 99999, ""),
    ],
)
def test_hosts(scheme: str, host: str, port: int | None, expected: str) -> None:
    assert read(Call(scheme=scheme, host=host, port=port)).host == expected


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        (None, 1.0),
        (1, 1.0),
        (7, 7.0),
        (2.5, 2.5),
        (0, 1.0),
        (-3, 1.0),
        (float("nan"), 1.0),
        (float("inf"), 1.0),
        (1e300, 1e9),
    ],
)
def test_weights(weight: float | None, expected: float) -> None:
    assert read(Call(weight=weight)).weight == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, 0),
        (0, 0),
        ("", 0),
        (0.0, 0),
        (200, 200),
        (599, 599),
        ("404", 404),
        (204.0, 204),
        (99, INVALID_STATUS),
        (600, INVALID_STATUS),
        (999, INVALID_STATUS),
        (-5, INVALID_STATUS),
        (2**62, INVALID_STATUS),
        ("2XX", INVALID_STATUS),
        ("\u0662\u0660\u0660", INVALID_STATUS),
        ("9" * 5000, INVALID_STATUS),
        (200.5, INVALID_STATUS),
        (float("nan"), INVALID_STATUS),
        (float("-inf"), INVALID_STATUS),
        (b"200", INVALID_STATUS),
    ],
)
def test_statuses_of_any_collector(status: object, expected: int) -> None:
    """An absent code is no response, one that is none is a response without a code."""
    call = Call(status=None, more={} if status is None else {"http.response.status_code": status})  # type: ignore[dict-item]
    assert read(call).status == expected


@pytest.mark.parametrize("attribute", ["levo.anomalies", "levo.findings"])
def test_an_anomaly_tells_a_bad_status_from_no_response_under_its_earlier_name_too(attribute: str) -> None:
    request = traces([Call(status=None)])
    (span,) = request.resource_spans[0].scope_spans[0].spans
    found = span.attributes.add(key=attribute).value.array_value
    found.values.add(string_value="response.bare_lf")

    def status() -> int:
        (trace,) = read_delivery(request.SerializeToString(), "", NOW)[1]
        assert trace is not None
        return trace.status

    assert status() == 0
    found.values.add(string_value="response.bad_status")
    assert status() == INVALID_STATUS


@pytest.mark.parametrize(
    ("named", "expected"),
    [("http", "http"), ("https", "https"), ("HTTPS", "https"), ("wss", "https"), ("", ""), ("a://b", "")],
)
def test_schemes(named: str, expected: str) -> None:
    call = Call(scheme=named)
    (trace,) = read_delivery(traces([call]).SerializeToString(), "", NOW)[1]

    assert trace is not None and trace.scheme == read(call).scheme == expected


def test_a_clients_header_does_not_make_a_scheme() -> None:
    call = Call(scheme="http", more={"http.request.header.x-forwarded-proto": "https"})

    assert read(call).scheme == "http"


@pytest.mark.parametrize("end_ns", [0, 86_400 * 10**9, NOW + 400 * 10**9, 2**64 - 1])
def test_times_that_cannot_be_are_the_time_of_receipt_and_how_long_it_took_stays(end_ns: int) -> None:
    trace = read(Call(end_ns=end_ns))

    assert trace.end_ns == NOW
    assert trace.start_ns == NOW - (3_000_000 if end_ns else 0)


@pytest.mark.parametrize("start_ns", [1, 2**64 - 1, NOW - LONGEST_NS - 1])
def test_nothing_is_known_of_how_long_it_took_when_the_clock_was_set_meanwhile(start_ns: int) -> None:
    request = traces([Call(end_ns=NOW)])
    request.resource_spans[0].scope_spans[0].spans[0].start_time_unix_nano = start_ns
    (trace,) = read_delivery(request.SerializeToString(), "", NOW)[1]

    assert trace is not None and trace.start_ns == trace.end_ns == NOW


def test_a_connection_that_was_joined_late_invents_no_path() -> None:
    """Neither ``/`` nor an endpoint: what the tables of HPACK held is not known."""
    peers = Peers()
    for stream in range(1, 121, 2):
        path = "/shop.v1.Cart/Add" if stream < 80 else f"/shop.v1.Cart/Add{stream}"  # names its path anew
        peers.head(True, stream, request_head("POST", path), end=True)
        peers.flush(True)
        peers.head(False, stream, response_head(200), end=True)
        peers.flush(False)
    engine = Engine()
    engine.feed(capture_segments(converse(peers.turns))[30:])
    engine.finish()
    found = read_delivery(bytes(engine.take().otlp(b"")), "", NOW)[1]
    state = learn_all(State(), found)
    unknown = [trace for trace in found if trace is not None and not trace.path]

    assert unknown and len(unknown) < len(found)
    assert state.unknown_path_exchanges == len(unknown)
    assert state.traces == state.exchanges == len(found)
    assert {key.place.split("/")[1] for key in state.endpoints} == {"shop.v1.Cart"}
    both = merge(state, state)
    assert both.unknown_path_exchanges == 2 * len(unknown)


@pytest.mark.parametrize(
    ("more", "path"),
    [({}, ""), ({"levo.http.request.target": "http://shop.example"}, "/"), ({"url.path": "/"}, "/")],
)
def test_an_empty_path_is_the_root_only_where_the_target_says_so(more: dict[str, str], path: str) -> None:
    assert read(Call(path="", more=more)).path == path


def test_unknown_methods_are_other() -> None:
    assert read(Call(method="PROPFIND-canary")).method == "_OTHER"


@pytest.mark.parametrize(
    "call", [Call(kind=Span.SPAN_KIND_CLIENT), Call(method="")], ids=["client", "no method"]
)
def test_other_spans_are_ignored(call: Call) -> None:
    assert read_one(call) is None


def test_the_header_names_the_organization_else_the_resource_does() -> None:
    assert read(Call(), "header", levo_organization_id="resource").origin.organization == "header"
    assert read(Call(), "", levo_organization_id="resource").origin.organization == "resource"
    assert read(Call(), "", host_name="x").origin.organization == "default"


def test_names_are_bounded_and_printable() -> None:
    origin = read(Call(), "o" * 999, service_name="a\x00b", levo_sensor_id="s").origin

    assert (len(origin.organization), origin.application, origin.sensor) == (200, "a\ufffdb", "s")
    assert read(Call(), "", host_name="x").origin.application == "unknown"


def test_a_trace_does_not_show_its_content() -> None:
    assert "canary" not in repr(read(Call(path="/canary")))


@pytest.mark.parametrize(
    ("host", "kept"),
    [
        ("Shop.Example.", "shop.example"),
        ("10.20.30.40", "10.20.30.40"),
        ("[2001:db8::17]", "[2001:db8::17]"),
        (
            "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com",
            "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com",
        ),
        ("ip-10-0-12-34.eu-central-1.compute.internal", "ip-10-0-12-34.eu-central-1.compute.internal"),
        ("internal-frontend.shop.example", "internal-frontend.shop.example"),
        ("9f86d081884c7d659a2feaa0c55ad015.shop.example", "*.shop.example"),
        ("e58ed763-928c-4155-bee9-fdbaaadc15f3.shop.example", "*.shop.example"),
        ("4111111111111111.shop.example", "*.shop.example"),
    ],
)
def test_a_random_label_of_a_host_is_not_kept(host: str, kept: str) -> None:
    assert clean_host(host) == kept
