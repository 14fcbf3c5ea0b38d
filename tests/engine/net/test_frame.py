"""Frames of all kinds against scapy (which built them), tshark (same files) and themselves cut short."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt
from scapy.layers.l2 import ARP

from levo.engine.net.frame import FrameDecoder, decode
from tests.engine.frame_samples import PAYLOAD, ether, samples, write_pcapng
from tests.helpers.effort import scaled
from tests.helpers.pcap import read_pcap, shared_captures

SAMPLES = samples()
LINK_TYPES = sorted({link_type for link_type, _ in SAMPLES.values()})
OUTCOMES = (
    "frames_tcp",
    "frames_not_ip",
    "frames_not_tcp",
    "frames_malformed",
    "frames_unsupported_link",
    "frames_fragment_joined",
    "frames_fragment_lost",
)


def assert_balanced(decoder: FrameDecoder) -> None:
    counters = decoder.statistics()
    assert counters["frames_received"] == sum(counters[name] for name in OUTCOMES)


def feed_and_check(
    decoder: FrameDecoder, link_type: int, octets: bytes, wire_length: int | None = None
) -> dict | str:
    """Feed one frame and check what holds for any octets: one counter, and nothing read from elsewhere."""
    result = decoder.feed(link_type, octets, wire_length)
    assert_balanced(decoder)
    if isinstance(result, dict):
        assert len(result["options"]) <= 40
        assert len(result["payload"]) + result["missing_length"] <= max(len(octets), wire_length or 0)
    else:
        assert result in OUTCOMES[1:]
    return result


@pytest.mark.parametrize("name", SAMPLES)
def test_the_segment_inside_any_frame_comes_out_whole(name: str) -> None:
    link_type, octets = SAMPLES[name]

    segment = decode(link_type, octets)

    version6 = name.endswith("6")
    assert segment == {
        "time_ns": 0,
        "family": 6 if version6 else 4,
        "source": "2001:db8::1" if version6 else "192.0.2.1",
        "destination": "2001:db8:ffff::9" if version6 else "198.51.100.9",
        "source_port": 40100,
        "destination_port": 8080,
        "seq": 4294967290,
        "ack": 77,
        "flags": 0x18,
        "urgent_pointer": 0,
        "options": bytes.fromhex("0101080a0000000100000002"),
        "payload": PAYLOAD,
        "missing_length": 0,
    }


def tshark_segments(path: Path) -> dict[int, tuple[object, ...]]:
    """Frame number -> what tshark read of the innermost TCP header."""
    names = "frame.number frame.protocols ip.src ipv6.src ip.dst ipv6.dst tcp.srcport tcp.dstport"
    names += " tcp.seq_raw tcp.ack_raw tcp.len tcp.flags"
    command = ["tshark", "-r", str(path), "-d", "udp.port==8472,vxlan", "-Y", "tcp", "-T", "fields"]
    for name in names.split():
        command += ["-e", name]
    found: dict[int, tuple[object, ...]] = {}
    for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines():
        number, protocols, *rest = line.split("\t")
        source4, source6, destination4, destination6, *integers = (value.split(",")[-1] for value in rest)
        innermost = [layer for layer in protocols.split(":") if layer in ("ip", "ipv6")][-1]
        addresses = (source4, destination4) if innermost == "ip" else (source6, destination6)
        *values, flags = (int(value, 0) for value in integers)
        found[int(number)] = (*addresses, *values, flags & 0x3F)
    return found


def own_segments(frames: list[tuple[int, bytes]]) -> dict[int, tuple[object, ...]]:
    decoder, found = FrameDecoder(), {}
    for number, (link_type, octets) in enumerate(frames, 1):
        segment = decoder.feed(link_type, octets)
        if isinstance(segment, dict):
            length = len(segment["payload"]) + segment["missing_length"]
            names = ("source", "destination", "source_port", "destination_port", "seq", "ack")
            found[number] = (*(segment[name] for name in names), length, segment["flags"])
    assert_balanced(decoder)
    return found


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_every_sample_reads_as_tshark_reads_it(tmp_path: Path) -> None:
    frames = list(SAMPLES.values())
    write_pcapng(tmp_path / "samples.pcapng", frames)

    assert own_segments(frames) == tshark_segments(tmp_path / "samples.pcapng")


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.skipif(shared_captures() is None, reason="the shared captures are not here (LEVO_CAPTURES)")
def test_every_segment_of_the_shared_captures_reads_as_tshark_reads_it(tmp_path: Path) -> None:
    folder = shared_captures()
    assert folder is not None
    frames: list[tuple[int, bytes]] = []
    for path in sorted([*folder.glob("*/input.pcap"), *folder.glob("http-evader/*.pcap.gz")]):
        link_type, captured = read_pcap(path)
        frames += [(link_type, octets) for _, octets, wire_length in captured if len(octets) == wire_length]
    write_pcapng(tmp_path / "all.pcapng", frames)

    own, expected = own_segments(frames), tshark_segments(tmp_path / "all.pcapng")

    assert len(own) > 5000
    assert {
        number: (own.get(number), expected.get(number))
        for number in own.keys() | expected.keys()
        if own.get(number) != expected.get(number)
    } == {}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_frame_cut_by_the_snap_length_yields_a_prefix_and_says_what_is_missing(name: str) -> None:
    link_type, octets = SAMPLES[name]
    decoder = FrameDecoder()
    whole = decode(link_type, octets)
    assert isinstance(whole, dict)
    seen = 0
    for kept in range(len(octets)):
        cut = feed_and_check(decoder, link_type, octets[:kept], len(octets))
        if isinstance(cut, str):
            assert cut in ("frames_malformed", "frames_not_ip", "frames_not_tcp")
            continue
        seen += 1
        assert whole["payload"].startswith(cut["payload"])
        assert whole["options"].startswith(cut["options"])
        assert len(cut["payload"]) + cut["missing_length"] == len(whole["payload"])
        fixed = ("source", "destination", "source_port", "destination_port", "seq", "ack", "flags", "family")
        assert [cut[key] for key in fixed] == [whole[key] for key in fixed]
    assert seen >= len(PAYLOAD)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_frame_that_lost_its_end_without_a_trace_never_yields_more_than_it_holds(name: str) -> None:
    link_type, octets = SAMPLES[name]
    decoder = FrameDecoder()
    for kept in range(len(octets)):
        cut = feed_and_check(decoder, link_type, octets[:kept])
        if isinstance(cut, dict):
            assert PAYLOAD.startswith(cut["payload"]) and cut["missing_length"] == 0


ETHERNET4 = SAMPLES["ethernet"][1]
ETHERNET6 = SAMPLES["ethernet-6"][1]


def patched(octets: bytes, at: int, value: bytes) -> bytes:
    return octets[:at] + value + octets[at + len(value) :]


@pytest.mark.parametrize(
    ("octets", "counter"),
    [
        pytest.param(b"", "frames_malformed", id="empty"),
        pytest.param(ETHERNET4[:13], "frames_malformed", id="ethernet-short"),
        pytest.param(bytes(ether() / ARP()), "frames_not_ip", id="arp"),
        pytest.param(patched(ETHERNET4, 14, b"\x44"), "frames_malformed", id="ipv4-header-of-16"),
        pytest.param(patched(ETHERNET4, 14, b"\x65"), "frames_malformed", id="ipv4-type-version-6"),
        pytest.param(patched(ETHERNET6, 14, b"\x45"), "frames_malformed", id="ipv6-type-version-4"),
        pytest.param(patched(ETHERNET4, 16, b"\0\x13"), "frames_malformed", id="ipv4-total-below-header"),
        pytest.param(patched(ETHERNET4, 16, b"\0\x27"), "frames_malformed", id="ipv4-total-below-tcp"),
        pytest.param(patched(ETHERNET4, 16, b"\0\x28"), "frames_malformed", id="tcp-options-past-the-packet"),
        pytest.param(patched(ETHERNET4, 46, b"\x40"), "frames_malformed", id="tcp-header-of-16"),
        pytest.param(patched(ETHERNET4, 23, b"\x01"), "frames_not_tcp", id="icmp"),
        pytest.param(patched(ETHERNET4, 23, b"\x32"), "frames_not_tcp", id="esp"),
        pytest.param(patched(ETHERNET6, 20, b"\x3b"), "frames_not_tcp", id="no-next-header"),
        pytest.param(patched(ETHERNET6, 20, b"\x3a"), "frames_not_tcp", id="icmp6"),
    ],
)
def test_what_is_no_segment_is_counted_by_its_reason(octets: bytes, counter: str) -> None:
    assert decode(1, octets) == counter
    assert decode(113, b"\0" * 14 + octets[12:]) == counter or len(octets) < 14


def test_extension_headers_without_end_are_malformed() -> None:
    packet = IPv6()
    for _ in range(100):
        packet /= IPv6ExtHdrDestOpt()

    assert decode(101, bytes(packet / TCP())) == "frames_malformed"


@pytest.mark.parametrize("link_type", [1, 101])
@pytest.mark.parametrize("version", [4, 6])
def test_a_length_of_zero_means_a_large_send_that_ends_with_the_frame(link_type: int, version: int) -> None:
    body = random.Random(7).randbytes(70000)
    packet = IP(src="192.0.2.1", dst="198.51.100.9", len=0) if version == 4 else IPv6(plen=0)
    octets = (
        bytes(packet / TCP(dport=80) / body) if link_type == 101 else bytes(ether() / packet / TCP() / body)
    )

    whole, cut = decode(link_type, octets), decode(link_type, octets[:-20000], len(octets))

    assert isinstance(whole, dict) and whole["payload"] == body and whole["missing_length"] == 0
    assert isinstance(cut, dict) and cut["payload"] == body[:50000] and cut["missing_length"] == 20000


def test_the_urgent_pointer_and_all_flags_are_read() -> None:
    segment = decode(101, bytes(IP() / TCP(flags="FSRPAUEC", urgptr=513) / b"!"))

    assert isinstance(segment, dict)
    assert (segment["flags"], segment["urgent_pointer"]) == (0x3F, 513)


def test_counters_hold_every_frame_and_octet() -> None:
    decoder = FrameDecoder()
    for link_type, octets in SAMPLES.values():
        decoder.feed(link_type, octets)
    decoder.feed(9999, b"abc")

    counters = decoder.statistics()

    assert_balanced(decoder)
    assert counters["frames_tcp"] == len(SAMPLES) and counters["frames_unsupported_link"] == 1
    assert counters["payload_bytes_received"] == len(SAMPLES) * len(PAYLOAD)
    assert counters["frame_bytes_received"] == sum(len(octets) for _, octets in SAMPLES.values()) + 3
    assert counters["memory_used_bytes"] == 0


def test_times_and_wire_lengths_of_any_value_are_taken() -> None:
    decoder = FrameDecoder()
    for time_ns in (-(2**63), -1, 2**63 - 1, 0):
        segment = decoder.feed(1, ETHERNET4, 3, time_ns)
        assert isinstance(segment, dict) and segment["time_ns"] == time_ns and segment["missing_length"] == 0


@settings(max_examples=scaled(300), deadline=None)
@given(
    link_type=st.sampled_from([*LINK_TYPES, 7]), octets=st.binary(max_size=200), extra=st.integers(0, 3000)
)
def test_any_octets_are_decoded_or_counted(link_type: int, octets: bytes, extra: int) -> None:
    feed_and_check(FrameDecoder(), link_type, octets, len(octets) + extra)


@settings(max_examples=scaled(300), deadline=None)
@given(
    name=st.sampled_from(sorted(SAMPLES)),
    changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=6),
    link_type=st.sampled_from([None, None, None, *LINK_TYPES]),
)
def test_damaged_frames_are_decoded_or_counted(
    name: str, changes: list[tuple[int, int]], link_type: int | None
) -> None:
    own_link_type, octets = SAMPLES[name]
    damaged = bytearray(octets)
    for at, value in changes:
        damaged[at % len(damaged)] = value
    decoder = FrameDecoder()
    for time in range(2):
        feed_and_check(
            decoder, own_link_type if link_type is None else link_type, bytes(damaged), len(damaged) + time
        )
    decoder.finish()
    assert_balanced(decoder)
    assert decoder.statistics()["memory_used_bytes"] == 0


@settings(max_examples=scaled(100), deadline=None)
@given(
    port=st.integers(0, 65535),
    seq=st.integers(0, 2**32 - 1),
    flags=st.integers(0, 255),
    window=st.integers(0, 65535),
    payload=st.binary(max_size=300),
    options=st.integers(0, 10),
    padding=st.binary(max_size=20),
)
def test_header_fields_survive_on_the_short_and_on_the_general_path(
    port: int, seq: int, flags: int, window: int, payload: bytes, options: int, padding: bytes
) -> None:
    header = struct.pack(
        ">HHIIBBHHH", port, 65535 - port, seq, seq ^ 0xFFFFFFFF, (5 + options) << 4, flags, window, 0, 9
    )
    tcp = header + b"\1" * (4 * options) + payload
    ip = (
        struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0x4000, 64, 6, 0)
        + bytes(range(1, 9))
        + tcp
        + padding
    )

    short = decode(1, b"\0" * 12 + b"\x08\0" + ip)

    assert isinstance(short, dict)
    assert (
        short
        == decode(101, ip)
        == decode(276, b"\x08\0" + b"\0" * 18 + ip)
        == decode(113, b"\0" * 14 + b"\x08\0" + ip)
    )
    assert (short["source_port"], short["destination_port"]) == (port, 65535 - port)
    assert (short["seq"], short["ack"], short["flags"]) == (seq, seq ^ 0xFFFFFFFF, flags & 0x3F)
    assert (short["payload"], short["options"], short["urgent_pointer"]) == (
        payload,
        b"\1" * (4 * options),
        9,
    )
    assert (short["source"], short["destination"]) == ("1.2.3.4", "5.6.7.8")
