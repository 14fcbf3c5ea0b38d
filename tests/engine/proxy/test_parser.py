"""The header of the PROXY protocol: whom it names, and that what follows is read whatever it is."""

from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.conversation import Conversation
from tests.helpers.effort import scaled
from tests.helpers.engine_runs import Run, run_frames
from tests.helpers.http2_peers import simple_exchanges
from tests.helpers.packets import capture_segments

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
REQUEST = b"GET /%d HTTP/1.1\r\nHost: a.example\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CLIENT = {"address": "203.0.113.9", "port": 56324}
CLIENT6 = {"address": "2001:db8::9", "port": 56324}
BALANCER = {"address": "10.0.0.1", "port": 40001}
TLVS = b"\x03\0\x04\xde\xad\xbe\xef" + b"\x02\0\x09a.example" + b"\xea\0\x10\x01" + b"v" * 15
FOUR = socket.inet_aton("203.0.113.9") + socket.inet_aton("10.0.0.2") + struct.pack("!HH", 56324, 443)
SIX = (
    socket.inet_pton(socket.AF_INET6, "2001:db8::9")
    + socket.inet_pton(socket.AF_INET6, "::1")
    + struct.pack("!HH", 56324, 443)
)


def version2(command: int, family: int, rest: bytes, *, length: int | None = None) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(rest) if length is None else length) + rest


NAMES = {
    "v1 TCP4": (b"PROXY TCP4 203.0.113.9 10.0.0.2 56324 443\r\n", CLIENT),
    "v1 TCP6": (b"PROXY TCP6 2001:db8::9 ::1 56324 443\r\n", CLIENT6),
    "v1 TCP6, mapped": (
        b"PROXY TCP6 ::ffff:203.0.113.9 ::1 56324 443\r\n",
        {"address": "::ffff:203.0.113.9", "port": 56324},
    ),
    "v2 TCP over IPv4": (version2(0x21, 0x11, FOUR), CLIENT),
    "v2 with TLVs": (version2(0x21, 0x11, FOUR + TLVS), CLIENT),
    "v2 with 3,000 octets of TLVs": (version2(0x21, 0x11, FOUR + TLVS * 70), CLIENT),
    "v2 TCP over IPv6": (version2(0x21, 0x21, SIX + TLVS), CLIENT6),
    "v2 UDP over IPv4": (version2(0x21, 0x12, FOUR), CLIENT),
}
NAMELESS = {
    "v1 UNKNOWN": b"PROXY UNKNOWN\r\n",
    "v1 UNKNOWN with addresses": b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n",
    "v1 with a number above 255": b"PROXY TCP4 256.0.113.9 10.0.0.2 56324 443\r\n",
    "v1 with three numbers": b"PROXY TCP4 203.0.113 10.0.0.2 56324 443\r\n",
    "v1 without ports": b"PROXY TCP4 203.0.113.9 10.0.0.2\r\n",
    "v1 with a port above 65535": b"PROXY TCP4 203.0.113.9 10.0.0.2 70000 443\r\n",
    "v1 with two gaps": b"PROXY TCP6 2001::db8::9 ::1 56324 443\r\n",
    "v1 empty": b"PROXY \r\n",
    "v2 LOCAL": version2(0x20, 0, b""),
    "v2 LOCAL with TLVs": version2(0x20, 0, TLVS),
    "v2 UNIX": version2(0x21, 0x31, b"/run/a.sock".ljust(108, b"\0") * 2),
    "v2 of an unknown family": version2(0x21, 0xF1, FOUR),
    "v2 of an unknown command": version2(0x2F, 0x11, FOUR),
    "v2 with too few octets": version2(0x21, 0x11, FOUR[:8]),
}


def talk(header: bytes, count: int = 3, cuts: tuple[int, ...] = (), *, alone: bool = False) -> Run:
    """*header*, then *count* exchanges; *alone*: in a segment of its own."""
    peers = Conversation().handshake()
    if alone:
        peers.client(header, cuts)
        header = b""
    for i in range(count):
        peers.client((header if i == 0 else b"") + REQUEST % i, cuts if i == 0 else ())
        peers.server(ANSWER)
    return run_frames(capture_segments(peers.close().segments))


def assert_all_read(run: Run, count: int = 3) -> None:
    assert [x["request"]["path"] for x in run.complete] == [f"/{i}" for i in range(count)]
    assert len(run.exchanges) == count
    assert run.statistics["payload_bytes_parsed"] == run.statistics["payload_bytes_received"]


@pytest.mark.parametrize("alone", [False, True], ids=["with the request", "in its own segment"])
@pytest.mark.parametrize("name", NAMES)
def test_the_client_is_the_one_named_and_the_balancer_the_peer(name, alone):
    header, client = NAMES[name]
    run = talk(header, alone=alone)
    assert_all_read(run)
    assert all(x["client"] == client and x["peer"] == BALANCER for x in run.exchanges)
    assert {x["server"]["address"] for x in run.exchanges} == {"10.0.0.2"}


@pytest.mark.parametrize("name", NAMELESS)
def test_a_header_that_names_nobody_hides_nothing(name):
    run = talk(NAMELESS[name])
    assert_all_read(run)
    assert all(x["client"] == BALANCER and "peer" not in x for x in run.exchanges)


@given(name=st.sampled_from(sorted(NAMES)), cuts=st.lists(st.integers(1, 90), max_size=8))
@settings(max_examples=scaled(80), deadline=None)
def test_wherever_tcp_cut_it(name, cuts):
    header, client = NAMES[name]
    run = talk(header, cuts=tuple(cuts))
    assert_all_read(run)
    assert all(x["client"] == client for x in run.exchanges)


@pytest.mark.parametrize("name", ["v1 TCP4", "v2 with TLVs"])
def test_one_octet_a_segment(name):
    header, client = NAMES[name]
    run = talk(header, cuts=tuple(range(1, len(header) + 40)))
    assert_all_read(run)
    assert all(x["client"] == client for x in run.exchanges)


@pytest.mark.parametrize("cut", [1, 2, 3])
@pytest.mark.parametrize(
    "whole", [b"POST /x HTTP/1.1\r\nHost: h\r\n\r\n", b"\r\n\r\nGET /x HTTP/1.1\r\nHost: h\r\n\r\n"]
)
def test_octets_that_only_begin_like_a_header_are_not_lost(whole, cut):
    peers = Conversation().handshake().client(whole, (cut,)).server(ANSWER)
    run = run_frames(capture_segments(peers.close().segments))
    assert [x["request"]["path"] for x in run.complete] == ["/x"]


@given(
    octets=st.binary(max_size=200),
    start=st.sampled_from([b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11"]),
)
@settings(max_examples=scaled(150), deadline=None)
def test_any_octets_end_in_counted_states(octets, start):
    peers = Conversation().handshake().client(start + octets, (7,)).server(octets).client(octets)
    run_frames(capture_segments(peers.close().segments))


@pytest.mark.parametrize("lost", [0, 1])
def test_a_hole_in_the_header_costs_only_the_name(lost):
    header = version2(0x21, 0x11, FOUR + TLVS * 200)
    peers = Conversation().handshake().client(header)
    del peers.segments[3 + lost]
    for i in range(3):
        peers.client(REQUEST % i).server(ANSWER)
    run = run_frames(capture_segments(peers.close().segments))
    assert {x["request"]["path"] for x in run.exchanges if x["request"]} >= {"/1", "/2"}


def test_http2_after_it():
    header, client = NAMES["v2 TCP over IPv4"]
    peers = Conversation().handshake().client(header)
    for from_client, octets in simple_exchanges(4).turns:
        peers.send(from_client, octets)
    run = run_frames(capture_segments(peers.close().segments))
    assert [x["request"]["path"] for x in run.complete] == [f"/items/{i}" for i in range(4)]
    assert all(x["client"] == client and x["peer"] == BALANCER for x in run.exchanges)


def test_tls_after_it_is_seen_as_tls():
    """A client's hello after the header; its connection is counted as encrypted."""
    hello = bytes.fromhex("16030100050100000100") + bytes(1)
    peers = Conversation().handshake().client(NAMES["v2 with TLVs"][0]).client(hello)
    run = run_frames(capture_segments(peers.close().segments))
    assert run.statistics["connections_tls"] == 1


@pytest.mark.parametrize("lines", [b"\r\n", b"\r\n\r\n", b"\n\n\n"], ids=repr)
@pytest.mark.parametrize("alone", [False, True])
def test_empty_lines_before_the_first_request_are_passed_over(lines, alone):
    run = talk(lines, alone=alone)
    assert_all_read(run)
