"""Programs joined from parts decide as the parts do; own traffic is excluded; the engine's protocols pass."""

from __future__ import annotations

import shutil
import struct
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import UDP
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet

from levo.engine.net.frame import decode
from levo.errors import ConfigError
from levo.sensor.capture.bpf import Program, compile_expression
from levo.sensor.capture.filters import (
    Endpoint,
    both,
    check_expression,
    choose,
    describe,
    file_program,
    live_program,
    readable_program,
    resolve,
    through_tags,
    without,
)
from tests.engine.frame_samples import ether, ip4, outer4, outer6, samples
from tests.helpers.effort import scaled
from tests.sensor.capture.files import pcap, tcp_frame

PORTS = (80, 443, 8080, 8081)
EXPRESSIONS = ("port 8080", "not port 8081", "tcp", "src port 80 or dst port 443", "", "greater 100", "udp")


def compiled(text: str) -> list[tuple[int, int, int, int]]:
    return compile_expression(text)


frames = st.builds(
    tcp_frame,
    st.sampled_from(PORTS),
    st.sampled_from(PORTS),
    st.lists(st.integers(0, 4095), max_size=2).map(tuple),
    st.integers(0, 100),
)


@given(frame=frames, first=st.sampled_from(EXPRESSIONS), second=st.sampled_from(EXPRESSIONS))
def test_both_is_the_conjunction(frame, first, second):
    parts = [Program(compiled(each)).match(frame) for each in (first, second)]

    assert Program(both(compiled(first), compiled(second))).match(frame) == all(parts)


@given(frame=frames, test=st.sampled_from(EXPRESSIONS), then=st.sampled_from(EXPRESSIONS))
def test_choose_decides_by_its_test(frame, test, then):
    program = Program(choose(compiled(test), compiled(then), compiled("port 443")))
    decided = then if Program(compiled(test)).match(frame) else "port 443"

    assert program.match(frame) == Program(compiled(decided)).match(frame)


@settings(max_examples=scaled(300))
@given(
    ports=st.tuples(st.sampled_from(PORTS), st.sampled_from(PORTS)),
    tags=st.lists(st.integers(0, 4095), max_size=2).map(tuple),
    expression=st.sampled_from(
        ["port 8080", "not port 8081", "src port 80 or dst port 443", "not tcp", "tcp"]
    ),
)
def test_tags_make_no_difference(ports, tags, expression):
    """A tagged frame passes exactly when the same frame without its tags does."""
    program = Program(through_tags(expression, compiled))

    assert program.match(tcp_frame(*ports, tags)) == Program(compiled(expression)).match(tcp_frame(*ports))


def test_an_expression_that_names_a_tag_is_taken_as_it_stands():
    program = Program(through_tags("vlan 5 and port 80", compiled))

    assert program.match(tcp_frame(80, 1, (5,)))
    assert not program.match(tcp_frame(80, 1, (6,)))
    assert not program.match(tcp_frame(80, 1))


@pytest.mark.parametrize("link_type", [0, 1, 12, 101, 105, 108, 113, 127, 228, 229, 276])
def test_the_kernel_filter_compiles_for_every_link_layer(link_type):
    program = Program(
        live_program(
            "port 80",
            {("10.0.0.1", 4317), ("::1", 4318)},
            lambda text: compile_expression(text, link_type),
        )
    )
    assert 10 < len(program) < (4096 if link_type in (105, 127) else 600)


def test_tcpdump_decides_alike_on_the_readable_protocols(tmp_path):
    tcpdump = shutil.which("tcpdump")
    if tcpdump is None:
        pytest.skip("tcpdump is not installed")
    text = describe(None, {("10.0.0.1", 443)})
    sent = [tcp_frame(a, b) for a in PORTS for b in PORTS]
    path = tmp_path / "sent"
    path.write_bytes(pcap([(index, each, len(each)) for index, each in enumerate(sent)], nano=True))
    run = subprocess.run([tcpdump, "-r", path, "--count", text], capture_output=True, check=True)
    program = Program(live_program(None, {("10.0.0.1", 443)}, compiled))

    assert sum(program.match(each) for each in sent) == int(run.stdout.split()[0]) == 9


def ipv6(next_header: int) -> bytes:
    return bytes(12) + b"\x86\xdd" + struct.pack("!IHBB", 0x60000000, 40, next_header, 64) + bytes(72)


@pytest.mark.parametrize(
    ("frame", "passes"),
    [
        (ipv6(6), True),
        (ipv6(0), True),
        (ipv6(44), True),
        (ipv6(60), True),
        (ipv6(47), True),
        (ipv6(58), False),
        (ipv6(17), False),
        (bytes(12) + b"\x88\x47" + bytes(40), True),
        (bytes(12) + b"\x88\x64" + bytes(40), True),
        (bytes(12) + b"\x81\0\0\1\x88\x64" + bytes(40), True),
        (bytes(12) + b"\x08\x06" + bytes(40), False),
        (b"", False),
        (bytes(13), False),
    ],
)
def test_what_may_hold_tcp_passes(frame, passes):
    assert Program(readable_program((), compiled)).match(frame) is passes


UNFILTERED = {"802.3-snap", "three-tags-6"}
"""Too rare for what each further test costs the kernel with every frame."""
ON_ETHERNET = {
    name: octets for name, (link, octets) in samples().items() if link == 1 and name not in UNFILTERED
}


@pytest.mark.parametrize("name", ON_ETHERNET)
def test_what_the_engine_opens_the_kernel_passes(name):
    frame = bytes(ON_ETHERNET[name])
    assert isinstance(decode(1, frame), dict)

    assert Program(readable_program((), compiled)).match(frame)


WIRELESS = (105, 119, 127, 163)
"""802.11, alone and behind three kinds of radio headers: each look at IP takes dozens of instructions."""


@pytest.mark.parametrize("link_type", [1, *WIRELESS])
@pytest.mark.parametrize("addresses", [0, 8, 60])
@pytest.mark.parametrize("ports", [0, 8, 16])
def test_the_kernel_takes_the_filter_whatever_is_configured(link_type, addresses, ports):
    own = {(f"10.0.{number}.1", 4317) for number in range(addresses)}
    vxlan_ports = [10_000 + 17 * number for number in range(ports)]
    plain, chosen = (
        Program(live_program(user, own, lambda text: compile_expression(text, link_type), vxlan_ports))
        for user in (None, "port 80")
    )
    for packet, passes in (
        (ether() / ip4(), True),
        (ether() / outer4(17) / UDP(sport=5, dport=10_000), ports),
    ):
        octets = bytes(packet)
        if link_type != 1:
            # A data frame behind the least radio header that its link type has, and LLC/SNAP.
            radio = {
                105: b"",
                119: bytes(144),
                127: b"\0\0\x08\0\0\0\0\0",
                163: b"\0\0\0\1\0\0\0\x40" + bytes(56),
            }[link_type]
            octets = radio + b"\x08\0" + bytes(22) + b"\xaa\xaa\x03\0\0\0" + octets[12:]
        assert plain.match(octets) or not passes
    assert len(chosen) > len(plain)


def over_udp(port: int, content: bytes, outer: Packet) -> bytes:
    return bytes(ether() / outer / UDP(sport=5, dport=port) / content)


@pytest.mark.parametrize("outer", [outer4(17), outer6(17)], ids=["ip4", "ip6"])
def test_udp_passes_on_named_ports_and_where_it_looks_like_vxlan(outer):
    vxlan, other = bytes(VXLAN() / ether() / ip4()), bytes(60)
    plain, named = (Program(readable_program((), compiled, ports)) for ports in ((), (6789,)))

    assert plain.match(over_udp(6789, vxlan, outer))
    assert not plain.match(over_udp(6789, other, outer))
    assert named.match(over_udp(6789, other, outer))
    assert not named.match(over_udp(6788, other, outer))
    assert "udp port 6789" in describe(None, (), (6789,))


@given(
    frame=st.builds(tcp_frame, st.sampled_from(PORTS), st.sampled_from(PORTS)),
    port=st.sampled_from(PORTS),
    address=st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.3"]),
)
def test_exclusion_needs_both_address_and_port(frame, port, address):
    ours = address != "10.0.0.3" and port in struct.unpack("!HH", frame[34:38])

    assert Program(live_program(None, {(address, port)}, compiled)).match(frame) is not ours


def test_no_address_excludes_nothing():
    assert without(()) == ""
    assert "4317" in without({("::1", 4317), ("127.0.0.1", 4317)})


def test_resolving_finds_numeric_hosts_and_reports_unknown_ones():
    found = resolve(
        [Endpoint("127.0.0.1", 1), Endpoint("::1", 2), Endpoint("no-such-host.invalid", 3), Endpoint("", 4)]
    )
    assert found.addresses >= {("127.0.0.1", 1), ("::1", 2)}
    assert "no-such-host.invalid" in found.unresolved


@pytest.mark.parametrize("text", ["port", "port 80)", "a b c", "vlan and (", "port 80\0", "port 80) or (tcp"])
def test_a_bad_expression_is_one_line_with_its_text(text):
    with pytest.raises(ConfigError) as caught:
        check_expression(text)
    assert repr(text) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_what_only_a_live_interface_knows_is_refused_for_files():
    with pytest.raises(ConfigError, match="live interface"):
        file_program("inbound and tcp", 1)
    assert Program(file_program("vlan and tcp", 1)).match(tcp_frame(1, 2, (5,)))


def test_an_expression_that_no_tagged_frame_can_match_is_not_wrong():
    program = Program(file_program("ether[12:2] = 0x800", 1))

    assert program.match(tcp_frame(1, 2))
    assert not program.match(tcp_frame(1, 2, (5,)))
    assert not Program(file_program("ip6", 228)).match(tcp_frame(1, 2)[14:])
