"""One connection under several addresses or in several networks: read once, and two networks never mixed."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.conversation import Conversation, converse
from tests.helpers.effort import scaled
from tests.helpers.engine_runs import Run, run_frames
from tests.helpers.lines import Exchange
from tests.helpers.packets import ACK, RST, CapturedFrame, Ends, Segment, ethernet, frame, ip, ipv4

START = 1_700_000_000_000_000_000
MICROSECOND = 1_000
POD = Ends("10.244.0.2", 40001, "10.244.0.3", 8080)
SERVICE = Ends("10.244.0.2", 40001, "10.96.0.10", 80)
OUTSIDE = Ends("192.168.77.2", 51000, "192.168.77.1", 30080)
MASQUERADED = Ends("192.168.77.1", 62001, "10.244.0.3", 8080)


def tunneled(header: bytes, port: int, packet: bytes) -> bytes:
    """An IP packet in an Ethernet frame in a tunnel over UDP, between two hosts of its own."""
    inner = header + ethernet(packet)
    udp = struct.pack("!HHHH", 50000, port, 8 + len(inner), 0) + inner
    return ethernet(ipv4("192.0.2.1", "192.0.2.2", udp, protocol=17))


def vxlan(packet: bytes, vni: int) -> bytes:
    return tunneled(b"\x08\0\0\0" + struct.pack("!I", vni << 8), 4789, packet)


def geneve(packet: bytes, vni: int) -> bytes:
    return tunneled(b"\0\0\x65\x58" + struct.pack("!I", vni << 8), 6081, packet)


@dataclass(frozen=True)
class Place:
    """Where a segment is seen: under these ends, in this network, so long after its client has sent it."""

    ends: Ends
    delay_us: int = 0
    vlans: tuple[int, ...] = ()
    vni: int | None = None
    geneve: bool = False
    """The tunnel of the VNI: Geneve instead of VXLAN."""
    shows: tuple[bool, ...] = (True, False)
    """Segments of which sides: the client's (True), the server's."""

    def frame_of(self, segment: Segment) -> bytes:
        if self.vni is not None:
            return (geneve if self.geneve else vxlan)(ip(segment, self.ends), self.vni)
        return frame(segment, self.ends, vlans=self.vlans)


def seen(
    segments: list[Segment], places: list[Place], *, start_ns: int = START, step_us: int = 100
) -> list[CapturedFrame]:
    """*segments* as each place sees them: the client's first where it sends, the server's last."""
    last = max(place.delay_us for place in places)
    found = []
    for number, segment in enumerate(segments):
        at = start_ns + number * step_us * MICROSECOND
        for place in places:
            if segment.from_client in place.shows:
                delay = place.delay_us if segment.from_client else last - place.delay_us
                octets = place.frame_of(segment)
                found.append((at + delay * MICROSECOND, octets, len(octets)))
    return sorted(found, key=lambda each: each[0])


def requests(count: int, name: str = "a", *, client_isn: int = 0, server_isn: int = 0) -> list[Segment]:
    turns = []
    for i in range(count):
        body = f"{name}{i}".encode()
        turns.append((True, b"GET /%s/%d HTTP/1.1\r\nHost: h.example\r\n\r\n" % (name.encode(), i)))
        turns.append((False, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)))
    return converse(
        turns, client_isn=client_isn or 0x5A17_0000, server_isn=server_isn or 0x9C44_1234, acks=True
    )


def contents(run: Run) -> list[tuple[str, str]]:
    return sorted((x["request"]["path"], x["response"]["body"]) for x in run.complete)


def owned(names: list[str], count: int) -> list[tuple[str, str]]:
    return sorted((f"/{name}/{i}", f"{name}{i}") for name in names for i in range(count))


def servers(exchanges: list[Exchange]) -> set[tuple[str, int]]:
    return {(x["server"]["address"], x["server"]["port"]) for x in exchanges}


def payload(segments: list[Segment]) -> int:
    return sum(len(segment.payload) for segment in segments)


# Address translation.

PATHS = {
    "DNAT": [Place(SERVICE), Place(POD, 10)],
    "MASQUERADE": [Place(POD), Place(Ends("10.0.0.1", 61000, POD.server, POD.server_port), 10)],
    "NodePort": [Place(OUTSIDE), Place(MASQUERADED, 10)],
    "hairpin": [Place(SERVICE), Place(Ends("10.244.0.1", 40001, "10.244.0.2", 8080), 10)],
    "three places": [
        Place(OUTSIDE),
        Place(Ends(OUTSIDE.client, OUTSIDE.client_port, POD.server, POD.server_port), 5),
        Place(MASQUERADED, 10),
    ],
    "to IPv6": [Place(SERVICE), Place(Ends("2001:db8::1", 40001, "2001:db8::2", 8080), 10)],
}


@pytest.mark.parametrize("order", ["as sent", "one place after the other", "the last place first"])
@pytest.mark.parametrize("path", PATHS)
def test_a_translated_connection_is_read_once_and_the_final_server_is_kept(path, order):
    places = PATHS[path]
    segments = requests(20)
    frames = seen(segments, places)
    if order != "as sent":
        turn = places if order == "one place after the other" else places[::-1]
        frames = [each for place in turn for each in seen(segments, [place])]
        # Rings of several interfaces are read one after the other; their times are the packets'.
        delays = [place.delay_us for place in turn]
        size = len(segments)
        frames = [
            (
                at
                + (delays[i // size] if segments[i % size].from_client else 10 - delays[i // size])
                * MICROSECOND,
                *rest,
            )
            for i, (at, *rest) in enumerate(frames)
        ]
    run = run_frames(frames)
    assert contents(run) == owned(["a"], 20) and len(run.exchanges) == 20
    final = places[-1].ends
    if order == "as sent":
        assert servers(run.exchanges) == {(final.server, final.server_port)}
    statistics = run.statistics
    assert statistics["payload_bytes_parsed"] == payload(segments)
    assert statistics["payload_bytes_duplicate_nat"] == (len(places) - 1) * payload(segments)


@pytest.mark.parametrize("path", PATHS)
def test_a_translated_connection_that_was_joined_late_is_read_once(path):
    frames = seen(requests(20)[6:], PATHS[path])
    run = run_frames(frames)
    found = [x for x in run.exchanges if x["request"] is not None]
    assert len(found) == len({x["request"]["path"] for x in found}) >= 18


def test_each_place_may_miss_what_the_other_one_sees():
    """Segments of both places fill one byte stream."""
    frames = seen(requests(30), PATHS["DNAT"])
    kept = [each for i, each in enumerate(frames) if i < 12 or i % 4 not in (i // 4 % 4,)]
    run = run_frames(kept)
    assert contents(run) == owned(["a"], 30)


def test_requests_at_one_place_and_responses_at_the_other_are_put_together():
    """As on a bridge that sees a packet after its destination was translated, and before its source is."""
    places = [Place(OUTSIDE, 0, shows=(True,)), Place(MASQUERADED, 10, shows=(False,))]
    run = run_frames(seen(requests(20), places))
    assert contents(run) == owned(["a"], 20) and len(run.exchanges) == 20


def test_the_ports_of_a_translated_connection_may_be_used_again():
    frames = []
    for i in range(5):
        segments = requests(
            2, f"n{i}", client_isn=0x1234_5678 + i * 7_654_321, server_isn=0x7777_0000 + i * 9_999_991
        )
        frames += seen(segments, PATHS["NodePort"], start_ns=START + i * 10**9)
    run = run_frames(frames)
    assert contents(run) == owned([f"n{i}" for i in range(5)], 2) and len(run.exchanges) == 10


@pytest.mark.parametrize("end", ["FIN", "RST"])
@pytest.mark.parametrize("shows", [(False,), (True,), (True, False)], ids=["answers", "requests", "both"])
def test_half_translated_packets_may_have_the_ends_of_a_connection_that_is_over(shows, end):
    """A bridge sees the answers after their destination was translated back, and before their source is.

    The client's port was used for the server itself before; translation then takes another one.
    """
    before = requests(2, "before", client_isn=0x1234_5678, server_isn=0x2345_6789)
    if end == "RST":
        before = [*before[:-3], replace(before[-3], flags=RST | ACK)]
    places = [
        Place(SERVICE),
        Place(POD, 5, shows=shows),
        Place(Ends(POD.client, 35627, POD.server, POD.server_port), 10),
    ]
    frames = seen(before, [Place(POD)])
    frames += seen(requests(5), places, start_ns=START + 10**9)
    run = run_frames(frames)
    assert contents(run) == sorted(owned(["before"], 2) + owned(["a"], 5)) and len(run.exchanges) == 7


ISN = st.integers(1 << 17, 2**32 - 1)


@given(
    bodies=st.lists(st.binary(max_size=3000), min_size=1, max_size=4),
    isns=st.tuples(ISN, ISN).filter(lambda pair: abs(pair[0] - pair[1]) > 1 << 17),
    cuts=st.lists(st.integers(1, 400), max_size=6),
    end=st.sampled_from(["client", "server", "both"]),
    late=st.booleans(),
)
@settings(max_examples=scaled(60), deadline=None)
def test_rewriting_either_end_gives_the_exchanges_of_the_original(bodies, isns, cuts, end, late):
    talk = Conversation(client_isn=isns[0], server_isn=isns[1]).handshake()
    for i, body in enumerate(bodies):
        talk.client(
            b"POST /%d HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s" % (i, len(body), body), cuts
        )
        talk.server(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body[::-1]), cuts)
    segments = talk.close().segments
    rewritten = Ends(
        "198.51.100.7" if end != "server" else POD.client,
        7777 if end != "server" else POD.client_port,
        "203.0.113.9" if end != "client" else POD.server,
        9999 if end != "client" else POD.server_port,
    )
    alone = run_frames(seen(segments, [Place(POD)]))
    both = run_frames(
        seen(segments, [Place(rewritten if late else POD), Place(POD if late else rewritten, 10)])
    )
    pairs = [(x["request"], x["response"], x["incomplete"]) for x in alone.exchanges]
    assert [(x["request"], x["response"], x["incomplete"]) for x in both.exchanges] == pairs


# Networks.

ENDS = Ends("10.0.0.1", 40001, "10.0.0.2", 80)
NETWORKS = {
    "two VNIs": [Place(ENDS, vni=77), Place(ENDS, vni=78)],
    "two VLANs": [Place(ENDS, vlans=(5,)), Place(ENDS, vlans=(6,))],
    "two stacks of VLANs": [Place(ENDS, vlans=(5, 7)), Place(ENDS, vlans=(7, 5))],
    "untagged beside tagged": [Place(ENDS), Place(ENDS, vlans=(6,))],
    "plain beside a VNI": [Place(ENDS), Place(ENDS, vni=1)],
    "one VNI of VXLAN and Geneve": [Place(ENDS, vni=5), Place(ENDS, vni=5, geneve=True)],
}


@pytest.mark.parametrize("networks", NETWORKS)
@pytest.mark.parametrize("late", [False, True], ids=["with handshake", "joined late"])
def test_two_networks_with_the_same_addresses_are_never_mixed(networks, late):
    """500 pairs of connections, each pair with one five-tuple, five exchanges each."""
    chance = random.Random(7)
    frames = []
    expected = []
    for pair in range(500):
        for tenant, place in enumerate(NETWORKS[networks]):
            name = f"t{tenant}p{pair}"
            segments = requests(
                5, name, client_isn=chance.randrange(1, 2**32), server_isn=chance.randrange(1, 2**32)
            )
            moved = replace(place, ends=place.ends.with_client_port(20_000 + pair))
            start = START + pair * 20_000 + tenant * 30 * MICROSECOND
            frames += seen(segments[3:] if late else segments, [moved], start_ns=start)
            expected += owned([name], 5)
    frames.sort(key=lambda each: each[0])
    run = run_frames(frames)
    assert contents(run) == sorted(expected)
    assert len(run.exchanges) == 5000


@pytest.mark.parametrize("networks", NETWORKS)
@pytest.mark.parametrize("late", [False, True], ids=["with handshake", "joined late"])
def test_copies_of_a_connection_in_two_networks_are_read_once(networks, late):
    """As on a trunk and on the interface of one VLAN, or inside and outside of a tunnel."""
    segments = requests(20)[4 if late else 0 :]
    first, second = NETWORKS[networks]
    run = run_frames(seen(segments, [first, replace(second, delay_us=10)]))
    found = [x for x in run.exchanges if x["request"] is not None]
    assert len(found) == len({x["request"]["path"] for x in found}) >= 19
    assert run.statistics["payload_bytes_duplicate"] >= payload(segments) - 100
    assert run.statistics["payload_bytes_duplicate_nat"] == 0


@pytest.mark.parametrize("networks", NETWORKS)
@pytest.mark.parametrize("late", [False, True], ids=["with handshake", "joined late"])
def test_requests_in_one_network_and_responses_in_another_are_put_together(networks, late):
    """As with a port mirror that tags one direction, or labels that each end of a path chooses."""
    first, second = NETWORKS[networks]
    places = [
        replace(first, shows=(True,)),
        replace(second, shows=(False,)),
    ]
    run = run_frames(seen(requests(20)[3 if late else 0 :], places))
    assert contents(run) == owned(["a"], 20) and len(run.exchanges) == 20


def test_networks_can_be_taken_for_one():
    """Where each packet may take another VLAN."""
    segments = requests(20)
    frames = [frame(each, ENDS, vlans=(5 + i % 3,)) for i, each in enumerate(segments)]
    captured = [(START + i * 100_000, octets, len(octets)) for i, octets in enumerate(frames)]
    run = run_frames(captured, one_network=True)
    assert contents(run) == owned(["a"], 20)


def test_connections_of_a_generator_that_begins_all_at_one_number_are_told_apart():
    """The same numbers and the same octets, one connection after the other and in parallel."""
    frames = []
    for i in range(50):
        segments = converse(
            [(True, b"GET /same HTTP/1.1\r\n\r\n"), (False, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")]
        )
        frames += seen(segments, [Place(ENDS.with_client_port(20_000 + i))], start_ns=START + i * 10**6)
    assert len(run_frames(frames).complete) == 50
