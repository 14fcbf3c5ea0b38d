"""IP fragments against a model that keeps one entry for each octet, and against scapy's fragmentation."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, fragment6
from scapy.layers.vxlan import VXLAN

from levo.engine.net.frame import FrameDecoder, decode
from tests.engine.frame_samples import ether
from tests.engine.net.test_frame import assert_balanced
from tests.helpers.effort import scaled

SECOND = 10**9
BODY = bytes(range(256)) * 12
WHOLE4 = IP(src="192.0.2.1", dst="198.51.100.9", id=77) / TCP(sport=40100, dport=80, seq=5) / BODY
WHOLE6 = (
    IPv6(src="2001:db8::1", dst="2001:db8::9") / IPv6ExtHdrFragment(id=9) / TCP(sport=40100, dport=80) / BODY
)


def pieces(version: int, size: int = 600) -> list[bytes]:
    if version == 4:
        return [bytes(piece) for piece in fragment(WHOLE4, size)]
    return [bytes(piece) for piece in fragment6(WHOLE6, size)]


def piece4(offset: int, data: bytes, more: bool, identification: int = 1, protocol: int = 6) -> bytes:
    """One IPv4 fragment; *offset* in octets."""
    field = offset >> 3 | (0x2000 if more else 0)
    header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(data), identification, field, 64, protocol, 0)
    return header + bytes([10, 0, 0, 1, 10, 0, 0, 2]) + data


def segment_of(payload: bytes) -> bytes:
    return struct.pack(">HHIIBBHHH", 1, 2, 3, 4, 0x50, 16, 0, 0, 0) + payload


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("seed", range(5))
def test_fragments_in_any_order_and_repeated_yield_the_segment_once(version: int, seed: int) -> None:
    frames = pieces(version)
    assert len(frames) > 4
    chance = random.Random(seed)
    chance.shuffle(frames)
    last = frames.pop()
    frames += chance.sample(frames, 2)
    chance.shuffle(frames)
    decoder = FrameDecoder()

    assert [decoder.feed(101, octets) for octets in frames] == ["frames_fragment_joined"] * len(frames)
    segment = decoder.feed(101, last)

    assert isinstance(segment, dict)
    assert segment == decode(101, bytes(WHOLE4 if version == 4 else WHOLE6))
    counters = decoder.statistics()
    assert counters["frames_tcp"] == 1 and counters["frames_fragment_joined"] == len(frames)
    assert_balanced(decoder)
    decoder.close()
    decoder.close()
    assert decoder.statistics()["memory_used_bytes"] == 0


def test_packets_that_interleave_are_kept_apart() -> None:
    """Same identification everywhere; address, protocol family or interface differ."""
    streams = [
        [
            bytes(piece)
            for piece in fragment(
                IP(src=f"192.0.2.{n}", dst="198.51.100.9", id=7) / TCP() / bytes([n] * 900), 400
            )
        ]
        for n in range(1, 5)
    ]
    decoder, found = FrameDecoder(), []
    for turn in range(len(streams[0])):
        for stream in streams:
            for interface in (0, 1):
                result = decoder.feed(101, stream[turn], None, 0, interface)
                if isinstance(result, dict):
                    found.append((result["source"], result["payload"]))

    assert found == [(f"192.0.2.{n}", bytes([n] * 900)) for n in range(1, 5) for _ in range(2)]
    assert_balanced(decoder)


def test_a_cooked_header_tells_the_interfaces_of_fragments_apart() -> None:
    """A capture of all interfaces shows forwarded fragments twice; the copies are two packets."""
    decoder = FrameDecoder()
    results = [
        decoder.feed(276, struct.pack(">HHIHBB8x", 0x0800, 0, interface, 1, 0, 6) + octets)
        for octets in pieces(4, 2000)
        for interface in (2, 5)
    ]

    assert [isinstance(result, dict) for result in results] == [False, False, True, True]
    assert decoder.statistics()["frames_fragment_joined"] == 2


def test_a_frame_between_the_fragments_does_not_disturb_them() -> None:
    first, *rest = pieces(4, 2000)
    decoder = FrameDecoder()
    decoder.feed(101, first)

    assert isinstance(decoder.feed(101, bytes(IP() / TCP() / b"between")), dict)
    segment = decoder.feed(101, rest[0])

    assert isinstance(segment, dict) and segment["payload"] == BODY


def test_fragments_wait_for_thirty_seconds_and_are_then_lost() -> None:
    frames = pieces(4)
    decoder = FrameDecoder()
    for octets in frames[:3]:
        decoder.feed(101, octets, None, 100 * SECOND)

    decoder.tick(130 * SECOND - 1)
    waiting = decoder.statistics()
    decoder.tick(130 * SECOND)
    expired = decoder.statistics()

    assert (waiting["frames_fragment_joined"], waiting["frames_fragment_lost"]) == (3, 0)
    assert (expired["frames_fragment_joined"], expired["frames_fragment_lost"]) == (0, 3)
    assert waiting["memory_used_bytes"] > 0 and expired["memory_used_bytes"] == 0
    assert [decoder.feed(101, octets) for octets in frames[3:]] == ["frames_fragment_joined"] * (
        len(frames) - 3
    )
    assert_balanced(decoder)


def test_the_end_of_the_capture_counts_waiting_fragments_as_lost() -> None:
    decoder = FrameDecoder()
    for octets in pieces(4)[:3] + pieces(6)[1:]:
        decoder.feed(101, octets)
    held = decoder.statistics()["frames_fragment_joined"]

    decoder.finish()

    counters = decoder.statistics()
    assert (counters["frames_fragment_joined"], counters["frames_fragment_lost"]) == (0, held)
    assert counters["memory_used_bytes"] == 0
    assert_balanced(decoder)


def test_capture_times_of_any_value_do_not_trap_or_lose_what_waits() -> None:
    decoder = FrameDecoder()
    *frames, last = pieces(4)
    for octets, time_ns in zip(frames, [2**63 - 1, 0, -(2**63), 5, 7, 8], strict=False):
        decoder.feed(101, octets, None, time_ns)
        assert_balanced(decoder)
    decoder.tick(-(2**63))
    assert isinstance(decoder.feed(101, last, None, -1), dict)


def test_later_overlaps_never_change_what_was_there() -> None:
    data = segment_of(b"A" * 12 + b"B" * 32)
    decoder = FrameDecoder()

    assert decoder.feed(101, piece4(0, data[:32], True)) == "frames_fragment_joined"
    assert decoder.feed(101, piece4(16, b"X" * 32, True)) == "frames_fragment_joined"
    segment = decoder.feed(101, piece4(32, data[32:], False))

    assert isinstance(segment, dict)
    assert segment["payload"] == b"A" * 12 + b"X" * 16 + b"B" * 16


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param([(0, 12, True)], id="not-a-multiple-of-eight"),
        pytest.param([(0, 0, True)], id="empty"),
        pytest.param([(65528, 8, False)], id="past-64-KiB"),
        pytest.param([(16, 8, False), (24, 8, True)], id="behind-the-end"),
        pytest.param([(24, 8, True), (16, 8, False)], id="end-before-what-was-seen"),
        pytest.param([(16, 16, False), (16, 8, False)], id="two-ends"),
    ],
)
def test_fragments_that_contradict_are_malformed(frames: list[tuple[int, int, bool]]) -> None:
    decoder = FrameDecoder()
    *accepted, last = [piece4(offset, b"." * length, more) for offset, length, more in frames]

    assert [decoder.feed(101, octets) for octets in accepted] == ["frames_fragment_joined"] * len(accepted)
    assert decoder.feed(101, last) == "frames_malformed"
    assert_balanced(decoder)


@pytest.mark.parametrize("offset", [8, 65520])
def test_tiny_and_far_fragments_alone_yield_nothing(offset: int) -> None:
    decoder = FrameDecoder()

    assert decoder.feed(101, piece4(offset, b"x", False)) == "frames_fragment_joined"
    assert_balanced(decoder)


def test_a_segment_of_the_largest_size_is_made_whole() -> None:
    data = segment_of(random.Random(1).randbytes(65515 - 20))
    decoder, result = FrameDecoder(), ""
    for offset in range(0, len(data), 1480):
        result = decoder.feed(101, piece4(offset, data[offset : offset + 1480], offset + 1480 < len(data)))

    assert isinstance(result, dict) and result["payload"] == data[20:]


def test_a_header_spread_over_fragments_is_read() -> None:
    data = segment_of(b"hello")
    decoder = FrameDecoder()
    decoder.feed(101, piece4(0, data[:8], True))
    decoder.feed(101, piece4(8, data[8:16], True))

    segment = decoder.feed(101, piece4(16, data[16:], False))

    assert isinstance(segment, dict) and segment["payload"] == b"hello"


def test_fragments_cut_by_the_snap_length_yield_the_front_and_what_is_missing() -> None:
    data = segment_of(bytes(range(100)))
    frames = [piece4(0, data[:64], True), piece4(64, data[64:], False)]
    for cut_first, cut_last in [(0, 5), (30, 0), (3, 3), (0, 56)]:
        decoder = FrameDecoder()
        decoder.feed(101, frames[0][: len(frames[0]) - cut_first], len(frames[0]))
        segment = decoder.feed(101, frames[1][: len(frames[1]) - cut_last], len(frames[1]))

        present = len(data) - cut_last if not cut_first else 64 - cut_first
        assert isinstance(segment, dict)
        assert segment["payload"] == data[20:present]
        assert segment["missing_length"] == len(data) - present


def test_protocols_that_cannot_carry_tcp_are_not_kept() -> None:
    decoder = FrameDecoder()
    frames = [bytes(piece) for piece in fragment(IP() / ICMP() / BODY, 400)]

    assert {str(decoder.feed(101, octets)) for octets in frames} == {"frames_not_tcp"}
    assert decoder.statistics()["memory_used_bytes"] == 0


def test_a_datagram_made_whole_that_is_not_tcp_counts_once_as_such() -> None:
    decoder = FrameDecoder()
    results = [decoder.feed(101, bytes(piece)) for piece in fragment(IP() / UDP() / BODY, 1000)]

    assert results == ["frames_fragment_joined"] * (len(results) - 1) + ["frames_not_tcp"]
    assert_balanced(decoder)


@pytest.mark.parametrize("inner_size", [512, 5000])
def test_a_fragmented_tunnel_may_carry_fragments(inner_size: int) -> None:
    decoder, found = FrameDecoder(), []
    for number, inner in enumerate(fragment(WHOLE4, inner_size)):
        outer = (
            IP(src="203.0.113.1", dst="203.0.113.2", id=number)
            / UDP(dport=4789, chksum=0)
            / VXLAN()
            / ether()
            / inner
        )
        found += [decoder.feed(101, bytes(piece)) for piece in fragment(outer, 200)]

    assert isinstance(found[-1], dict) and found[-1]["payload"] == BODY
    assert set(map(str, found[:-1])) == {"frames_fragment_joined"}
    assert_balanced(decoder)


def test_the_next_header_of_the_first_fragment_counts() -> None:
    """RFC 8200 section 4.5: the next header of later fragments may differ and is ignored."""
    inner = bytes(IPv6ExtHdrDestOpt(nh=6)) + segment_of(BODY)
    frames = [
        bytes(IPv6() / IPv6ExtHdrFragment(nh=nh, id=4, offset=at >> 3, m=int(more)) / inner[at : at + 1600])
        for at, nh, more in ((1600, 59, False), (0, 60, True))
    ]
    decoder = FrameDecoder()
    decoder.feed(101, frames[0])

    segment = decoder.feed(101, frames[1])

    assert isinstance(segment, dict) and segment["payload"] == BODY


def test_memory_is_bounded_and_the_oldest_packets_go_first() -> None:
    limit = 4 << 20
    decoder = FrameDecoder(limit)
    for number in range(400):
        assert decoder.feed(101, piece4(0, bytes(1480), True, number)) == "frames_fragment_joined"
        assert decoder.statistics()["memory_used_bytes"] <= limit >> 4
        assert_balanced(decoder)

    counters = decoder.statistics()
    kept = counters["frames_fragment_joined"]
    assert 20 < kept < 400 and counters["frames_fragment_lost"] == 400 - kept
    assert decoder.feed(101, piece4(1480, bytes(8), False, 0)) == "frames_fragment_joined"
    assert isinstance(decoder.feed(101, piece4(1480, segment_of(b""), False, 399)), str | dict)
    newest = decoder.statistics()
    assert newest["frames_tcp"] + newest["frames_malformed"] == 1


def test_many_packets_under_construction_are_bounded_in_number() -> None:
    decoder = FrameDecoder(1 << 30)
    for number in range(3000):
        decoder.feed(101, piece4(8, bytes(8), True, number))

    counters = decoder.statistics()
    assert counters["frames_fragment_joined"] == 1024 and counters["frames_fragment_lost"] == 3000 - 1024
    assert_balanced(decoder)


@pytest.mark.parametrize("limit", [0, 1000, 40000])
def test_without_memory_fragments_are_lost_and_counted(limit: int) -> None:
    decoder = FrameDecoder(limit)

    assert {str(decoder.feed(101, octets)) for octets in pieces(4)} == {"frames_fragment_lost"}
    counters = decoder.statistics()
    assert counters["memory_used_bytes"] == 0 and counters["memory_refused"] >= len(pieces(4))
    assert_balanced(decoder)


class OctetModel:
    """What the rules say, octet by octet; one packet."""

    def __init__(self) -> None:
        self.octets: dict[int, int] = {}
        self.total: int | None = None
        self.reach = 0

    def add(self, offset: int, data: bytes, more: bool) -> bytes | str:
        end = offset + len(data)
        if not data or end > 65535 or (more and len(data) % 8):
            return "frames_malformed"
        if self.total is not None and (end > self.total or (not more and end != self.total)):
            return "frames_malformed"
        if self.total is None and not more and end < self.reach:
            return "frames_malformed"
        for at, octet in enumerate(data, offset):
            self.octets.setdefault(at, octet)
        self.reach = max(self.reach, end)
        if not more:
            self.total = end
        if self.total is None or len(self.octets) < self.total:
            return "frames_fragment_joined"
        return bytes(self.octets[at] for at in range(self.total))


@settings(max_examples=scaled(200), deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.integers(0, 2),
            st.integers(0, 9).map(lambda block: block * 8),
            st.one_of(st.integers(1, 5).map(lambda blocks: blocks * 8), st.integers(0, 40)),
            st.booleans(),
        ),
        max_size=60,
    )
)
def test_any_run_of_fragments_follows_the_octet_model(steps: list[tuple[int, int, int, bool]]) -> None:
    decoder = FrameDecoder()
    models = {number: OctetModel() for number in range(3)}
    header = segment_of(b"")
    for turn, (number, offset, length, more) in enumerate(steps):
        # The octets of a header that any first block repeats, elsewhere the number of the turn.
        data = (header + bytes([turn]) * 200)[offset : offset + length]
        result = decoder.feed(101, piece4(offset, data, more, number))
        if offset == 0 and not more:
            assert not isinstance(result, str) or result == "frames_malformed"
            continue  # a whole packet, which leaves the waiting ones alone
        expected = models[number].add(offset, data, more)
        if isinstance(expected, bytes):
            models[number] = OctetModel()
            if len(expected) < 20:
                assert result == "frames_malformed"
            else:
                assert isinstance(result, dict) and header + result["payload"] == expected
        else:
            assert result == expected
        assert_balanced(decoder)
    decoder.finish()
    assert_balanced(decoder)
    assert decoder.statistics()["memory_used_bytes"] == 0
