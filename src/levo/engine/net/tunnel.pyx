"""Tunnels over IP: from the payload of an IP packet to the packet or frame that it carries.

GRE (RFC 2784, 2890; version 1 of RFC 2637; ERSPAN), VXLAN (RFC 7348), Geneve (RFC 8926), GRE over UDP
(RFC 8086), MPLS in IP and in UDP (RFC 4023, 7510), EtherIP (RFC 3378), GTP-U, TZSP. UDP tunnels are told by the
destination port; VXLAN on other ports is opened where the user names them, and counted by port where not. What does
not look like its tunnel is simply not TCP.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from levo.engine.net.layer cimport (
    DONE_MALFORMED,
    DONE_NOT_TCP,
    LAYER_80211,
    LAYER_ETHERNET,
    LAYER_IPV4,
    LAYER_IPV6,
    LAYER_MPLS,
    LAYER_PPP_FRAMED,
    LAYER_TYPE,
    MOST_GUESSES,
    NETWORK_GENEVE,
    NETWORK_KEY,
    NETWORK_VNI,
    Cursor,
    Tunnels,
    enter_network,
    narrow,
    present,
    understated,
)
from levo.engine.core.network_order cimport be16, be32


cdef int tunnel_step(uint32_t protocol, Cursor* cursor) noexcept nogil:
    """Open what IP *protocol* (not TCP) carries at ``cursor.at``; return the next ``Layer``."""
    if protocol == 17:
        return udp(cursor)
    if protocol == 4:
        return LAYER_IPV4
    if protocol == 41:
        return LAYER_IPV6
    if protocol == 47:
        return gre(cursor)
    if protocol == 97:
        if present(cursor) < 2:
            return DONE_MALFORMED
        if cursor.at[0] >> 4 != 3:
            return DONE_NOT_TCP
        cursor.at += 2
        return LAYER_ETHERNET
    if protocol == 137:
        return LAYER_MPLS
    return DONE_NOT_TCP


cdef int udp(Cursor* cursor) noexcept nogil:
    """A UDP header (RFC 768); a length of 0 is a large send, as in IP."""
    cdef uint32_t port, length
    if present(cursor) < 8:
        return DONE_MALFORMED
    port = be16(cursor.at + 2)
    length = be16(cursor.at + 4)
    if length >= 8 and not understated(cursor, length):
        narrow(cursor, length)
    if port == 4789 or port == 8472 or port == 4790:
        cursor.at += 8
        return vxlan(cursor, port == 4790)
    if port == 6081:
        cursor.at += 8
        return geneve(cursor)
    if port == 4754:
        cursor.at += 8
        return gre(cursor)
    if port == 2152:
        cursor.at += 8
        return gtp(cursor)
    if port == 37008:
        cursor.at += 8
        return tzsp(cursor)
    if port == 6635:
        cursor.at += 8
        return LAYER_MPLS
    if is_named(cursor.tunnels, port):
        cursor.at += 8
        return vxlan(cursor, False)
    if looks_like_vxlan(cursor):
        guess(cursor.tunnels, <uint16_t>port)
    return DONE_NOT_TCP


cdef bint is_named(const Tunnels* tunnels, uint32_t port) noexcept nogil:
    cdef uint32_t i
    for i in range(tunnels.vxlan_port_count):
        if tunnels.vxlan_ports[i] == port:
            return True
    return False


cdef bint looks_like_vxlan(const Cursor* cursor) noexcept nogil:
    """Whether a UDP datagram holds a VXLAN header (RFC 7348, with group policy or GPE), and a frame with IP in it."""
    cdef const uint8_t* at = cursor.at + 8
    cdef uint32_t kind
    if present(cursor) < 8 + 8 + 14 + 20 or at[0] & 0x7B != 0x08 or at[1] & 0xB7 or at[7]:
        return False
    at += 8 + 12
    kind = be16(at)
    if kind == 0x8100 and present(cursor) >= 8 + 8 + 18 + 20:
        at += 4
        kind = be16(at)
    return kind == 0x0800 and at[2] >> 4 == 4 or kind == 0x86DD and at[2] >> 4 == 6


cdef void guess(Tunnels* tunnels, uint16_t port) noexcept nogil:
    cdef uint32_t i
    for i in range(tunnels.guess_count):
        if tunnels.guesses[i].port == port:
            tunnels.guesses[i].frames += 1
            return
    if tunnels.guess_count == MOST_GUESSES:
        tunnels.guesses_refused += 1
        return
    tunnels.guesses[tunnels.guess_count].port = port
    tunnels.guesses[tunnels.guess_count].frames = 1
    tunnels.guess_count += 1


cdef int vxlan(Cursor* cursor, bint generic) noexcept nogil:
    """VXLAN; with *generic*, the GPE form, whose last reserved octet may name the inner protocol."""
    cdef uint32_t inner = 3
    if present(cursor) < 8 or not cursor.at[0] & 0x08:
        return DONE_NOT_TCP
    if generic and cursor.at[0] & 0x04:
        inner = cursor.at[3]
    enter_network(cursor, NETWORK_VNI, be32(cursor.at + 4) >> 8)
    cursor.at += 8
    if inner == 3:
        return LAYER_ETHERNET
    if inner == 1:
        return LAYER_IPV4
    if inner == 2:
        return LAYER_IPV6
    if inner == 5:
        return LAYER_MPLS
    return DONE_NOT_TCP


cdef int gtp(Cursor* cursor) noexcept nogil:
    """GTP-U version 1 (3GPP TS 29.281): a user's packet. The two directions have tunnels of their own."""
    cdef uint32_t length = 8
    cdef uint32_t following
    if present(cursor) < 8 or cursor.at[0] >> 4 != 3 or cursor.at[1] != 0xFF:
        return DONE_NOT_TCP
    if cursor.at[0] & 7:              # sequence number, N-PDU number and type of the first extension
        length = 12
        if present(cursor) < length:
            return DONE_MALFORMED
        following = cursor.at[11] if cursor.at[0] & 4 else 0
        while following:
            if cursor.steps == 0 or present(cursor) < length + 4 or cursor.at[length] == 0:
                return DONE_MALFORMED
            cursor.steps -= 1
            length += <uint32_t>cursor.at[length] * 4
            if present(cursor) < length:
                return DONE_MALFORMED
            following = cursor.at[length - 1]
    cursor.at += length
    if cursor.at >= cursor.end:
        return DONE_MALFORMED
    return LAYER_IPV6 if cursor.at[0] >> 4 == 6 else LAYER_IPV4


cdef int tzsp(Cursor* cursor) noexcept nogil:
    """TaZmen Sniffer Protocol: a mirrored frame after tagged fields."""
    cdef uint32_t kind, tag
    if present(cursor) < 4 or cursor.at[0] != 1 or cursor.at[1] > 1:
        return DONE_NOT_TCP
    kind = be16(cursor.at + 2)
    cursor.at += 4
    tag = 0
    while tag != 1:                   # the end
        if cursor.steps == 0 or present(cursor) < 1:
            return DONE_MALFORMED
        cursor.steps -= 1
        tag = cursor.at[0]
        cursor.at += 1
        if tag > 1:
            if present(cursor) < 1 or present(cursor) < 1 + <uint32_t>cursor.at[0]:
                return DONE_MALFORMED
            cursor.at += 1 + <uint32_t>cursor.at[0]
    if kind == 1:
        return LAYER_ETHERNET
    return LAYER_80211 if kind == 18 else DONE_NOT_TCP


cdef int geneve(Cursor* cursor) noexcept nogil:
    cdef uint32_t length
    if present(cursor) < 8 or cursor.at[0] & 0xC0:
        return DONE_NOT_TCP
    length = 8 + (<uint32_t>cursor.at[0] & 0x3F) * 4
    if present(cursor) < length:
        return DONE_MALFORMED
    cursor.type = be16(cursor.at + 2)
    enter_network(cursor, NETWORK_GENEVE, be32(cursor.at + 4) >> 8)
    cursor.at += length
    return LAYER_TYPE


cdef int gre(Cursor* cursor) noexcept nogil:
    cdef const uint8_t* at = cursor.at
    cdef const uint8_t* entry
    cdef bint last
    cdef uint32_t flags, kind, version
    cdef uint32_t length = 4
    if present(cursor) < 4:
        return DONE_MALFORMED
    flags = be16(at)
    kind = be16(at + 2)
    version = flags & 7
    if version > 1:
        return DONE_NOT_TCP
    if flags & 0xC000:                # checksum, or routing: both fields are there (RFC 1701)
        length += 4
    if flags & 0x2000:                # key
        length += 4
    if flags & 0x1000:                # sequence number
        length += 4
    if version == 1 and flags & 0x0080:           # acknowledgement number
        length += 4
    if present(cursor) < length:
        return DONE_MALFORMED
    if flags & 0x2000 and version == 0:           # of version 1 it is a length and a call
        enter_network(cursor, NETWORK_KEY, be32(at + (8 if flags & 0xC000 else 4)))
    if flags & 0x4000:
        # Source route entries up to one of family 0 and length 0.
        last = False
        while not last:
            if present(cursor) < length + 4 or cursor.steps == 0:
                return DONE_MALFORMED
            cursor.steps -= 1
            entry = at + length
            last = be16(entry) == 0 and entry[3] == 0
            length += 4 + entry[3]
        if present(cursor) < length:
            return DONE_MALFORMED
    cursor.at += length
    if kind == 0x88BE:                # ERSPAN: type I has no sequence number and no header of its own
        return erspan(cursor, 8) if flags & 0x1000 else LAYER_ETHERNET
    if kind == 0x22EB:
        return erspan(cursor, 12)
    if kind == 0x880B:
        return LAYER_PPP_FRAMED
    if kind == 0x883E:                # WCCP: version 2 puts four octets in front of the packet
        if present(cursor) < 4:
            return DONE_MALFORMED
        if cursor.at[0] >> 4 != 4:
            cursor.at += 4
        return LAYER_IPV4
    cursor.type = kind
    return LAYER_TYPE


cdef int erspan(Cursor* cursor, uint32_t length) noexcept nogil:
    """ERSPAN type II (8 octets) and III (12, and 8 more with the O flag): a mirrored frame."""
    cdef uint32_t version, frame_type
    if present(cursor) < length:
        return DONE_MALFORMED
    version = cursor.at[0] >> 4
    frame_type = 0
    if version == 2 and length == 8:  # some senders use the number of type II for type III
        length = 12
        if present(cursor) < length:
            return DONE_MALFORMED
    if length == 12:
        frame_type = (be16(cursor.at + 10) >> 11) & 0x1F
        if cursor.at[11] & 1:
            length += 8
    if present(cursor) < length:
        return DONE_MALFORMED
    cursor.at += length
    if frame_type == 2:               # the mirrored packet has no Ethernet header
        if cursor.at >= cursor.end:
            return DONE_MALFORMED
        return LAYER_IPV6 if cursor.at[0] >> 4 == 6 else LAYER_IPV4
    return LAYER_ETHERNET
