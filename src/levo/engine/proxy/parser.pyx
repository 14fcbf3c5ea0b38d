"""The header of the PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt), before anything else.

A load balancer puts it in front of a connection's octets, to say whom it speaks for. The layer reads it, and from then
on hands all octets to the layer above, whatever that is: HTTP, or TLS. States of the client's direction::

    SIGNATURE -> (PROXY \\r\\n\\r\\n\\0\\r\\nQUIT\\n) -> HEADER -> TLVS -> PASSING       version 2
    SIGNATURE -> ("PROXY ")                     -> LINE -> PASSING               version 1
    any of them -> PASSING                      octets that are no such header, a hole, the end

Octets that turn out to be none of a header are handed on, as if they had come with those behind them. A header whose
lengths or addresses are wrong names nobody; what follows it is read all the same.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy, memset

from levo.engine.core.memory cimport give_back, take
from levo.engine.core.network_order cimport be16
from levo.engine.core.state cimport Connection, EngineState
from levo.engine.core.types cimport PROTOCOL_PROXY
from levo.engine.exchange.pairing cimport Proxied
from levo.engine.proto.dispatch cimport layer_data, layer_end, layer_gap
from levo.engine.proto.layers cimport add_layer, forget_state, learn_client, speak, state_of
from levo.engine.proto.protocol cimport LOOKS_NO, LOOKS_REQUEST, Protocol

cdef enum:
    LONGEST_LINE = 107          # of version 1, with its line end
    SIGNATURE_LENGTH = 12
    HEADER_LENGTH = 16          # of version 2, before the addresses
    ADDRESSES_LENGTH = 36       # of IPv6, the longest that are of use

cdef extern from "levo/engine/proxy/signature.h":
    const uint8_t* SIGNATURE "levo_proxy_signature"


cdef enum State:
    READING = 0
    SKIPPING = 1                # the rest of a header of version 2
    PASSING = 2


ctypedef struct Proxy:
    Proxied proxied             # first: what exchanges look at
    uint32_t have               # octets of ``head``
    uint32_t skip
    uint8_t direction           # the client's
    uint8_t state
    uint8_t head[128]


cdef int looks(const Connection* conn, int direction, const uint8_t* data, uint32_t length) noexcept nogil:
    """Whether a connection begins with a header, or with the beginning of its signature."""
    cdef uint32_t part
    if conn.top or conn.streams[direction].offset or conn.client == 1 - direction:
        return LOOKS_NO
    part = 6 if length > 6 else length
    if memcmp(data, b"PROXY ", part) == 0:
        return LOOKS_REQUEST
    part = SIGNATURE_LENGTH if length > SIGNATURE_LENGTH else length
    return LOOKS_REQUEST if memcmp(data, SIGNATURE, part) == 0 else LOOKS_NO


cdef bint begin(
    EngineState* state, Connection* conn, int direction, int looks, uint32_t consumed, int64_t time_ns
) noexcept nogil:
    cdef Proxy* proxy = <Proxy*>take(&state.budget, sizeof(Proxy))
    if proxy == NULL:
        return False
    memset(proxy, 0, sizeof(Proxy))
    proxy.direction = <uint8_t>direction
    speak(conn, PROTOCOL_PROXY, proxy)
    add_layer(conn)
    return True


cdef void hand_on(
    EngineState* state, Connection* conn, int direction,
    const uint8_t* data, uint32_t length, int64_t time_ns, int64_t ack,
) noexcept nogil:
    """Give octets to the layer above. They are the stream's own: its offset moves there."""
    if conn.top == 0 and length:                  # what was above it was given up
        add_layer(conn)
    if length:
        layer_data(state, conn, 1, direction, data, length, time_ns, ack)


cdef uint32_t data(
    EngineState* state, Connection* conn, int direction,
    const uint8_t* octets, uint32_t length, int64_t time_ns, int64_t ack,
) noexcept nogil:
    cdef Proxy* proxy = <Proxy*>conn.layers[0].state
    cdef uint32_t taken = 0
    cdef uint32_t skip
    if proxy != NULL and direction == proxy.direction:
        while taken < length and proxy.state == READING:
            proxy.head[proxy.have] = octets[taken]
            proxy.have += 1
            taken += 1
            read_on(state, conn, proxy, time_ns, ack)
        if proxy.state == SKIPPING and taken < length:
            skip = proxy.skip if proxy.skip < length - taken else length - taken
            proxy.skip -= skip
            taken += skip
            state.stats.payload_bytes_parsed += skip
            conn.streams[direction].offset += skip
            if proxy.skip == 0:
                proxy.state = PASSING
    hand_on(state, conn, direction, octets + taken, length - taken, time_ns, ack)
    # Whoever took them has moved the offset, so that whoever called this one must not.
    conn.streams[direction].offset -= length
    return length


cdef void read_on(EngineState* state, Connection* conn, Proxy* proxy, int64_t time_ns, int64_t ack) noexcept nogil:
    """One more octet is in ``head``."""
    cdef uint32_t have = proxy.have
    cdef uint32_t length
    cdef bint line = memcmp(proxy.head, b"PROXY ", 6 if have > 6 else have) == 0
    if not line and memcmp(proxy.head, SIGNATURE, SIGNATURE_LENGTH if have > SIGNATURE_LENGTH else have) != 0:
        give_up(state, conn, proxy, time_ns, ack)
    elif line and have >= 8 and proxy.head[have - 1] == 10 and proxy.head[have - 2] == 13:
        read_line(conn, proxy)
        done(state, conn, proxy)
    elif line and have == LONGEST_LINE:
        give_up(state, conn, proxy, time_ns, ack)
    elif not line and have >= HEADER_LENGTH:
        if proxy.head[12] >> 4 != 2:
            give_up(state, conn, proxy, time_ns, ack)
            return
        length = be16(proxy.head + 14)
        if have == HEADER_LENGTH + (length if length < ADDRESSES_LENGTH else ADDRESSES_LENGTH):
            read_addresses(proxy, length)
            proxy.skip = HEADER_LENGTH + length - have
            done(state, conn, proxy)
            if proxy.skip:
                proxy.state = SKIPPING


cdef void done(EngineState* state, Connection* conn, Proxy* proxy) noexcept nogil:
    state.stats.payload_bytes_parsed += proxy.have
    conn.streams[proxy.direction].offset += proxy.have
    proxy.state = PASSING
    if conn.client < 0:
        learn_client(conn, proxy.direction)


cdef void give_up(EngineState* state, Connection* conn, Proxy* proxy, int64_t time_ns, int64_t ack) noexcept nogil:
    """No header after all: the layer above reads what was kept."""
    proxy.state = PASSING
    hand_on(state, conn, proxy.direction, proxy.head, proxy.have, time_ns, ack)


# Version 1: "PROXY TCP4 192.0.2.1 198.51.100.7 51234 443".

cdef const uint8_t* word_end(const uint8_t* at, const uint8_t* end) noexcept nogil:
    while at < end and at[0] != 32 and at[0] != 13:
        at += 1
    return at


cdef int hex_digit(uint8_t octet) noexcept nogil:
    if 48 <= octet <= 57:
        return octet - 48
    octet |= 32
    return octet - 87 if 97 <= octet <= 102 else -1


cdef bint read_ipv4(const uint8_t* at, const uint8_t* end, uint8_t* out) noexcept nogil:
    cdef int part, digits
    cdef uint32_t number
    for part in range(4):
        number = 0
        digits = 0
        while at < end and 48 <= at[0] <= 57 and digits < 3:
            number = number * 10 + at[0] - 48
            at += 1
            digits += 1
        if digits == 0 or number > 255 or (part < 3 and (at >= end or at[0] != 46)):
            return False
        out[part] = <uint8_t>number
        at += part < 3
    return at == end


cdef bint read_ipv6(const uint8_t* at, const uint8_t* end, uint8_t* out) noexcept nogil:
    cdef uint8_t groups[16]
    cdef int filled = 0, gap = -1, digits
    cdef uint32_t number
    memset(groups, 0, 16)
    if end - at >= 2 and at[0] == 58 and at[1] == 58:
        gap = 0
        at += 2
    while at < end:
        if filled == 16:
            return False
        if filled <= 12 and memchr(at, 46, end - at) != NULL and memchr(at, 58, end - at) == NULL:
            if not read_ipv4(at, end, groups + filled):
                return False
            filled += 4
            at = end
            break
        number = 0
        digits = 0
        while at < end and hex_digit(at[0]) >= 0 and digits < 4:
            number = number << 4 | <uint32_t>hex_digit(at[0])
            at += 1
            digits += 1
        if digits == 0:
            return False
        groups[filled] = <uint8_t>(number >> 8)
        groups[filled + 1] = <uint8_t>number
        filled += 2
        if at == end:
            break
        if at[0] != 58 or end - at < 2:
            return False
        at += 1
        if at[0] == 58:
            if gap >= 0:
                return False
            gap = filled
            at += 1
    if gap < 0:
        if filled != 16:
            return False
        memcpy(out, groups, 16)
        return True
    if filled > 14:
        return False
    memset(out, 0, 16)
    memcpy(out, groups, gap)
    memcpy(out + 16 - (filled - gap), groups + gap, filled - gap)
    return True


cdef void read_line(Connection* conn, Proxy* proxy) noexcept nogil:
    cdef const uint8_t* at = proxy.head + 6
    cdef const uint8_t* end = proxy.head + proxy.have
    cdef const uint8_t* stop = word_end(at, end)
    cdef uint8_t address[16]
    cdef uint8_t family
    cdef uint32_t port = 0
    cdef int _word
    if stop - at != 4 or memcmp(at, b"TCP", 3) != 0 or (at[3] != 52 and at[3] != 54):
        return                                    # UNKNOWN, or something else
    family = at[3] - 48
    at = stop + 1
    if at >= end:
        return
    stop = word_end(at, end)
    memset(address, 0, 16)
    if family == 4:
        address[10] = address[11] = 0xFF
        if not read_ipv4(at, stop, address + 12):
            return
    elif not read_ipv6(at, stop, address):
        return
    for _word in range(2):                        # the destination, and then the source's port
        at = stop + 1
        if at >= end:
            return
        stop = word_end(at, end)
    if stop == at or stop - at > 5:
        return
    while at < stop:
        if not 48 <= at[0] <= 57:
            return
        port = port * 10 + at[0] - 48
        at += 1
    if port <= 65535:
        name_client(proxy, address, family, <uint16_t>port)


cdef void read_addresses(Proxy* proxy, uint32_t length) noexcept nogil:
    """Version 2. LOCAL (a health check), UNIX sockets and what is not specified name nobody."""
    cdef const uint8_t* at = proxy.head + HEADER_LENGTH
    cdef uint8_t address[16]
    if proxy.head[12] != 0x21:
        return
    if proxy.head[13] >> 4 == 1 and length >= 12:
        memset(address, 0, 10)
        address[10] = address[11] = 0xFF
        memcpy(address + 12, at, 4)
        name_client(proxy, address, 4, <uint16_t>be16(at + 8))
    elif proxy.head[13] >> 4 == 2 and length >= 36:
        name_client(proxy, at, 6, <uint16_t>be16(at + 32))


cdef void name_client(Proxy* proxy, const uint8_t* address, uint8_t family, uint16_t port) noexcept nogil:
    memcpy(proxy.proxied.client, address, 16)
    proxy.proxied.port = port
    proxy.proxied.family = family


# Holes, the end, and memory.

cdef void gap(EngineState* state, Connection* conn, int direction, uint64_t size, int64_t time_ns) noexcept nogil:
    cdef Proxy* proxy = <Proxy*>conn.layers[0].state
    cdef int64_t offset
    if proxy != NULL and direction == proxy.direction and proxy.state != PASSING:
        if proxy.state == SKIPPING and size <= proxy.skip:
            proxy.skip -= <uint32_t>size
            if proxy.skip == 0:
                proxy.state = PASSING
            return
        if proxy.state == READING:
            give_up(state, conn, proxy, time_ns, -1)
        else:
            size -= proxy.skip
            proxy.state = PASSING
    if conn.top == 0:
        return
    offset = conn.streams[direction].offset
    layer_gap(state, conn, 1, direction, size, time_ns)
    conn.streams[direction].offset = offset


cdef void end(EngineState* state, Connection* conn, int direction, int64_t time_ns, int how) noexcept nogil:
    cdef Proxy* proxy = <Proxy*>conn.layers[0].state
    if proxy != NULL and direction == proxy.direction and proxy.state == READING:
        give_up(state, conn, proxy, time_ns, -1)
    if conn.top:
        layer_end(state, conn, 1, direction, time_ns, how)


cdef void close(EngineState* state, Connection* conn, int64_t time_ns, int how) noexcept nogil:
    """The connection is over, and the layers above have reported. Legal twice."""
    free_proxy(state, conn)


cdef void abandon(EngineState* state, Connection* conn) noexcept nogil:
    """What was read of the header is given up; who the client is stays known."""
    cdef Proxy* proxy = <Proxy*>state_of(conn, PROTOCOL_PROXY)
    if proxy != NULL and proxy.state == READING:
        state.stats.payload_bytes_opaque += proxy.have
        conn.streams[proxy.direction].offset += proxy.have
        proxy.state = PASSING


cdef void free_proxy(EngineState* state, Connection* conn) noexcept nogil:
    cdef Proxy* proxy = <Proxy*>state_of(conn, PROTOCOL_PROXY)
    if proxy == NULL:
        return
    abandon(state, conn)
    forget_state(conn, PROTOCOL_PROXY)
    give_back(&state.budget, proxy, sizeof(Proxy))


cdef Protocol row
row.number = PROTOCOL_PROXY
row.looks = looks
row.begin = begin
row.data = data
row.gap = gap
row.end = end
row.close = close
row.abandon = abandon
row.carries = 1


cdef const Protocol* proxy_protocol() noexcept nogil:
    """The row of the PROXY protocol in the table of protocols."""
    return &row
