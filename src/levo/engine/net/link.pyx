"""Link layers: from the first octet of a frame to an IP header.

``link_enter`` opens the outermost layer by its LINKTYPE_ value (the numbers of the pcap and pcapng formats),
``link_step`` any layer met later (behind a tag, a label stack or a tunnel). Both return the ``Layer`` that
starts at ``cursor.at``: an IP header, or an outcome. Every length is checked before an octet is read.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from levo.engine.net.layer cimport (
    DONE_MALFORMED,
    DONE_NOT_IP,
    DONE_UNSUPPORTED_LINK,
    LAYER_80211,
    LAYER_ETHERNET,
    LAYER_IP,
    LAYER_IPV4,
    LAYER_IPV6,
    LAYER_LINK,
    LAYER_LLC,
    LAYER_MPLS,
    LAYER_PPP,
    LAYER_PPP_FRAMED,
    LAYER_RADIOTAP,
    LAYER_TYPE,
    NETWORK_LABEL,
    NETWORK_SERVICE,
    NETWORK_VLAN,
    Cursor,
    enter_network,
    narrow,
    present,
)
from levo.engine.core.network_order cimport be16, be32, le16, le32


cdef int link_enter(uint16_t link_type, Cursor* cursor) noexcept nogil:
    """Open the outermost layer of a frame captured as *link_type*."""
    cdef int layer
    if link_type == 1:
        layer = LAYER_ETHERNET
    elif link_type == 276:
        layer = cooked(cursor, 20, 0, 8)
    elif link_type == 113:
        layer = cooked(cursor, 16, 14, 2)
    elif link_type == 0 or link_type == 108:
        layer = loopback(cursor)
    elif link_type == 12 or link_type == 14 or link_type == 101:
        layer = LAYER_IP
    elif link_type == 228:
        layer = LAYER_IPV4
    elif link_type == 229:
        layer = LAYER_IPV6
    elif link_type == 9 or link_type == 50:
        layer = LAYER_PPP_FRAMED
    elif link_type == 51:
        layer = pppoe(cursor)
    elif link_type == 104:
        layer = cisco_hdlc(cursor)
    elif link_type == 105:
        layer = LAYER_80211
    elif link_type == 127:
        layer = LAYER_RADIOTAP
    elif link_type == 239:
        layer = nflog(cursor)
    elif link_type == 192 or link_type == 258:
        return packaged(link_type, cursor)
    elif link_type == 204:
        layer = directed_ppp(cursor)
    elif link_type == 109 or link_type == 117:
        layer = bsd_filter(link_type, cursor)
    else:
        return DONE_UNSUPPORTED_LINK
    return link_step(layer, cursor)


cdef int link_step(int layer, Cursor* cursor) noexcept nogil:
    """Open link layers from *layer* on, until an IP header or an outcome is reached."""
    while layer >= LAYER_LINK:
        if cursor.steps == 0:
            return DONE_MALFORMED
        cursor.steps -= 1
        if layer == LAYER_ETHERNET:
            layer = ethernet(cursor)
        elif layer == LAYER_TYPE:
            layer = ether_type(cursor)
        elif layer == LAYER_IP:
            layer = ip_version(cursor)
        elif layer == LAYER_LLC:
            layer = llc(cursor)
        elif layer == LAYER_MPLS:
            layer = mpls(cursor)
        elif layer == LAYER_PPP:
            layer = ppp(cursor)
        elif layer == LAYER_PPP_FRAMED:
            layer = ppp_framed(cursor)
        elif layer == LAYER_80211:
            layer = ieee80211(cursor, 0)
        elif layer == LAYER_RADIOTAP:
            layer = radiotap(cursor)
        else:
            return DONE_UNSUPPORTED_LINK
    return layer


cdef int ethernet(Cursor* cursor) noexcept nogil:
    """Ethernet II, or IEEE 802.3 with a length field and an LLC header."""
    cdef uint32_t kind
    if present(cursor) < 14:
        return DONE_MALFORMED
    kind = be16(cursor.at + 12)
    cursor.at += 14
    cursor.type = kind
    if kind >= 0x600:
        return LAYER_TYPE
    narrow(cursor, kind)
    return LAYER_LLC


cdef int ether_type(Cursor* cursor) noexcept nogil:
    """What an EtherType says; tags are passed over here (IEEE 802.1Q, 802.1ad and their forerunners)."""
    cdef uint32_t kind = cursor.type
    cdef uint32_t length
    if kind == 0x0800:
        return LAYER_IPV4
    if kind == 0x86DD:
        return LAYER_IPV6
    if kind == 0x8100 or kind == 0x88A8 or kind == 0x9100 or kind == 0x9200:
        if present(cursor) < 4:
            return DONE_MALFORMED
        if be16(cursor.at) & 0xFFF:   # 0: only a priority
            enter_network(cursor, NETWORK_VLAN, be16(cursor.at) & 0xFFF)
        cursor.type = be16(cursor.at + 2)
        cursor.at += 4
        return LAYER_TYPE if cursor.type >= 0x600 else LAYER_LLC
    if kind == 0x8926 or kind == 0x893F:
        # VN-tag and E-tag (IEEE 802.1BR): which port of an extender; then a type.
        length = 6 if kind == 0x8926 else 8
        if present(cursor) < length:
            return DONE_MALFORMED
        cursor.type = be16(cursor.at + length - 2)
        cursor.at += length
        return LAYER_TYPE if cursor.type >= 0x600 else LAYER_LLC
    if kind == 0x88E7:                # the I-tag of provider backbone bridges (IEEE 802.1ah), then a whole frame
        if present(cursor) < 4:
            return DONE_MALFORMED
        enter_network(cursor, NETWORK_SERVICE, be32(cursor.at) & 0xFFFFFF)
        cursor.at += 4
        return LAYER_ETHERNET
    if kind == 0x8847 or kind == 0x8848:
        return LAYER_MPLS
    if kind == 0x8864:
        return pppoe(cursor)
    if kind == 0x880B:
        return LAYER_PPP_FRAMED
    if kind == 0x6558:
        return LAYER_ETHERNET
    return DONE_NOT_IP


cdef int ip_version(Cursor* cursor) noexcept nogil:
    """An IP header without a type in front of it."""
    cdef uint32_t version
    if cursor.at >= cursor.end:
        return DONE_MALFORMED
    version = cursor.at[0] >> 4
    if version == 4:
        return LAYER_IPV4
    if version == 6:
        return LAYER_IPV6
    return DONE_NOT_IP


cdef int llc(Cursor* cursor) noexcept nogil:
    """IEEE 802.2: SNAP with an EtherType (RFC 1042), or IP by its own SAP."""
    cdef const uint8_t* at = cursor.at
    if present(cursor) < 3:
        return DONE_MALFORMED
    if at[0] == 0xAA and at[1] == 0xAA and at[2] == 3:
        if present(cursor) < 8:
            return DONE_MALFORMED
        # OUI 0 is RFC 1042, 0000F8 is the bridge tunnel of IEEE 802.1H; others are private.
        if at[3] != 0 or at[4] != 0 or (at[5] != 0 and at[5] != 0xF8):
            return DONE_NOT_IP
        cursor.type = be16(at + 6)
        cursor.at += 8
        return LAYER_TYPE
    if at[0] == 0x06 and at[1] == 0x06 and at[2] == 3:
        cursor.at += 3
        return LAYER_IP
    return DONE_NOT_IP


cdef int cooked(Cursor* cursor, uint32_t size, uint32_t type_at, uint32_t hardware_at) noexcept nogil:
    """Linux cooked capture, version 1 or 2: protocol field at *type_at*, ARPHRD_ type at *hardware_at*."""
    cdef uint32_t hardware
    if present(cursor) < size:
        return DONE_MALFORMED
    hardware = be16(cursor.at + hardware_at)
    cursor.type = be16(cursor.at + type_at)
    if size == 20:                    # version 2 names the interface
        cursor.interface += <uint16_t>be16(cursor.at + 6)
    cursor.at += size
    if hardware == 824:               # netlink: the protocol field is a netlink family
        return DONE_NOT_IP
    if hardware == 803:
        return LAYER_RADIOTAP
    if hardware == 801:
        return LAYER_80211
    if cursor.type >= 0x600:
        return LAYER_TYPE
    if cursor.type == 4:
        return LAYER_LLC
    return DONE_NOT_IP


cdef int loopback(Cursor* cursor) noexcept nogil:
    """BSD loopback: an address family in the byte order of the machine that captured (NULL) or of the network."""
    cdef uint32_t family
    if present(cursor) < 4:
        return DONE_MALFORMED
    family = le32(cursor.at)
    if family > 0xFFFF:
        family = be32(cursor.at)
    cursor.at += 4
    if family == 2:
        return LAYER_IPV4
    # AF_INET6 of Linux; of NetBSD and OpenBSD; of FreeBSD; of macOS.
    if family == 10 or family == 24 or family == 28 or family == 30:
        return LAYER_IPV6
    return DONE_NOT_IP


cdef inline bint believable_ipv4(const Cursor* cursor) noexcept nogil:
    """No Ethernet address that starts with 4: its lengths fit. What is cut short gets the benefit of the doubt."""
    cdef uint32_t total
    if present(cursor) < 20:
        return True
    total = be16(cursor.at + 2)
    return (cursor.at[0] & 15) >= 5 and (total == 0 or 20 <= total <= present(cursor) + cursor.cut)


cdef inline bint believable_ipv6(const Cursor* cursor) noexcept nogil:
    if present(cursor) < 40:
        return True
    return be16(cursor.at + 4) + 40 <= present(cursor) + cursor.cut


cdef int mpls(Cursor* cursor) noexcept nogil:
    """A label stack (RFC 3032). What follows the bottom has no type: guess as RFC 4928 allows."""
    cdef uint32_t first
    cdef bint bottom = False
    while not bottom:
        if cursor.steps == 0 or present(cursor) < 4:
            return DONE_MALFORMED
        cursor.steps -= 1
        bottom = cursor.at[2] & 1
        if bottom:                    # those before it lead along a path
            enter_network(cursor, NETWORK_LABEL, be32(cursor.at) >> 12)
        cursor.at += 4
    if cursor.at >= cursor.end:
        return DONE_MALFORMED
    first = cursor.at[0] >> 4
    if first == 4 and believable_ipv4(cursor):
        return LAYER_IPV4
    if first == 6 and believable_ipv6(cursor):
        return LAYER_IPV6
    if first == 0:                    # pseudowire control word (RFC 4385), then Ethernet
        if present(cursor) < 4:
            return DONE_MALFORMED
        cursor.at += 4
    return LAYER_ETHERNET


cdef int pppoe(Cursor* cursor) noexcept nogil:
    """PPP over Ethernet, session stage (RFC 2516)."""
    cdef uint32_t length
    if present(cursor) < 6:
        return DONE_MALFORMED
    if cursor.at[0] != 0x11 or cursor.at[1] != 0:
        return DONE_NOT_IP
    length = be16(cursor.at + 4)
    cursor.at += 6
    if length != 0:
        narrow(cursor, length)
    return LAYER_PPP


cdef int ppp_framed(Cursor* cursor) noexcept nogil:
    """PPP in HDLC-like framing (RFC 1662); the address and control fields may be compressed away."""
    if present(cursor) >= 2:
        if cursor.at[0] == 0xFF and cursor.at[1] == 3:
            cursor.at += 2
        elif (cursor.at[0] == 0x0F or cursor.at[0] == 0x8F) and cursor.at[1] == 0:
            return cisco_hdlc(cursor)
    return LAYER_PPP


cdef int ppp(Cursor* cursor) noexcept nogil:
    """The PPP protocol field, one octet where compressed (RFC 1661 section 6.5)."""
    cdef uint32_t protocol
    if present(cursor) < 1:
        return DONE_MALFORMED
    protocol = cursor.at[0]
    if protocol & 1:
        cursor.at += 1
    else:
        if present(cursor) < 2:
            return DONE_MALFORMED
        protocol = be16(cursor.at)
        cursor.at += 2
    if protocol == 0x21:
        return LAYER_IPV4
    if protocol == 0x57:
        return LAYER_IPV6
    if protocol == 0x281 or protocol == 0x283:
        return LAYER_MPLS
    return DONE_NOT_IP


cdef int cisco_hdlc(Cursor* cursor) noexcept nogil:
    """Cisco HDLC: address, control, EtherType."""
    if present(cursor) < 4:
        return DONE_MALFORMED
    cursor.type = be16(cursor.at + 2)
    cursor.at += 4
    return LAYER_TYPE


cdef int radiotap(Cursor* cursor) noexcept nogil:
    """Radiotap header in front of IEEE 802.11: only its length and the padding flag matter here."""
    cdef const uint8_t* start = cursor.at
    cdef uint32_t length, fields, at = 8
    cdef uint32_t padded = 0
    if present(cursor) < 8 or start[0] != 0:
        return DONE_MALFORMED
    length = le16(start + 2)
    if length < 8 or length > present(cursor):
        return DONE_MALFORMED
    fields = le32(start + 4)
    if fields & 2:                    # flags present: behind every bitmap word and the 64-bit clock
        while start[at - 1] & 0x80 and at + 4 <= length:
            at += 4
        if fields & 1:
            at = ((at + 7) & ~<uint32_t>7) + 8
        if at < length:
            padded = start[at] & 0x20
    cursor.at += length
    return ieee80211(cursor, padded)


cdef int ieee80211(Cursor* cursor, uint32_t padded) noexcept nogil:
    """IEEE 802.11 data frames that are not encrypted.

    *padded*: the header is followed by padding to four octets. Frames that hold several packets (A-MSDU)
    or a part of one are counted as an unsupported link layer.
    """
    cdef const uint8_t* at = cursor.at
    cdef uint32_t length = 24
    if present(cursor) < 24:
        return DONE_NOT_IP if present(cursor) >= 2 and (at[0] & 0x0C) != 8 else DONE_MALFORMED
    if (at[0] & 0x0C) != 8 or at[0] & 0x40:       # management, control; data without content
        return DONE_NOT_IP
    if at[1] & 0x40:                              # encrypted
        return DONE_NOT_IP
    if (at[1] & 3) == 3:
        length += 6
    if at[0] & 0x80:                              # QoS
        if present(cursor) < length + 2:
            return DONE_MALFORMED
        if at[length] & 0x80:
            return DONE_UNSUPPORTED_LINK
        length += 2
        if at[1] & 0x80:
            length += 4
    if at[1] & 4 or at[22] & 0x0F:                # a fragment
        return DONE_UNSUPPORTED_LINK
    if padded:
        length = (length + 3) & ~<uint32_t>3
    if present(cursor) < length:
        return DONE_MALFORMED
    cursor.at += length
    return LAYER_LLC


cdef int packaged(uint16_t link_type, Cursor* cursor) noexcept nogil:
    """PPI and PKTAP: a header in front of a frame of another link type, all little-endian."""
    cdef uint32_t length, inner
    if cursor.steps == 0 or present(cursor) < 12:
        return DONE_MALFORMED
    cursor.steps -= 1
    if link_type == 192:
        if cursor.at[0] != 0:         # another version
            return DONE_UNSUPPORTED_LINK
        length = le16(cursor.at + 2)
        inner = le32(cursor.at + 4)
    else:
        length = le32(cursor.at)
        inner = le32(cursor.at + 8)
    if length < 8 or length > present(cursor):
        return DONE_MALFORMED
    if inner > 0xFFFF:
        return DONE_UNSUPPORTED_LINK
    cursor.at += length
    return link_enter(<uint16_t>inner, cursor)


cdef int directed_ppp(Cursor* cursor) noexcept nogil:
    """PPP after an octet that says who sent it."""
    if present(cursor) < 1:
        return DONE_MALFORMED
    cursor.at += 1
    return LAYER_PPP_FRAMED


cdef int bsd_filter(uint16_t link_type, Cursor* cursor) noexcept nogil:
    """The headers of OpenBSD's enc and pflog interfaces, whose length they are or say; then an IP header."""
    cdef uint32_t length = 12
    if link_type == 117:
        if present(cursor) < 1:
            return DONE_MALFORMED
        length = (<uint32_t>cursor.at[0] + 3) & ~<uint32_t>3
    if length == 0 or present(cursor) < length:
        return DONE_MALFORMED
    cursor.at += length
    return LAYER_IP


cdef int nflog(Cursor* cursor) noexcept nogil:
    """Linux netfilter log: attributes (length and type in the order of the machine that captured)."""
    cdef uint32_t length, kind, first
    cdef bint little
    if present(cursor) < 8:
        return DONE_MALFORMED
    if cursor.at[1] != 0:
        return DONE_UNSUPPORTED_LINK
    cursor.at += 4
    little = le16(cursor.at) < be16(cursor.at)
    while present(cursor) >= 4:
        length = le16(cursor.at) if little else be16(cursor.at)
        kind = le16(cursor.at + 2) if little else be16(cursor.at + 2)
        if length < 4:
            return DONE_MALFORMED
        if (kind & 0x7FFF) == 9:      # NFULA_PAYLOAD
            cursor.at += 4
            return LAYER_IP
        first = (length + 3) & ~<uint32_t>3
        if first > present(cursor):
            return DONE_MALFORMED
        cursor.at += first
    return DONE_NOT_IP
