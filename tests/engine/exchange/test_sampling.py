"""Fair rate limiting: the bound of any minute, no endpoint starved, weights that add up."""

from __future__ import annotations

import random
import socket
import struct
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.engine.engine import Engine
from levo.model.exchange import Exchange
from levo.sensor.export.otlp_grpc import METRICS_METHOD, TRACE_METHOD
from levo.sensor.export.settings import EXPORT_MARK
from tests.helpers.conversation import converse, exchanges_as_turns
from tests.helpers.effort import long
from tests.helpers.engine_runs import Run, run_frames
from tests.helpers.exchanges import examples
from tests.helpers.http2_peers import Peers, request_head, response_head
from tests.helpers.packets import capture_segments

MINUTE_NS = 60 * 10**9
START_NS = 1_700_000_000 * 10**9
CLIENT, SERVER = socket.inet_aton("10.0.0.1"), socket.inet_aton("10.0.0.2")

Event = tuple[float, str, int]
"""(seconds, path, status of the answer)."""


def frame(from_client: bool, port: int, seq: int, ack: int, payload: bytes) -> bytes:
    """Ethernet, IPv4 and TCP without checksums: many of them, quickly."""
    source, destination = (CLIENT, SERVER) if from_client else (SERVER, CLIENT)
    ports = (port, 80) if from_client else (80, port)
    tcp = struct.pack("!HHIIBBHHH", *ports, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, 0x50, 0x18, 65535, 0, 0)
    length = 40 + len(payload)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, length, 0, 0, 64, 6, 0, source, destination)
    return b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\0" + ip + tcp + payload


def frames(events: Iterable[Event], connections: int = 32) -> Iterator[tuple[int, bytes, None]]:
    """Requests and their answers at true times, in turn on some connections."""
    positions = [[1000, 2000] for _ in range(connections)]
    for number, (seconds, path, status) in enumerate(events):
        port, place = 40000 + number % connections, positions[number % connections]
        time_ns = START_NS + int(seconds * 1e9)
        request = f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
        response = f"HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\nok".encode()
        yield time_ns, frame(True, port, place[0], place[1], request), None
        place[0] += len(request)
        yield time_ns + 1000, frame(False, port, place[1], place[0], response), None
        place[1] += len(response)


def run(events: Iterable[Event], **settings: Any) -> tuple[list[Exchange], dict[str, Any]]:
    """Traces in order, and the engine's counters."""
    engine = Engine(**settings)
    found: list[Exchange] = []
    buffered: list[tuple[int, bytes, None]] = []
    for each in frames(events):
        buffered.append(each)
        if len(buffered) == 20_000:
            engine.feed(buffered)
            buffered.clear()
            found += engine.take().exchanges()
    engine.feed(buffered)
    engine.finish()
    found += engine.take().exchanges()
    numbers = engine.statistics()
    assert numbers["exchanges_begun"] == numbers["exchanges_emitted"] + sum(
        numbers["exchanges_dropped"].values()
    )
    assert numbers["exchanges_emitted"] == len(found)
    return found, numbers


def path_of(trace: Exchange) -> str:
    assert trace.request is not None
    return trace.request.path


def most_in_a_minute(found: Iterable[Exchange], window_ns: int = MINUTE_NS) -> int:
    times = sorted(trace.start_ns for trace in found)
    return max((bisect_left(times, time + window_ns) - at for at, time in enumerate(times)), default=0)


def zipf_load(seed: int, *, seconds: int = 180, rate: int = 2000) -> list[Event]:
    """55 endpoints by Zipf's law at *rate* requests a second, and 5 with one request a minute."""
    chance = random.Random(seed)
    times = sorted(chance.uniform(0, seconds) for _ in range(rate * seconds))
    places = chance.choices(range(55), [1 / (place + 1) for place in range(55)], k=len(times))
    names = [f"/ep{chr(97 + place % 26)}{chr(97 + place // 26)}/x" for place in range(55)]
    events = [(time, names[place], 200) for time, place in zip(times, places, strict=True)]
    for rare in "abcde":
        phase = chance.uniform(0, 60)
        events += [(phase + 60 * minute, f"/rare/{rare}", 200) for minute in range(seconds // 60)]
    return sorted(events)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, long(2), long(3)])
def test_sixty_endpoints_at_two_thousand_requests_a_second(seed: int) -> None:
    """Never past the budget; every endpoint in every minute; weights add up to the true counts."""
    events = zipf_load(seed)
    true = Counter(path for _, path, _ in events)

    found, _ = run(events, traces_per_minute=1000)

    assert most_in_a_minute(found) <= 1000
    assert len(found) >= 2400, "the budget is used"
    seen_in: dict[int, set[str]] = defaultdict(set)
    weights: dict[str, float] = defaultdict(float)
    for trace in found:
        seen_in[(trace.start_ns - START_NS) // MINUTE_NS].add(path_of(trace))
        weights[path_of(trace)] += trace.weight
    for minute in range(3):
        asked = {path for time, path, _ in events if int(time // 60) == minute}
        assert asked == seen_in[minute]
    for path, count in true.items():
        if path.startswith("/rare"):
            assert weights[path] == count
        else:
            assert abs(weights[path] - count) <= 0.03 * count, (path, count, weights[path])


@pytest.mark.parametrize(("rate", "limit"), [(300, 300), (300, 1000), (1000, 600)])
def test_no_part_of_the_minute_goes_blind(rate: int, limit: int) -> None:
    """Also the first one, in which every endpoint is new."""
    found, _ = run(zipf_load(5, seconds=120, rate=rate), traces_per_minute=limit)

    slices = Counter((trace.start_ns - START_NS) // (5 * 10**9) for trace in found)
    even = limit / 12
    assert all(0.4 * even <= slices[number] <= 1.5 * even for number in range(1, 24)), slices


LOADS = st.lists(
    st.tuples(
        st.floats(0, 150),
        st.sampled_from(["/a", "/b", "/c/7", "/c/8", "/d"]),
        st.sampled_from([200, 404, 500]),
    ),
    max_size=120,
).map(sorted)


@given(events=LOADS, limit=st.integers(1, 20))
@examples(80)
def test_the_bound_holds_and_weights_never_exceed_the_truth(events: list[Event], limit: int) -> None:
    found, numbers = run(events, traces_per_minute=limit)

    assert most_in_a_minute(found) <= limit
    assert sum(trace.weight for trace in found) <= len(events)
    assert numbers["exchanges_dropped"]["rate_limited"] == len(events) - len(found)
    assert all(trace.weight >= 1 and trace.weight == int(trace.weight) for trace in found)


@given(events=LOADS)
@examples(30)
def test_within_the_budget_nothing_is_left_out(events: list[Event]) -> None:
    found, _ = run(events, traces_per_minute=10 * len(events) + 100)

    assert len(found) == len(events)
    assert {trace.weight for trace in found} <= {1.0}


@given(events=LOADS)
@examples(20)
def test_without_a_limit_there_are_no_weights(events: list[Event]) -> None:
    found, _ = run(events, traces_per_minute=0)

    assert [trace.weight for trace in found] == [1.0] * len(events)


def test_less_than_one_trace_a_minute() -> None:
    found, _ = run([(second, "/a", 200) for second in range(600)], traces_per_minute=0.25)

    assert most_in_a_minute(found, 4 * MINUTE_NS) == 1
    assert len(found) == 3


def test_variable_segments_are_one_endpoint() -> None:
    """Else each identifier would be a rare endpoint and take what others need."""
    chance = random.Random(3)
    hot = [(i / 50, f"/users/{chance.randrange(10**6)}/orders", 200) for i in range(3000)]
    rare = [(30.5, "/login", 200)]

    found, _ = run(sorted(hot + rare), traces_per_minute=60)

    assert "/login" in {path_of(trace) for trace in found}
    assert abs(sum(trace.weight for trace in found if "/orders" in path_of(trace)) - 3000) <= 150


def test_a_status_class_not_seen_before_is_worth_a_trace() -> None:
    events = [(i / 10, "/a", 200) for i in range(600)]
    events[400] = (40.0, "/a", 503)

    found, _ = run(events, traces_per_minute=30)

    assert 503 in {trace.response.status for trace in found if trace.response}
    assert most_in_a_minute(found) <= 30


def test_the_bound_of_one_endpoint() -> None:
    """max-per-endpoint-exported-requests-per-second, with and without a budget."""
    events = sorted(
        [(i / 20, "/hot", 200) for i in range(1200)] + [(i + 0.01, "/cold", 200) for i in range(60)]
    )
    for limit in (0.0, 5000.0):
        found, _ = run(events, traces_per_minute=limit, endpoint_traces_per_minute=120.0)
        kept = Counter(path_of(trace) for trace in found)

        assert kept["/cold"] == 60
        assert 100 <= kept["/hot"] <= 125
        assert abs(sum(trace.weight for trace in found if path_of(trace) == "/hot") - 1200) <= 24


def test_more_endpoints_than_the_table_holds_stay_within_the_budget() -> None:
    names = [
        f"/{a}{b}{c}/x"
        for a in "abcdefghijklmnopqrst"
        for b in "abcdefghijklmnopqrst"
        for c in "abcdefghijklmnopqrst"
    ]
    events = [(i / 100, name, 200) for i, name in enumerate(names)]

    found, _ = run(events, traces_per_minute=500)

    assert most_in_a_minute(found) <= 500
    assert len(found) >= 500


def test_a_changed_budget_is_in_force_at_once() -> None:
    engine = Engine(traces_per_minute=1000)
    stream = list(frames([(i / 10, "/a", 200) for i in range(1200)]))
    engine.feed(stream[:1200])
    first = len(engine.take())

    engine.set_policy(traces_per_minute=10)
    engine.feed(stream[1200:])
    engine.finish()

    assert first == 600
    assert most_in_a_minute(engine.take().exchanges()) <= 10


# Exports of sensors.

MARK = EXPORT_MARK.encode()
EXPORTS = ["/v1/traces", "/v1/metrics", "/behind/a/prefix/v1/traces", "http://satellite:4318/v1/traces"]
CALLS = [TRACE_METHOD, METRICS_METHOD]


def http1(requests: list[bytes], **options: Any) -> Run:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    turns = exchanges_as_turns([(request, answer) for request in requests])
    return run_frames(capture_segments(converse(turns)), **options)


def request(method: str, target: str, fields: str = "", body: bytes = b"") -> bytes:
    head = f"{method} {target} HTTP/1.1\r\nHost: a.example\r\nContent-Length: {len(body)}\r\n{fields}\r\n"
    return head.encode() + body


@pytest.mark.parametrize(
    "options",
    [{}, {"traces_per_minute": 1000.0}, {"rules": lambda *each: 0}],
    ids=["no limit", "rate limit", "rules"],
)
@pytest.mark.parametrize("target", EXPORTS)
def test_an_export_of_a_sensor_is_left_out_with_its_response(target: str, options: dict[str, Any]):
    """Wherever it goes: its mark tells, not its address."""
    export = request("POST", target, "Levo-Sensor-Export: 1f\r\n", b"\x0a" * 5000)
    found = http1([request("GET", "/before"), export, request("GET", "/after")], **options)
    assert [x["request"]["target"] for x in found.exchanges] == ["/before", "/after"]
    assert found.statistics["exchanges_dropped"]["own_export"] == 1
    assert found.statistics["payload_bytes_parsed"] == found.statistics["payload_bytes_received"]


@pytest.mark.parametrize("path", CALLS)
def test_an_export_over_grpc_is_left_out_with_its_response(path: str):
    peers = Peers()
    for number, (target, fields) in enumerate(
        [("/shop.Items/List", []), (path, [(MARK, b"1f")]), (path, []), ("/shop.Items/List", [(MARK, b"1f")])]
    ):
        stream = 2 * number + 1
        head = request_head(
            "POST", target, (b"content-type", b"application/grpc"), (b"te", b"trailers"), *fields
        )
        peers.head(True, stream, head)
        peers.data(True, stream, b"\0\0\0\0\5hello", end=True)
        peers.flush(True)
        peers.head(False, stream, response_head(200, (b"content-type", b"application/grpc")))
        peers.data(False, stream, b"\0\0\0\0\0")
        peers.trailers(False, stream, [(b"grpc-status", b"0")])
        peers.flush(False)
    found = run_frames(capture_segments(converse(peers.turns)))
    assert [x["stream_id"] for x in found.exchanges] == [1, 5, 7]
    assert {x["incomplete"] for x in found.exchanges} == {None}
    assert found.statistics["exchanges_dropped"]["own_export"] == 1


@pytest.mark.parametrize(
    ("method", "target", "fields"),
    [
        ("POST", "/api/orders", "levo-sensor-export: 1f\r\n"),
        ("POST", "/v1/traces/7", "levo-sensor-export: 1f\r\n"),
        ("POST", "/api?next=/v1/traces", "levo-sensor-export: 1f\r\n"),
        ("GET", "/v1/traces", "levo-sensor-export: 1f\r\n"),
        ("PUT", "/v1/metrics", "levo-sensor-export: 1f\r\n"),
        ("post", "/v1/traces", "levo-sensor-export: 1f\r\n"),
        ("POST", "/v1/traces", ""),
        ("POST", "/v1/traces", "user-agent: levo-sensor/1\r\n"),
        ("POST", "/v1/traces", "x-note: levo-sensor-export: 1f\r\n"),
    ],
)  # fmt: skip
def test_a_forged_mark_hides_nothing_but_exports(method: str, target: str, fields: str):
    found = http1([request(method, target, fields, b"body"), request("GET", "/after")])
    assert [x["request"]["target"] for x in found.exchanges] == [target, "/after"]
    assert found.statistics["exchanges_dropped"]["own_export"] == 0
