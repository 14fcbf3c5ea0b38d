"""From a captured frame to the TCP segment it carries, if any.

``decode_frame`` counts every frame in exactly one outcome, so that at any time::

    frames_received == frames_tcp + frames_not_ip + frames_not_tcp + frames_malformed
                       + frames_unsupported_link + frames_fragment_joined + frames_fragment_lost

Plain IPv4 TCP over Ethernet or a Linux cooked header takes a short path; all else goes layer by layer, with the
number of layers bounded. Checksums are not verified: network cards fill them in behind the capture point.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from ipaddress import ip_address

from levo.engine.net.fragments cimport (
    FRAGMENT_HELD,
    FRAGMENT_LOST,
    FRAGMENT_WHOLE,
    Fragment,
    Whole,
    fragment_add,
    fragments_abandon,
    fragments_expire,
    fragments_free,
    fragments_init,
    fragments_release,
)
from levo.engine.net.layer cimport (
    DONE_FRAGMENT_JOINED,
    DONE_FRAGMENT_LOST,
    DONE_MALFORMED,
    DONE_NOT_IP,
    DONE_NOT_TCP,
    DONE_SEGMENT,
    DONE_UNSUPPORTED_LINK,
    LAYER_IPV4,
    LAYER_IPV6,
    LAYER_PROTOCOL,
    MOST_LAYERS,
    Cursor,
    Tunnels,
    narrow,
    present,
    understated,
)
from levo.engine.net.link cimport link_enter, link_step
from levo.engine.core.memory cimport set_limit
from levo.engine.core.network_order cimport be16, be32
from levo.engine.net.tunnel cimport tunnel_step
from levo.engine.core.types cimport Budget, Frame, Packet, Stats


cdef void decoder_init(Decoder* decoder, Budget* budget, Stats* stats, uint64_t seed) noexcept nogil:
    """Make *decoder* ready; both pointers must outlive it."""
    fragments_init(&decoder.fragments, budget, stats)
    decoder.budget = budget
    decoder.stats = stats
    decoder.seed = seed
    memset(&decoder.tunnels, 0, sizeof(Tunnels))
    decoder.outcome = DONE_NOT_IP


cdef void decoder_free(Decoder* decoder) noexcept nogil:
    """Return all memory; fragments still waiting become lost. Legal twice, and on a zeroed decoder."""
    if decoder.budget != NULL:
        fragments_free(&decoder.fragments)


cdef void decoder_tick(Decoder* decoder, int64_t now_ns) noexcept nogil:
    """Give up fragments that have waited for 30 s of capture time. The last packet's pointers end here too."""
    fragments_release(&decoder.fragments)
    fragments_expire(&decoder.fragments, now_ns)


cdef void decoder_finish(Decoder* decoder) noexcept nogil:
    """The capture has ended: fragments still waiting become lost."""
    fragments_release(&decoder.fragments)
    fragments_abandon(&decoder.fragments)


cdef inline void set_ipv4(Packet* packet, const uint8_t* ip) noexcept nogil:
    memcpy(packet.source, b"\0\0\0\0\0\0\0\0\0\0\xff\xff", 12)
    memcpy(packet.source + 12, ip + 12, 4)
    memcpy(packet.destination, b"\0\0\0\0\0\0\0\0\0\0\xff\xff", 12)
    memcpy(packet.destination + 12, ip + 16, 4)
    packet.family = 4


cdef inline void set_tcp(Packet* packet, const uint8_t* tcp) noexcept nogil:
    """The fixed fields of a TCP header (RFC 9293 section 3.1)."""
    packet.source_port = <uint16_t>be16(tcp)
    packet.destination_port = <uint16_t>be16(tcp + 2)
    packet.seq = be32(tcp + 4)
    packet.ack = be32(tcp + 8)
    packet.flags = tcp[13] & 0x3F
    packet.urgent_pointer = <uint16_t>be16(tcp + 18)


cdef int decode_frame(Decoder* decoder, const Frame* frame, Packet* packet) noexcept nogil:
    """Decode one frame.

    1: *packet* holds one TCP segment, its pointers valid until the next call. 0: no segment; the one counter
    that moved says why.
    """
    cdef const uint8_t* ip = NULL
    cdef const uint8_t* data = frame.data
    cdef const uint8_t* tcp
    cdef uint32_t length = frame.captured_length
    cdef uint32_t total, header
    cdef Stats* stats = decoder.stats
    stats.frames_received += 1
    stats.frame_bytes_received += length
    if frame.link_type == 1:
        if length >= 54 and data[12] == 8 and data[13] == 0:
            ip = data + 14
            length -= 14
    elif frame.link_type == 276:
        if length >= 60 and data[0] == 8 and data[1] == 0:
            ip = data + 20
            length -= 20
    elif frame.link_type == 113:
        if length >= 56 and data[14] == 8 and data[15] == 0:
            ip = data + 16
            length -= 16
    # 20 octets of header, TCP, not a fragment.
    if ip != NULL and ip[0] == 0x45 and ip[9] == 6 and not be16(ip + 6) & 0x3FFF:
        total = be16(ip + 2)
        tcp = ip + 20
        header = (tcp[12] >> 4) << 2
        if total <= length and header >= 20 and total >= 20 + header:
            packet.time_ns = frame.time_ns
            set_ipv4(packet, ip)
            set_tcp(packet, tcp)
            packet.options = tcp + 20
            packet.options_length = header - 20
            packet.payload = tcp + header
            packet.payload_length = total - 20 - header
            packet.missing_length = 0
            packet.network = 0
            stats.frames_tcp += 1
            stats.payload_bytes_received += packet.payload_length
            decoder.outcome = DONE_SEGMENT
            return 1
    return decode_layers(decoder, frame, packet)


cdef int decode_layers(Decoder* decoder, const Frame* frame, Packet* packet) noexcept nogil:
    """The general path: open one layer after another until an outcome."""
    cdef Stats* stats = decoder.stats
    cdef Cursor cursor
    cdef int layer
    cursor.at = frame.data
    cursor.end = frame.data + frame.captured_length
    cursor.cut = 0
    if frame.wire_length > frame.captured_length:
        cursor.cut = frame.wire_length - frame.captured_length
    cursor.type = 0
    cursor.steps = MOST_LAYERS
    cursor.interface = frame.interface
    cursor.inside_ip = 0
    cursor.network = 0
    cursor.seed = decoder.seed
    cursor.tunnels = &decoder.tunnels
    packet.time_ns = frame.time_ns
    layer = link_enter(frame.link_type, &cursor)
    while layer >= LAYER_IPV4:
        if cursor.steps == 0:
            layer = DONE_MALFORMED
            break
        cursor.steps -= 1
        if layer == LAYER_IPV4:
            layer = ipv4(decoder, frame, &cursor, packet)
        elif layer == LAYER_IPV6:
            layer = ipv6(&cursor, packet)
        elif layer == LAYER_PROTOCOL:
            if cursor.type == 6:
                layer = tcp_segment(&cursor, packet)
            elif cursor.type == 51 or packet.family == 6:
                layer = extension(decoder, frame, &cursor, packet)
            else:
                layer = tunnel_step(cursor.type, &cursor)
        else:
            layer = link_step(layer, &cursor)
    if layer == DONE_NOT_IP and cursor.inside_ip:
        layer = DONE_NOT_TCP
    decoder.outcome = layer
    packet.network = cursor.network
    if layer == DONE_SEGMENT:
        stats.frames_tcp += 1
        stats.payload_bytes_received += packet.payload_length
        return 1
    if layer == DONE_NOT_IP:
        stats.frames_not_ip += 1
    elif layer == DONE_NOT_TCP:
        stats.frames_not_tcp += 1
    elif layer == DONE_UNSUPPORTED_LINK:
        stats.frames_unsupported_link += 1
    elif layer == DONE_FRAGMENT_LOST:
        stats.frames_fragment_lost += 1
    elif layer != DONE_FRAGMENT_JOINED:           # joined is counted where the fragment is kept
        stats.frames_malformed += 1
    return 0


cdef inline bint tunnelled(bint inside, uint32_t protocol) noexcept nogil:
    # TCP in a tunnel, or what may be the tunnel: UDP, GRE.
    return protocol == 17 or protocol == 47 or (inside and protocol == 6)


cdef int ipv4(Decoder* decoder, const Frame* frame, Cursor* cursor, Packet* packet) noexcept nogil:
    """An IPv4 header (RFC 791). A total length of 0 is a large send that the network card will split."""
    cdef const uint8_t* ip = cursor.at
    cdef uint32_t header, total, field
    if present(cursor) < 20 or ip[0] >> 4 != 4:
        return DONE_MALFORMED
    header = (<uint32_t>ip[0] & 15) << 2
    total = be16(ip + 2)
    if header < 20 or header > present(cursor):
        return DONE_MALFORMED
    if total != 0:
        if total < header:
            return DONE_MALFORMED
        if not (tunnelled(cursor.inside_ip, ip[9]) and understated(cursor, total)):
            narrow(cursor, total)
    cursor.inside_ip = 1
    set_ipv4(packet, ip)
    cursor.at += header
    cursor.type = ip[9]
    field = be16(ip + 6)
    if field & 0x3FFF:
        return ip_fragment(decoder, frame, cursor, packet, be16(ip + 4), field & 0x1FFF, field & 0x2000)
    return LAYER_PROTOCOL


cdef int ipv6(Cursor* cursor, Packet* packet) noexcept nogil:
    """An IPv6 header (RFC 8200). A payload length of 0 is a large send, as in IPv4."""
    cdef const uint8_t* ip = cursor.at
    cdef uint32_t length
    cdef bint inside = cursor.inside_ip
    if present(cursor) < 40 or ip[0] >> 4 != 6:
        return DONE_MALFORMED
    cursor.inside_ip = 1
    memcpy(packet.source, ip + 8, 16)
    memcpy(packet.destination, ip + 24, 16)
    packet.family = 6
    cursor.type = ip[6]
    length = be16(ip + 4)
    cursor.at += 40
    if length != 0 and not (tunnelled(inside, ip[6]) and understated(cursor, length)):
        narrow(cursor, length)
    return LAYER_PROTOCOL


cdef int extension(Decoder* decoder, const Frame* frame, Cursor* cursor, Packet* packet) noexcept nogil:
    """An IPv6 extension header or an authentication header (RFC 4302); else a tunnel."""
    cdef const uint8_t* at = cursor.at
    cdef uint32_t kind = cursor.type
    cdef uint32_t length, field
    if kind == 44:
        if present(cursor) < 8:
            return DONE_MALFORMED
        field = be16(at + 2)
        cursor.type = at[0]
        cursor.at += 8
        if not field & 0xFFF9:        # the whole packet in one fragment (RFC 6946)
            return LAYER_PROTOCOL
        return ip_fragment(decoder, frame, cursor, packet, be32(at + 4), field >> 3, field & 1)
    if kind == 51:
        if present(cursor) < 2:
            return DONE_MALFORMED
        length = (<uint32_t>at[1] + 2) << 2
    elif kind == 0 or kind == 43 or kind == 60 or kind == 135 or kind == 139 or kind == 140:
        if present(cursor) < 2:
            return DONE_MALFORMED
        length = (<uint32_t>at[1] + 1) << 3
    else:
        return tunnel_step(kind, cursor)
    if length > present(cursor):
        return DONE_MALFORMED
    cursor.type = at[0]
    cursor.at += length
    return LAYER_PROTOCOL


cdef int ip_fragment(Decoder* decoder, const Frame* frame, Cursor* cursor, Packet* packet,
                     uint32_t identification, uint32_t blocks, uint32_t more) noexcept nogil:
    """A fragment: kept until its packet is whole. Protocols that cannot carry TCP are not kept."""
    cdef Fragment fragment
    cdef Whole whole
    cdef int result
    cdef uint32_t kind = cursor.type
    if packet.family == 4 and not (kind == 6 or kind == 17 or kind == 4 or kind == 41 or kind == 47
                                   or kind == 51 or kind == 97 or kind == 137):
        return DONE_NOT_TCP
    fragment.source = packet.source
    fragment.destination = packet.destination
    fragment.data = cursor.at
    fragment.time_ns = frame.time_ns
    fragment.network = cursor.network
    fragment.identification = identification
    fragment.offset = blocks << 3
    fragment.present = present(cursor)
    fragment.length = fragment.present + cursor.cut
    fragment.interface = cursor.interface
    fragment.family = packet.family
    fragment.protocol = <uint8_t>kind
    fragment.more = more != 0
    result = fragment_add(&decoder.fragments, &fragment, &whole)
    if result == FRAGMENT_HELD:
        return DONE_FRAGMENT_JOINED
    if result == FRAGMENT_LOST:
        return DONE_FRAGMENT_LOST
    if result != FRAGMENT_WHOLE:
        return DONE_MALFORMED
    cursor.at = whole.data
    cursor.end = whole.data + whole.length
    cursor.cut = whole.cut
    cursor.type = whole.protocol
    return LAYER_PROTOCOL


cdef int tcp_segment(Cursor* cursor, Packet* packet) noexcept nogil:
    """A TCP header. Options that the snap length cut are shortened; the payload is missing then."""
    cdef const uint8_t* tcp = cursor.at
    cdef uint32_t here = present(cursor)
    cdef uint32_t header
    if here < 20:
        return DONE_MALFORMED
    header = (tcp[12] >> 4) << 2
    if header < 20 or header > here + cursor.cut:
        return DONE_MALFORMED
    set_tcp(packet, tcp)
    packet.options = tcp + 20
    if header > here:
        packet.options_length = here - 20
        packet.payload = cursor.end
        packet.payload_length = 0
        packet.missing_length = cursor.cut - (header - here)
    else:
        packet.options_length = header - 20
        packet.payload = tcp + header
        packet.payload_length = here - header
        packet.missing_length = cursor.cut
    return DONE_SEGMENT


OUTCOMES = {
    DONE_NOT_IP: "frames_not_ip",
    DONE_NOT_TCP: "frames_not_tcp",
    DONE_MALFORMED: "frames_malformed",
    DONE_UNSUPPORTED_LINK: "frames_unsupported_link",
    DONE_FRAGMENT_JOINED: "frames_fragment_joined",
    DONE_FRAGMENT_LOST: "frames_fragment_lost",
}


cdef class FrameDecoder:
    """One decoder with its own counters and budget, for tests and tools. The engine uses the C functions."""

    cdef Decoder decoder
    cdef Budget budget
    cdef Stats stats
    cdef readonly uint64_t network
    """Of the last segment: a hash of the tags, tunnel identifiers and labels around it; 0: none."""

    def __cinit__(self, max_memory_bytes: int = 64 << 20) -> None:
        memset(&self.budget, 0, sizeof(Budget))
        memset(&self.stats, 0, sizeof(Stats))
        set_limit(&self.budget, max_memory_bytes, 0)
        decoder_init(&self.decoder, &self.budget, &self.stats, 1)

    def __dealloc__(self) -> None:
        decoder_free(&self.decoder)

    def feed(self, link_type: int, octets: bytes, wire_length: int | None = None, time_ns: int = 0,
             interface: int = 0) -> dict | str:
        """Decode one frame: the segment as a dict, or the name of the counter that it went to.

        The octets are copied into a block of just their size, so that a sanitizer sees any read past them.
        """
        cdef Frame frame
        cdef uint32_t length = <uint32_t>len(octets)
        cdef const uint8_t* data = octets
        cdef uint8_t* copy = <uint8_t*>malloc(length)
        if copy == NULL and length:
            raise MemoryError
        memcpy(copy, data, length)
        try:
            frame.data = copy
            frame.captured_length = length
            frame.wire_length = length if wire_length is None else wire_length
            frame.time_ns = time_ns
            frame.link_type = link_type
            frame.interface = interface
            return self._decode(&frame)
        finally:
            free(copy)

    cdef object _decode(self, const Frame* frame):
        cdef Packet packet
        if not decode_frame(&self.decoder, frame, &packet):
            return OUTCOMES[self.decoder.outcome]
        self.network = packet.network
        return {
            "time_ns": packet.time_ns,
            "family": packet.family,
            "source": address(packet.source, packet.family),
            "destination": address(packet.destination, packet.family),
            "source_port": packet.source_port,
            "destination_port": packet.destination_port,
            "seq": packet.seq,
            "ack": packet.ack,
            "flags": packet.flags,
            "urgent_pointer": packet.urgent_pointer,
            "options": packet.options[:packet.options_length],
            "payload": packet.payload[:packet.payload_length],
            "missing_length": packet.missing_length,
        }

    def tick(self, now_ns: int) -> None:
        decoder_tick(&self.decoder, now_ns)

    def finish(self) -> None:
        decoder_finish(&self.decoder)

    def close(self) -> None:
        decoder_free(&self.decoder)

    def statistics(self) -> dict:
        """The frame counters, ``payload_bytes_received``, and the octets taken from the budget."""
        return {
            "frames_received": self.stats.frames_received,
            "frame_bytes_received": self.stats.frame_bytes_received,
            "frames_tcp": self.stats.frames_tcp,
            "frames_not_ip": self.stats.frames_not_ip,
            "frames_not_tcp": self.stats.frames_not_tcp,
            "frames_malformed": self.stats.frames_malformed,
            "frames_unsupported_link": self.stats.frames_unsupported_link,
            "frames_fragment_joined": self.stats.frames_fragment_joined,
            "frames_fragment_lost": self.stats.frames_fragment_lost,
            "payload_bytes_received": self.stats.payload_bytes_received,
            "memory_used_bytes": self.budget.used,
            "memory_refused": self.budget.refused,
        }


cdef str address(const uint8_t* octets, int family):
    return str(ip_address(octets[12:16] if family == 4 else octets[:16]))


def decode(link_type: int, octets: bytes, wire_length: int | None = None) -> dict | str:
    """Decode one frame by a fresh decoder: the segment as a dict, or the counter that the frame went to."""
    return FrameDecoder().feed(link_type, octets, wire_length)
