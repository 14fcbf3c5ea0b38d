"""Link layers: what carries no IP packet, and what cannot be read, is told apart and counted."""

from __future__ import annotations

import struct

import pytest
from scapy.layers.dot11 import Dot11, Dot11Beacon, Dot11QoS
from scapy.layers.l2 import LLC, SNAP, STP, Dot1Q, Dot3, Ether

from levo.engine.net.frame import decode
from tests.engine.frame_samples import ether, ip4, samples

SAMPLES = samples()
RAW4 = bytes(ip4())
WIFI = bytes(Dot11(type=2, subtype=0, FCfield=1, addr1="02:00:00:00:00:01"))
WIFI_QOS = bytes(Dot11(type=2, subtype=8, FCfield=1) / Dot11QoS())
BODY = bytes(LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0, code=0x800)) + RAW4


def with_octet(octets: bytes, at: int, bits: int) -> bytes:
    return octets[:at] + bytes([octets[at] | bits]) + octets[at + 1 :]


@pytest.mark.parametrize("link_type", [2, 7, 147, 251, 65535])
def test_an_unknown_link_type_is_counted_as_such(link_type: int) -> None:
    assert decode(link_type, RAW4) == "frames_unsupported_link"


@pytest.mark.parametrize(
    ("link_type", "octets", "counter"),
    [
        pytest.param(1, bytes(Dot3() / LLC() / STP()), "frames_not_ip", id="spanning-tree"),
        pytest.param(
            1, bytes(ether(type=0x8863)) + b"\x11\x09\0\0\0\0", "frames_not_ip", id="pppoe-discovery"
        ),
        pytest.param(1, bytes(ether(type=0x88CC)) + b"\0" * 46, "frames_not_ip", id="lldp"),
        pytest.param(1, bytes(ether(type=0x8100)) + b"\0\1", "frames_malformed", id="tag-cut"),
        pytest.param(
            1, bytes(ether(type=0x8864)) + b"\x11\0\0\1\0\6\xc0\x21" + b"\0" * 4, "frames_not_ip", id="lcp"
        ),
        pytest.param(
            1, bytes(ether(type=0x8847)) + b"\0\0\0\1" * 50, "frames_malformed", id="labels-without-bottom"
        ),
        pytest.param(
            1, bytes(Dot3(len=60)) + b"\xaa\xaa\3\0\0\x0c\x08\0" + RAW4, "frames_not_ip", id="snap-private"
        ),
        pytest.param(9, b"\xff\x03\xc0\x21\1\1\0\4", "frames_not_ip", id="ppp-lcp"),
        pytest.param(9, b"\xff\x03\xc0", "frames_malformed", id="ppp-cut"),
        pytest.param(0, struct.pack("<I", 7) + RAW4, "frames_not_ip", id="null-other-family"),
        pytest.param(0, b"\2\0\0", "frames_malformed", id="null-cut"),
        pytest.param(104, b"\x8f\0\x80\x35" + b"\0" * 14, "frames_not_ip", id="cisco-keepalive"),
        pytest.param(
            113, b"\0\0\x03\x38" + b"\0" * 10 + b"\x08\0" + b"\0" * 9, "frames_not_ip", id="netlink"
        ),
        pytest.param(239, b"\2\0\0\0" + struct.pack("<HHI", 8, 1, 0), "frames_not_ip", id="nflog-no-payload"),
        pytest.param(
            239, b"\2\0\0\0" + struct.pack("<HHI", 2, 1, 0), "frames_malformed", id="nflog-bad-length"
        ),
        pytest.param(
            239, b"\2\1\0\0" + struct.pack("<HHI", 8, 1, 0), "frames_unsupported_link", id="nflog-version"
        ),
        pytest.param(101, b"\x55" + RAW4, "frames_not_ip", id="raw-version-5"),
        pytest.param(101, b"", "frames_malformed", id="raw-empty"),
        pytest.param(105, bytes(Dot11(type=0, subtype=8) / Dot11Beacon()), "frames_not_ip", id="beacon"),
        pytest.param(105, b"\xd4\0\0\0" + b"\1" * 6, "frames_not_ip", id="acknowledgement"),
        pytest.param(105, with_octet(WIFI, 1, 0x40) + BODY, "frames_not_ip", id="encrypted"),
        pytest.param(105, with_octet(WIFI, 0, 0x40), "frames_not_ip", id="null-data"),
        pytest.param(105, with_octet(WIFI, 1, 4) + BODY, "frames_unsupported_link", id="802.11-fragment"),
        pytest.param(105, with_octet(WIFI_QOS, 24, 0x80) + BODY, "frames_unsupported_link", id="a-msdu"),
        pytest.param(127, b"\0\0\xff\0\0\0\0\0" + WIFI + BODY, "frames_malformed", id="radiotap-length"),
    ],
)
def test_frames_without_a_readable_packet_are_told_apart(link_type: int, octets: bytes, counter: str) -> None:
    assert decode(link_type, octets) == counter


@pytest.mark.parametrize("tags", [1, 8, 25])
def test_a_stack_of_tags_is_passed_over(tags: int) -> None:
    packet = ether()
    for number in range(tags):
        packet /= Dot1Q(vlan=number)

    segment = decode(1, bytes(packet / ip4()))

    assert isinstance(segment, dict) and segment["source"] == "192.0.2.1"


def test_tags_without_end_are_malformed() -> None:
    assert decode(1, bytes(ether(type=0x8100)) + b"\0\1\x81\0" * 500) == "frames_malformed"


@pytest.mark.parametrize("first", [0x40, 0x46, 0x4F, 0x60, 0x68])
def test_a_pseudowire_frame_is_not_taken_for_a_packet(first: int) -> None:
    """Without a control word, the frame starts with an address whose first bits may be 4 or 6."""
    frame = bytes(Ether(dst=f"{first:02x}:1b:ff:fe:fd:fc", src="00:1b:21:00:00:01") / ip4())

    assert decode(1, bytes(ether(type=0x8847)) + b"\0\1\1\x40" + frame) == decode(101, RAW4)


def test_the_length_of_a_pppoe_header_bounds_the_packet_inside() -> None:
    """A device that rewrites packets may leave Ethernet padding inside the IP length (seen in practice)."""
    link_type, octets = SAMPLES["pppoe"]
    longer = octets[:24] + struct.pack(">H", len(RAW4) + 6) + octets[26:] + b"\0" * 6

    assert octets[24:26] == struct.pack(">H", len(RAW4))
    assert decode(link_type, longer) == decode(link_type, octets)


@pytest.mark.parametrize("present", [0x80000003, 0x00000003, 0x00000002, 0x00000001])
def test_radiotap_bitmap_words_and_alignment_are_followed(present: int) -> None:
    more = struct.pack("<I", 1 << 29) if present >> 31 else b""
    fields = (b"\0" * (-(8 + len(more)) % 8) + b"\0" * 8 if present & 1 else b"") + (
        b"\x20" if present & 2 else b""
    )
    header = struct.pack("<BBHI", 0, 0, 8 + len(more) + len(fields), present) + more + fields
    padding = b"\0\0" if present & 2 else b""

    segment = decode(127, header + WIFI_QOS + padding + BODY)

    assert segment == decode(101, RAW4)
