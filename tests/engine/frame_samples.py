"""Frames of every supported link layer and tunnel, built with scapy.

Each sample carries the same TCP segment, so that a test knows what must come out. ``write_pcapng`` puts
samples of different link types into one file, so that tshark can be asked about all of them at once.
"""

from __future__ import annotations

import logging
import struct
from pathlib import Path

logging.getLogger("scapy").setLevel(logging.CRITICAL)

from scapy.contrib.erspan import ERSPAN_II, ERSPAN_III  # noqa: E402
from scapy.contrib.geneve import GENEVE, GeneveOptions  # noqa: E402
from scapy.contrib.mpls import MPLS  # noqa: E402
from scapy.layers.dot11 import Dot11, Dot11QoS, RadioTap  # noqa: E402
from scapy.layers.inet import IP, TCP, UDP, IPOption_Router_Alert  # noqa: E402
from scapy.layers.inet6 import (  # noqa: E402
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    PadN,
)
from scapy.layers.ipsec import AH  # noqa: E402
from scapy.layers.l2 import GRE, LLC, SNAP, CookedLinux, CookedLinuxV2, Dot1AD, Dot1Q, Ether  # noqa: E402
from scapy.layers.ppp import PPP, PPPoE  # noqa: E402
from scapy.layers.vxlan import VXLAN  # noqa: E402
from scapy.packet import Packet  # noqa: E402

PAYLOAD = b"GET /orders/17 HTTP/1.1\r\nHost: shop.example\r\n\r\n"
OPTIONS = [("NOP", None), ("NOP", None), ("Timestamp", (1, 2))]


def ether(**fields: object) -> Packet:
    """An Ethernet header. Addresses are given: scapy would ask the network for them."""
    return Ether(src="00:1b:21:00:00:01", dst="00:1b:21:00:00:02", **fields)


def tcp() -> Packet:
    return TCP(sport=40100, dport=8080, seq=4294967290, ack=77, flags="PA", options=OPTIONS) / PAYLOAD


def ip4(**fields: object) -> Packet:
    return IP(src="192.0.2.1", dst="198.51.100.9", **fields) / tcp()


def ip6(*extensions: Packet) -> Packet:
    packet: Packet = IPv6(src="2001:db8::1", dst="2001:db8:ffff::9")
    for extension in extensions:
        packet /= extension
    return packet / tcp()


def outer4(protocol: int | None = None) -> Packet:
    return IP(src="203.0.113.1", dst="203.0.113.2", **({} if protocol is None else {"proto": protocol}))


def outer6(protocol: int | None = None) -> Packet:
    return IPv6(
        src="2001:db8:aaaa::1", dst="2001:db8:aaaa::2", **({} if protocol is None else {"nh": protocol})
    )


def outer_udp(port: int) -> Packet:
    return ether() / outer4() / UDP(sport=51000, dport=port, chksum=0)


def nflog(packet: bytes, family: int) -> bytes:
    prefix = struct.pack("<HH", 4 + 3, 10) + b"ab\0" + b"\0"
    return bytes([family, 0, 0, 0]) + prefix + struct.pack("<HH", 4 + len(packet), 9) + packet


def gre(flags: int, kind: int, *fields: bytes) -> bytes:
    return struct.pack(">HH", flags, kind) + b"".join(fields)


def samples() -> dict[str, tuple[int, bytes]]:
    """Name -> (link type, octets); names that end in ``6`` carry IPv6, all others IPv4."""
    eth4, eth6 = ether() / ip4(), ether() / ip6()
    raw4, raw6 = bytes(ip4()), bytes(ip6())
    llc_snap = LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0, code=0x800)
    word = b"\0\0\0\7"
    dot11 = {
        "type": 2,
        "addr1": "02:00:00:00:00:01",
        "addr2": "02:00:00:00:00:02",
        "addr3": "02:00:00:00:00:03",
    }
    geneve_options = [GeneveOptions(classid=0x108, type=1, data=b"12345678")]
    built: dict[str, tuple[int, Packet | bytes]] = {
        "ethernet": (1, eth4),
        "ethernet-6": (1, eth6),
        "ethernet-padding": (1, bytes(eth4) + b"\0" * 12),
        "ethernet-padding-6": (1, bytes(eth6) + b"\xff" * 12),
        "ip-options": (1, ether() / ip4(options=[IPOption_Router_Alert()])),
        "802.3-snap": (1, bytes(ether())[:12] + struct.pack(">H", 8 + len(raw4)) + bytes(llc_snap) + raw4),
        "vlan": (1, ether() / Dot1Q(vlan=5) / ip4()),
        "qinq": (1, ether() / Dot1AD(vlan=7) / Dot1Q(vlan=5) / ip4()),
        "three-tags-6": (1, ether() / Dot1Q(vlan=7) / Dot1Q(vlan=5) / Dot1Q(vlan=6) / ip6()),
        "mpls": (1, ether() / MPLS(label=20, s=0) / MPLS(label=21, s=1) / ip4()),
        "mpls-6": (1, ether() / MPLS(label=20, s=1) / ip6()),
        "mpls-pseudowire": (1, bytes(ether(type=0x8847) / MPLS(label=20, s=1)) + b"\0\0\0\0" + bytes(eth4)),
        "pppoe": (1, ether(type=0x8864) / PPPoE() / PPP(proto=0x21) / ip4()),
        "pppoe-vlan-6": (1, ether() / Dot1Q(vlan=5, type=0x8864) / PPPoE() / PPP(proto=0x57) / ip6()),
        "cooked": (113, CookedLinux(proto=0x800) / ip4()),
        "cooked-6": (113, CookedLinux(proto=0x86DD) / ip6()),
        "cooked-vlan": (113, CookedLinux(proto=0x8100) / Dot1Q(vlan=5) / ip4()),
        "cooked2": (276, CookedLinuxV2(proto=0x800) / ip4()),
        "cooked2-6": (276, CookedLinuxV2(proto=0x86DD) / ip6()),
        "raw": (101, ip4()),
        "raw-6": (101, ip6()),
        "raw-bsd": (12, ip4()),
        "raw-4": (228, ip4()),
        "raw-only-6": (229, ip6()),
        "null-little": (0, struct.pack("<I", 2) + raw4),
        "null-big": (0, struct.pack(">I", 2) + raw4),
        "null-freebsd-6": (0, struct.pack("<I", 28) + raw6),
        "null-macos-6": (0, struct.pack(">I", 30) + raw6),
        "loop": (108, struct.pack(">I", 2) + raw4),
        "loop-openbsd-6": (108, struct.pack(">I", 24) + raw6),
        "ppp": (9, b"\xff\x03\x00\x21" + raw4),
        "ppp-compressed-6": (9, b"\x57" + raw6),
        "ppp-hdlc": (50, b"\xff\x03\x00\x21" + raw4),
        "pppoe-link": (51, PPPoE() / PPP(proto=0x21) / ip4()),
        "cisco-hdlc": (104, b"\x0f\x00\x08\x00" + raw4),
        "cisco-hdlc-6": (104, b"\x8f\x00\x86\xdd" + raw6),
        "nflog": (239, nflog(raw4, 2)),
        "nflog-6": (239, nflog(raw6, 10)),
        "802.11": (105, Dot11(subtype=0, FCfield=1, **dot11) / llc_snap / ip4()),
        "802.11-qos": (105, Dot11(subtype=8, FCfield=2, **dot11) / Dot11QoS() / llc_snap / ip4()),
        "802.11-four-addresses": (
            105,
            Dot11(subtype=8, FCfield=3, addr4="02:00:00:00:00:04", **dot11) / Dot11QoS() / llc_snap / ip4(),
        ),
        "radiotap": (127, RadioTap() / Dot11(subtype=0, FCfield=1, **dot11) / llc_snap / ip4()),
        "radiotap-padded": (
            127,
            b"\0\0\x11\0"
            + struct.pack("<I", 3)
            + b"\0" * 8
            + b"\x20"
            + bytes(Dot11(subtype=8, FCfield=1, **dot11) / Dot11QoS())
            + b"\0\0"
            + bytes(llc_snap)
            + raw4,
        ),
        "ip-in-ip": (1, ether() / outer4() / ip4()),
        "ipv6-carries-4": (1, ether() / outer6() / ip4()),
        "6-in-4-6": (1, ether() / outer4() / ip6()),
        "6-in-6-6": (1, ether() / outer6() / ip6()),
        "gre": (1, ether() / outer4() / GRE() / ip4()),
        "gre-all-fields-6": (
            1,
            ether() / outer4() / GRE(chksum_present=1, key_present=1, seqnum_present=1) / ip6(),
        ),
        "gre-over-ipv6-4": (
            1,
            ether() / IPv6(src="2001:db8:aaaa::1", dst="2001:db8:aaaa::2", nh=47) / GRE() / ip4(),
        ),
        "gre-routing": (
            1,
            bytes(ether() / IP(src="203.0.113.1", dst="203.0.113.2", proto=47, len=20 + 20 + len(raw4)))
            + gre(0x4000, 0x0800, word, b"\x08\x00\x00\x04", b"\1\2\3\4", b"\0\0\0\0")
            + raw4,
        ),
        "gre-teb": (1, ether() / outer4() / GRE(proto=0x6558) / eth4),
        "gre-mpls": (1, ether() / outer4() / GRE(proto=0x8847) / MPLS(label=9, s=1) / ip4()),
        "gre-pptp": (
            1,
            ether()
            / outer4(47)
            / (
                gre(0x3081, 0x880B, struct.pack(">HH", 4 + len(raw4), 9), word, word)
                + b"\xff\x03\0\x21"
                + raw4
            ),
        ),
        "gre-udp": (1, outer_udp(4754) / GRE() / ip4()),
        "erspan-1": (1, ether() / outer4(47) / (gre(0, 0x88BE) + bytes(eth4))),
        "erspan-2": (
            1,
            ether() / outer4() / GRE(seqnum_present=1, proto=0x88BE) / ERSPAN_II(session_id=3) / eth4,
        ),
        "erspan-3": (
            1,
            ether() / outer4() / GRE(seqnum_present=1, proto=0x22EB) / ERSPAN_III(session_id=3) / eth4,
        ),
        "erspan-3-subheader": (
            1,
            ether()
            / outer4(47)
            / (gre(0x1000, 0x22EB, word) + b"\x20\0\0\3" + b"\0" * 6 + b"\0\1" + b"\0" * 8 + bytes(eth4)),
        ),
        "vxlan": (1, outer_udp(4789) / VXLAN(vni=42) / eth4),
        "vxlan-linux-6": (1, outer_udp(8472) / VXLAN(vni=42) / eth6),
        "vxlan-gpe": (1, outer_udp(4790) / (b"\x0c\0\0\1" + word + raw4)),
        "vxlan-over-ipv6-4": (
            1,
            ether()
            / outer6()
            / UDP(sport=51000, dport=4789)
            / VXLAN(vni=42)
            / ether()
            / Dot1Q(vlan=3)
            / ip4(),
        ),
        "geneve": (1, outer_udp(6081) / GENEVE(vni=42, proto=0x6558) / eth4),
        "geneve-options": (1, outer_udp(6081) / GENEVE(vni=42, proto=0x0800, options=geneve_options) / ip4()),
        "geneve-6": (1, outer_udp(6081) / GENEVE(vni=42, proto=0x86DD) / ip6()),
        "mpls-udp": (1, outer_udp(6635) / MPLS(label=9, s=1) / ip4()),
        "etherip": (1, ether() / outer4(97) / (b"\x30\0" + bytes(eth4))),
        "vxlan-in-gre": (
            1,
            ether() / outer4() / GRE() / outer4() / UDP(sport=1, dport=4789) / VXLAN(vni=1) / eth4,
        ),
        "hop-by-hop-6": (1, ether() / ip6(IPv6ExtHdrHopByHop(options=[PadN(optdata=b"1234")]))),
        "routing-6": (1, ether() / ip6(IPv6ExtHdrRouting(addresses=["2001:db8::77"], segleft=0))),
        "destination-6": (1, ether() / ip6(IPv6ExtHdrDestOpt(options=[PadN(optdata=b"123456789012")]))),
        "atomic-fragment-6": (1, ether() / ip6(IPv6ExtHdrFragment(id=9))),
        "all-extensions-6": (
            1,
            ether()
            / ip6(
                IPv6ExtHdrHopByHop(),
                IPv6ExtHdrDestOpt(),
                IPv6ExtHdrRouting(segleft=0),
                IPv6ExtHdrFragment(id=9),
                AH(nh=60, payloadlen=4, spi=1, icv=b"0" * 12),
                IPv6ExtHdrDestOpt(),
            ),
        ),
        "authentication": (
            1,
            ether()
            / IP(src="192.0.2.1", dst="198.51.100.9", proto=51)
            / AH(nh=6, payloadlen=4, spi=1, icv=b"0" * 12)
            / tcp(),
        ),
    }
    return {name: (link_type, bytes(packet)) for name, (link_type, packet) in built.items()}


def write_pcapng(path: Path, frames: list[tuple[int, bytes]]) -> None:
    """Write *frames* (link type, octets) in order; one interface block for each link type."""

    def block(kind: int, body: bytes) -> bytes:
        body += b"\0" * (-len(body) % 4)
        size = struct.pack("<I", 12 + len(body))
        return struct.pack("<I", kind) + size + body + size

    links = sorted({link_type for link_type, _ in frames})
    blocks = [block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))]
    blocks += [block(1, struct.pack("<HHI", link_type, 0, 0)) for link_type in links]
    for number, (link_type, octets) in enumerate(frames):
        fixed = struct.pack("<IIIII", links.index(link_type), 0, number, len(octets), len(octets))
        blocks.append(block(6, fixed + octets))
    path.write_bytes(b"".join(blocks))
