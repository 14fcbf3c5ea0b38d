"""Tunnels: what carries no TCP segment is counted as IP without TCP; nesting is bounded."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import ARP, Dot1Q
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet

from levo.engine.engine import Engine
from levo.engine.net.frame import decode
from levo.model.statistics import UnnamedTunnel
from tests.engine.frame_samples import ether, ip4, ip6, outer4, outer6, outer_udp, samples
from tests.helpers.effort import scaled

RAW4 = bytes(ip4())
SAMPLES = samples()


def over(protocol: int, octets: bytes) -> bytes:
    return bytes(outer4(protocol) / octets)


def udp(port: int, content: Packet | bytes) -> bytes:
    return bytes(outer4() / UDP(dport=port) / content)


@pytest.mark.parametrize(
    ("octets", "counter"),
    [
        pytest.param(over(17, b"\0\1\0\1\0\x08\0"), "frames_malformed", id="udp-cut"),
        pytest.param(udp(53, RAW4), "frames_not_tcp", id="other-udp-port"),
        pytest.param(udp(4789, b"\0" * 8 + RAW4), "frames_not_tcp", id="vxlan-without-flag"),
        pytest.param(udp(4789, b"\x08"), "frames_not_tcp", id="vxlan-short"),
        pytest.param(udp(4789, VXLAN() / ether() / ARP()), "frames_not_tcp", id="vxlan-arp"),
        pytest.param(udp(4789, VXLAN() / b"abc"), "frames_malformed", id="vxlan-inner-cut"),
        pytest.param(udp(4790, b"\x0c\0\0\4\0\0\0\0" + RAW4), "frames_not_tcp", id="gpe-nsh"),
        pytest.param(udp(6081, b"\x40" + b"\0" * 7), "frames_not_tcp", id="geneve-version"),
        pytest.param(udp(6081, b"\x3f" + b"\0" * 20), "frames_malformed", id="geneve-options"),
        pytest.param(over(47, b"\0\0"), "frames_malformed", id="gre-cut"),
        pytest.param(over(47, b"\0\2\x08\0" + RAW4), "frames_not_tcp", id="gre-version"),
        pytest.param(over(47, b"\xf0\0\x08\0" + b"\0" * 8), "frames_malformed", id="gre-fields-cut"),
        pytest.param(
            over(47, b"\x40\0\x08\0" + b"\0" * 4 + b"\0\1\0\1" * 9), "frames_malformed", id="gre-routes-cut"
        ),
        pytest.param(
            over(47, b"\x40\0\x08\0" + b"\0" * 4 + b"\0\1\0\xff\0\0"),
            "frames_malformed",
            id="gre-route-past-the-end",
        ),
        pytest.param(over(47, b"\0\0\x20\0" + b"\0" * 20), "frames_not_tcp", id="gre-cdp"),
        pytest.param(over(47, b"\x10\0\x88\xbe\0\0\0\1\x10"), "frames_malformed", id="erspan-cut"),
        pytest.param(over(97, b"\x30"), "frames_malformed", id="etherip-cut"),
        pytest.param(over(4, b"\x45" + b"\0" * 10), "frames_malformed", id="inner-header-cut"),
        pytest.param(over(41, RAW4), "frames_malformed", id="inner-version"),
    ],
)
def test_tunnels_without_a_segment_are_counted(octets: bytes, counter: str) -> None:
    assert decode(101, octets) == counter


@pytest.mark.parametrize(("depth", "found"), [(1, True), (10, True), (14, True), (40, False), (500, False)])
def test_nesting_is_bounded(depth: int, found: bool) -> None:
    octets = RAW4
    for _ in range(depth):
        octets = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(octets), 1, 0, 64, 4, 0, 1, 2) + octets

    assert decode(101, octets) == (decode(101, RAW4) if found else "frames_malformed")


def test_wccp_over_gre_with_and_without_its_own_header() -> None:
    assert decode(101, over(47, b"\0\0\x88\x3e" + RAW4)) == decode(101, RAW4)
    assert decode(101, over(47, b"\0\0\x88\x3e" + b"\0" * 4 + RAW4)) == decode(101, RAW4)


def test_erspan_that_mirrors_a_packet_without_its_frame() -> None:
    header = b"\x20\0\0\3" + b"\0" * 6 + struct.pack(">H", 2 << 11)

    assert decode(101, over(47, b"\x10\0\x22\xeb\0\0\0\1" + header + RAW4)) == decode(101, RAW4)


def test_padding_behind_a_udp_datagram_never_becomes_content() -> None:
    inner = bytes(ether() / IP(len=0, src="192.0.2.1", dst="198.51.100.9") / ip4().payload)
    octets = bytes(outer_udp(4789) / VXLAN() / inner) + b"padding"

    assert decode(1, octets) == decode(101, RAW4)


def test_a_mirrored_packet_cut_by_the_mirror_yields_what_is_there() -> None:
    """A traffic mirror may cut packets before it wraps them: the outer one is whole then."""
    inner = bytes(ether() / ip4())

    segment = decode(1, bytes(outer_udp(4789) / VXLAN() / inner[:-10]))

    whole = decode(1, inner)
    assert isinstance(segment, dict) and isinstance(whole, dict)
    assert segment["payload"] == whole["payload"][:-10]


def inside(version: int, packet: bytes) -> bytes:
    """*packet* (of IP *version*) in an Ethernet frame."""
    return bytes(ether(type=0x0800 if version == 4 else 0x86DD)) + packet


def carried(kind: str, version: int, packet: bytes) -> tuple[int, bytes]:
    """*packet* inside a tunnel; the IP version of the outside and its octets."""
    ether_type = struct.pack(">H", 0x0800 if version == 4 else 0x86DD)
    content = {
        "ip": packet,
        "gre": b"\x20\0" + ether_type + b"\0\0\0\7" + packet,
        "teb": b"\0\0\x65\x58" + inside(version, packet),
        "vxlan": b"\x08\0\0\0\0\0\7\0" + inside(version, packet),
        "geneve": b"\1\0" + ether_type + b"\0\0\7\0" + b"\0\1\2\0" + packet,
        "mpls": b"\0\1\0\x40\0\1\1\x40" + packet,
        "erspan": b"\x10\0\x88\xbe\0\0\0\1" + b"\x10\0\0\0\0\0\0\0" + inside(version, packet),
    }[kind]
    port = {"vxlan": 4789, "geneve": 6081, "mpls": 6635}.get(kind)
    if port is not None:
        return 4, bytes(outer4() / UDP(dport=port, chksum=0) / content)
    protocol = {"ip": 4 if version == 4 else 41}.get(kind, 47)
    if kind == "gre":
        return 6, bytes(outer6(protocol) / content)
    return 4, bytes(outer4(protocol) / content)


@settings(max_examples=scaled(100), deadline=None)
@given(
    kinds=st.lists(st.sampled_from(["ip", "gre", "teb", "vxlan", "geneve", "mpls", "erspan"]), max_size=5),
    version=st.sampled_from([4, 6]),
    padding=st.integers(0, 20),
    cut=st.integers(0, 40),
)
def test_any_nesting_of_tunnels_yields_the_segment(
    kinds: list[str], version: int, padding: int, cut: int
) -> None:
    packet = RAW4 if version == 4 else bytes(ip6())
    expected = decode(101, packet, None)
    outer = version
    for kind in kinds:
        outer, packet = carried(kind, outer, packet)
    frame = inside(outer, packet)

    whole = decode(1, frame + b"\xee" * padding)
    front = decode(1, frame[: len(frame) - cut], len(frame))

    assert whole == expected
    assert isinstance(front, dict) and isinstance(expected, dict)
    assert front["payload"] == expected["payload"][: len(expected["payload"]) - cut]
    assert front["missing_length"] == cut


def read_by(*frames: Packet | bytes, ports: Sequence[int] = ()) -> tuple[int, list[UnnamedTunnel]]:
    """TCP segments found, and the tunnels that nobody named."""
    engine = Engine(vxlan_ports=ports)
    engine.feed([(1, bytes(frame), None) for frame in frames])
    return engine.statistics()["frames_tcp"], engine.unnamed_tunnels()


@pytest.mark.parametrize("outer", [outer4, outer6], ids=["ip4", "ip6"])
@pytest.mark.parametrize("inner", ["eth4", "eth6", "vlan"])
def test_vxlan_on_another_port_is_counted_until_the_port_is_named(outer, inner):
    frame = {"eth4": ether() / ip4(), "eth6": ether() / ip6(), "vlan": ether() / Dot1Q(vlan=5) / ip4()}[inner]
    carried = ether() / outer(17) / UDP(sport=5, dport=6789) / VXLAN(vni=7) / frame

    assert read_by(carried, carried) == (0, [{"port": 6789, "frames": 2}])
    assert read_by(carried, carried, ports=[1, 6789]) == (2, [])


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x08" + bytes(7), id="no frame"),
        pytest.param(bytes(VXLAN() / ether() / ARP()) + bytes(40), id="no IP"),
        pytest.param(b"\x08\0\0\0\0\0\1\1" + bytes(ether() / ip4()), id="reserved octet"),
        pytest.param(b"\x18\0\0\0\0\0\1\0" + bytes(ether() / ip4()), id="reserved flag"),
        pytest.param(bytes(VXLAN() / ether()) + b"\x08\0\x60" + bytes(40), id="another version of IP"),
        pytest.param(bytes(VXLAN() / ether() / Dot1Q(vlan=1))[:26] + bytes(20), id="cut after a tag"),
    ],
)
def test_other_udp_is_not_taken_for_vxlan(content):
    assert read_by(ether() / outer4(17) / UDP(dport=6789) / content) == (0, [])


def test_ports_that_look_like_vxlan_have_a_bound_and_the_rest_is_summed():
    sent = [ether() / outer4() / UDP(dport=7000 + n) / VXLAN() / ether() / ip4() for n in range(11)]

    assert read_by(*sent, sent[1]) == (
        0,
        [
            {"port": 7001, "frames": 2},
            *({"port": port, "frames": 1} for port in (7000, *range(7002, 7008))),
            {"port": None, "frames": 3},
        ],
    )


def test_more_ports_than_the_engine_has_room_for_are_refused():
    with pytest.raises(ValueError, match="more than 16"):
        Engine(vxlan_ports=range(1, 18))
