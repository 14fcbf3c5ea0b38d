"""One request on both sides of a proxy: linked, or merged where nothing that is real can vanish by it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from levo.engine.engine import Engine
from tests.helpers.effort import scaled
from tests.helpers.engine_runs import run_frames
from tests.helpers.packets import ACK, FIN, SYN, Ends, Segment, frame

START = 1_700_000_000_000_000_000
MS = 1_000_000
ID = "X-Request-Id: 7f-1"
TRACE = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CLIENT, PROXY, APP = "198.51.100.7", "10.0.0.5", "10.0.0.9"


@dataclass(frozen=True)
class Leg:
    """One exchange on a connection of its own; times in milliseconds."""

    client: str
    server: str
    asked: float
    answered: float
    port: int = 8080
    client_port: int = 40000
    ended: float | None = None
    status: int = 200
    target: str = "/v1/items"
    method: str = "GET"
    fields: tuple[str, ...] = (ID,)
    answers: bool = True

    def frames(self) -> list[tuple[int, bytes, None]]:
        ends = Ends(self.client, self.client_port, self.server, self.port)
        request = "\r\n".join(
            [f"{self.method} {self.target} HTTP/1.1", "Host: a", *self.fields, "", ""]
        ).encode()
        head = f"HTTP/1.1 {self.status} X\r\nContent-Length: 4\r\n\r\n".encode()
        ended = self.answered if self.ended is None else self.ended
        first, start = self.client_port << 16, self.client_port << 15 | 1 << 31  # of each connection its own
        next_request, next_response = first + 1 + len(request), start + 1
        sent: list[tuple[float, Segment]] = [
            (self.asked - 0.3, Segment(True, first, 0, SYN)),
            (self.asked - 0.2, Segment(False, start, first + 1, SYN | ACK)),
            (self.asked, Segment(True, first + 1, start + 1, ACK, request)),
        ]
        if self.answers:
            sent.append((self.answered, Segment(False, next_response, next_request, ACK, head + b"bo")))
            next_response += len(head) + 2
            sent.append((ended, Segment(False, next_response, next_request, ACK, b"dy")))
            next_response += 2
        sent.append((ended + 0.1, Segment(True, next_request, next_response, FIN | ACK)))
        sent.append((ended + 0.2, Segment(False, next_response, next_request + 1, FIN | ACK)))
        return [(START + int(at * MS), frame(segment, ends), None) for at, segment in sent]


OUTER = Leg(CLIENT, PROXY, 1, 9, 80, ended=9.5)
INNER = Leg(PROXY, APP, 2, 8, client_port=50000)


def run(*legs: Leg, hops: str = "merge", hosts: tuple[str, ...] = ()) -> Any:
    engine_options = {"hops": hops}
    frames = sorted((each for leg in legs for each in leg.frames()), key=lambda each: each[0])
    if not hosts:
        return run_frames(frames, **engine_options)
    engine = Engine(hops=hops)
    engine.set_host_addresses(hosts)
    engine.feed(frames)
    engine.finish()
    return engine


def servers(run: Any) -> Counter[tuple[str, int]]:
    return Counter((x["server"]["address"], x.get("hops_merged", 0)) for x in run.exchanges)


def test_the_inner_exchange_is_merged_into_the_outer_one():
    found = run(OUTER, INNER)

    assert servers(found) == {(PROXY, 1): 1}
    assert found.exchanges[0]["client"]["address"] == CLIENT
    assert found.statistics["exchanges_dropped"]["merged_hop"] == 1
    assert found.statistics["exchanges_begun"] == 2


def test_without_merging_both_are_reported_and_the_later_one_names_the_other():
    found = run(OUTER, INNER, hops="link")

    assert servers(found) == {(PROXY, 0): 1, (APP, 0): 1}
    assert [(x["server"]["address"], x.get("hop")) for x in found.exchanges] == [
        (APP, None),
        (PROXY, "outer"),
    ]
    assert found.statistics["hops_linked"] == 1


@pytest.mark.parametrize("fields", [(ID,), (TRACE,), (ID, TRACE)])
def test_the_link_of_the_span_is_the_other_span(fields):
    engine = Engine(hops="link")
    legs = [replace(leg, fields=fields) for leg in (OUTER, INNER)]
    engine.feed(sorted(each for leg in legs for each in leg.frames()))
    engine.finish()
    request = ExportTraceServiceRequest.FromString(bytes(engine.take().otlp(b"")))
    inner, outer = request.resource_spans[0].scope_spans[0].spans

    assert [(link.trace_id, link.span_id) for link in outer.links] == [(inner.trace_id, inner.span_id)]
    assert not inner.links
    assert {each.key: each.value.string_value for each in outer.attributes}["levo.hop.side"] == "outer"


def test_the_span_says_how_many_were_merged():
    engine = Engine(hops="merge")
    engine.feed(sorted(each for leg in (OUTER, INNER) for each in leg.frames()))
    engine.finish()
    request = ExportTraceServiceRequest.FromString(bytes(engine.take().otlp(b"")))
    (span,) = request.resource_spans[0].scope_spans[0].spans

    assert {each.key: each.value.int_value for each in span.attributes}["levo.hop.merged"] == 1
    assert not span.links


NOT_A_HOP = {
    "another client with the same id": (OUTER, replace(INNER, client="198.51.100.8")),
    "the same client again": (OUTER, replace(OUTER, asked=2, answered=8, ended=8.1, client_port=40001)),
    "asked before": (OUTER, replace(INNER, asked=0.5)),
    "answered after": (replace(OUTER, ended=12), replace(INNER, answered=10)),
    "over after": (OUTER, replace(INNER, ended=10)),
    "another method": (OUTER, replace(INNER, method="POST")),
    "another target": (OUTER, replace(INNER, target="/v1/items?x")),
    "another id": (OUTER, replace(INNER, fields=("X-Request-Id: 7f-2",))),
    "no id": (replace(OUTER, fields=()), replace(INNER, fields=())),
    "an empty id": (replace(OUTER, fields=("X-Request-Id:",)), replace(INNER, fields=("X-Request-Id:",))),
    "the server itself": (replace(OUTER, server=PROXY), replace(INNER, server=PROXY, port=80)),
}


@pytest.mark.parametrize("name", NOT_A_HOP)
def test_what_is_not_a_hop_is_reported_twice_and_not_linked(name):
    found = run(*NOT_A_HOP[name])

    assert len(found.exchanges) == 2
    assert found.statistics["hops_linked"] == 0


LINKED_ONLY = {
    "another status": (OUTER, replace(INNER, status=503)),
    "an inner one without a response": (OUTER, replace(INNER, answers=False)),
    "an outer one without a response": (replace(OUTER, answers=False), INNER),
}


@pytest.mark.parametrize("name", LINKED_ONLY)
def test_where_the_responses_do_not_agree_both_are_reported_and_linked(name):
    found = run(*LINKED_ONLY[name])

    assert len(found.exchanges) == 2
    assert found.statistics["hops_linked"] == 1


def test_of_a_retry_the_answer_that_was_passed_on_is_merged():
    found = run(
        OUTER, replace(INNER, asked=1.5, answered=3, status=503, client_port=50001), replace(INNER, asked=4)
    )

    assert Counter((x["server"]["address"], x["response"]["status"]) for x in found.exchanges) == {
        (PROXY, 200): 1,
        (APP, 503): 1,
    }


def test_of_several_servers_that_are_asked_one_is_merged():
    found = run(OUTER, replace(INNER, server="10.0.0.10", client_port=50001, answered=6), INNER)

    assert servers(found) == {(PROXY, 1): 1, ("10.0.0.10", 0): 1}


def test_a_chain_of_proxies_is_one_exchange():
    middle = Leg(PROXY, "10.0.0.6", 2, 8, 81, 50000, ended=8.5)
    last = Leg("10.0.0.6", APP, 3, 7, client_port=50001)

    assert servers(run(OUTER, middle, last)) == {(PROXY, 2): 1}


def test_on_loopback_the_proxy_is_told_by_its_port():
    """As a proxy that all traffic is redirected to sees it: 127.0.0.1 asks 127.0.0.1."""
    outer, inner = replace(OUTER, server="127.0.0.1"), replace(INNER, client="127.0.0.1", server="127.0.0.1")

    assert servers(run(outer, inner)) == {("127.0.0.1", 1): 1}
    assert servers(run(replace(outer, server=PROXY), inner)) == {(PROXY, 1): 1}


def test_the_addresses_of_the_host_are_one_host():
    inner = replace(INNER, client="172.17.0.1")

    assert len(run(OUTER, inner).exchanges) == 2
    for hosts, count in (((PROXY, "172.17.0.1"), 1), ((CLIENT, "172.17.0.1"), 2)):
        assert len(run(OUTER, inner, hosts=hosts).take()) == count


def test_loopback_is_another_host_than_one_that_is_not_this_one():
    inner = replace(INNER, client="127.0.0.1", server="127.0.0.1")

    assert len(run(OUTER, inner, hosts=("10.0.0.77",)).take()) == 2


def test_an_outer_exchange_that_is_read_first_is_merged_too():
    """Interfaces are read one after another: the frames of one side of the proxy may come later."""
    frames = [*OUTER.frames(), *INNER.frames()]
    found = run_frames(frames, hops="merge")

    assert servers(found) == {(PROXY, 1): 1}
    (_, late) = run_frames(frames, hops="link").exchanges
    assert (late["server"]["address"], late["hop"]) == (APP, "inner")


def test_what_is_held_leaves_when_its_time_is_over():
    engine = Engine(hops="merge")
    engine.feed(INNER.frames())
    assert (engine.ready, engine.statistics()["exchanges_open"]) == (0, 1)

    engine.tick(START + 1_000 * MS)
    assert engine.ready == 0
    engine.tick(START + 4_000 * MS)
    assert (engine.ready, engine.statistics()["exchanges_open"]) == (1, 0)


def test_an_exchange_without_an_id_is_not_held():
    engine = Engine(hops="merge")
    engine.feed(replace(INNER, fields=()).frames())

    assert engine.ready == 1


def test_one_more_than_is_remembered_leaves_early_and_is_counted():
    engine = Engine(hops="merge", max_memory_bytes=1 << 30)
    for n in range(4100):
        engine.feed(replace(INNER, client_port=1000 + n, fields=(f"x-request-id: {n}",)).frames())

    assert engine.ready == 4
    assert engine.statistics()["hops_hurried"] == 4
    engine.finish()
    assert len(engine.take()) == 4100


def test_what_is_held_has_a_bound_in_octets():
    engine = Engine(hops="merge", max_memory_bytes=4 << 20)
    large = "x-filler: " + "x" * 4000
    for n in range(200):
        engine.feed(replace(INNER, client_port=1000 + n, fields=(f"x-request-id: {n}", large)).frames())

    assert engine.ready > 100
    assert engine.memory_used_bytes < 4 << 20
    engine.finish()
    assert len(engine.take()) == 200


def test_one_id_on_every_request_is_looked_through_as_far_as_the_bound_and_nothing_vanishes():
    """A forger's id on 500 requests at once: none of them was made by the proxy's host."""
    outers = [replace(OUTER, client_port=1000 + n) for n in range(500)]

    assert len(run(*outers).exchanges) == 500


def test_nothing_is_left_of_an_engine_that_is_not_finished():
    engine = Engine(hops="merge")
    engine.feed(INNER.frames())
    del engine


@pytest.mark.parametrize("name", ["x", "LINK"])
def test_other_words_are_refused(name):
    with pytest.raises(ValueError, match="neither link nor merge"):
        Engine(hops=name)


hosts = st.sampled_from([CLIENT, "198.51.100.8", PROXY, APP, "127.0.0.1"])
legs = st.builds(
    lambda client, server, port, asked, took, tail, status, named: Leg(
        client, server, asked, asked + took, port, ended=asked + took + tail, status=status, fields=named
    ),
    hosts, hosts, st.sampled_from([80, 8080]), st.integers(1, 20), st.integers(1, 20), st.integers(0, 3),
    st.sampled_from([200, 503]), st.sampled_from([(ID,), (TRACE,), (ID, TRACE), ()]),
)  # fmt: skip


@settings(max_examples=scaled(400))
@given(st.lists(legs, min_size=1, max_size=7))
def test_only_a_hop_is_merged_and_only_once(drawn):
    """Against a plain reading of the rules: what vanished was within another one, and opened by its host."""
    sent = [replace(leg, client_port=30000 + n) for n, leg in enumerate(drawn)]
    merged = run(*sent)
    alone = run(*sent, hops="link")
    assert len(alone.exchanges) == len(sent)

    by_port = {leg.client_port: leg for leg in sent}
    kept = {x["client"]["port"]: x.get("hops_merged", 0) for x in merged.exchanges}
    gone = set(by_port) - set(kept)
    assert sum(kept.values()) == len(gone) == merged.statistics["exchanges_dropped"]["merged_hop"]
    for port in gone:
        assert any(encloses(by_port[other], by_port[port]) for other in by_port if other != port)
    for port, count in kept.items():
        if not any(encloses(by_port[port], by_port[other]) for other in gone):
            assert count == 0


def encloses(outer: Leg, inner: Leg) -> bool:
    return (
        bool(set(outer.fields) & set(inner.fields))
        and outer.status == inner.status
        and inner.client in (outer.server, "127.0.0.1")
        and (inner.server, inner.port) != (outer.server, outer.port)
        and outer.asked <= inner.asked
        and inner.answered <= outer.answered
        and (inner.ended or 0) <= (outer.ended or 0)
    )
