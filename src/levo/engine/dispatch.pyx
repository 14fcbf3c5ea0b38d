"""Hands the octets of a connection to the parser of the protocol it speaks, and finds out which that is.

A protocol switch (CONNECT, Upgrade) replaces the parser, not the connection. What is not recognised
within the first kilobytes is opaque and costs a table look-up per packet from then on; a connection
that was picked up in its middle may be opaque only because no message has begun yet, so the first
octets of its segments are still looked at.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp

from levo.engine.http1 cimport http1_data, http1_end, http1_gap
from levo.engine.http1_scan cimport LOOKS_MAYBE, LOOKS_REQUEST, LOOKS_RESPONSE, http1_looks
from levo.engine.http2 cimport http2_begin, http2_data, http2_end, http2_gap, http2_looks
from levo.engine.http2_streams cimport drop_streams, http2_footprint
from levo.engine.memory cimport buffer_free
from levo.engine.pairing cimport drop_exchange
from levo.engine.state cimport Connection, EngineState
from levo.engine.tls cimport (
    Tls,
    tls_abandon,
    tls_begin,
    tls_data,
    tls_end,
    tls_footprint,
    tls_gap,
    tls_look,
    tls_looks,
    tls_rest,
    tls_waits,
)
from levo.engine.websocket cimport websocket_abandon, websocket_data, websocket_end, websocket_gap
from levo.engine.types cimport (
    DROP_EVICTED,
    PROTOCOL_HTTP1,
    PROTOCOL_HTTP2,
    PROTOCOL_OPAQUE,
    PROTOCOL_TLS,
    PROTOCOL_UNKNOWN,
    PROTOCOL_WEBSOCKET,
    Exchange,
)

cdef enum:
    OPAQUE_AFTER = 16384        # octets nobody recognised, a segment counting at least 512


cdef void deliver(
    EngineState* state, Connection* conn, int direction,
    const uint8_t* data, uint32_t length, int64_t time_ns, int64_t ack,
) noexcept nogil:
    """The next *length* octets of a direction, in order. Advances the stream's offset."""
    if conn.encrypted:
        tls_data(state, conn, direction, data, length, time_ns, ack, read_on, gap_on)
        conn.streams[direction].offset += length
    else:
        read_on(state, conn, direction, data, length, time_ns, ack)


cdef void read_on(
    EngineState* state, Connection* conn, int direction,
    const uint8_t* data, uint32_t length, int64_t time_ns, int64_t ack,
) noexcept nogil:
    """The same for octets in the clear: what was captured, or what a record of TLS held."""
    cdef uint32_t taken
    while length:
        if conn.protocol == PROTOCOL_HTTP1:
            # Counted first: the parser moves what it passes over to ``skipped``.
            state.stats.payload_bytes_parsed += length
            taken = http1_data(state, conn, direction, data, length, time_ns, ack)
            state.stats.payload_bytes_parsed -= length - taken
        elif conn.protocol == PROTOCOL_HTTP2:
            state.stats.payload_bytes_parsed += length
            taken = http2_data(state, conn, direction, data, length, time_ns, ack)
            state.stats.payload_bytes_parsed -= length - taken
        elif conn.protocol == PROTOCOL_WEBSOCKET and conn.extension != NULL:
            state.stats.payload_bytes_parsed += length
            taken = length
            websocket_data(state, conn, direction, data, length, time_ns)
        elif conn.protocol == PROTOCOL_UNKNOWN:
            taken = detect(state, conn, direction, data, length, time_ns)
        elif conn.protocol == PROTOCOL_TLS:
            taken = length
            tls_data(state, conn, direction, data, length, time_ns, ack, read_on, gap_on)
        else:
            if conn.mid_stream and (65 <= data[0] <= 90 or data[0] == 0) and wakes(conn, direction, data, length):
                continue
            taken = length
            state.stats.payload_bytes_opaque += length
        conn.streams[direction].offset += taken
        data += taken
        length -= taken


cdef bint wakes(Connection* conn, int direction, const uint8_t* data, uint32_t length) noexcept nogil:
    # An opaque connection joined late: does a message begin here?
    cdef int looks
    if conn.protocol != PROTOCOL_OPAQUE:
        return False
    if data[0] == 0:
        if not http2_looks(conn, direction, data, length):
            return False
    else:
        looks = http1_looks(data, length)
        if looks != LOOKS_REQUEST and looks != LOOKS_RESPONSE:
            return False
    conn.protocol = PROTOCOL_UNKNOWN
    return True


cdef uint32_t detect(
    EngineState* state, Connection* conn, int direction, const uint8_t* data, uint32_t length, int64_t time_ns
) noexcept nogil:
    """Decide what *conn* speaks from a segment's first octets; returns octets passed over as opaque."""
    cdef int looks
    if length >= 3 and memcmp(data, b"PRI * HTTP/2.0", length if length < 14 else 14) == 0:
        return 0 if http2_begin(state, conn, direction, 0) else become_opaque(state, conn, length)
    looks = http1_looks(data, length)
    if looks == LOOKS_MAYBE and conn.unrecognised:
        looks = 0
    if looks == LOOKS_MAYBE:
        looks = LOOKS_RESPONSE if conn.client == 1 - direction else LOOKS_REQUEST
    if looks == LOOKS_REQUEST or looks == LOOKS_RESPONSE:
        conn.client = <signed char>(direction if looks == LOOKS_REQUEST else 1 - direction)
        conn.protocol = PROTOCOL_HTTP1
        state.stats.connections_http1 += 1
        return 0
    if not conn.encrypted and tls_looks(conn, direction, data, length):
        return 0 if tls_begin(state, conn, direction, time_ns) else become_opaque(state, conn, length)
    if data[0] == 0 and http2_looks(conn, direction, data, length) and http2_begin(state, conn, direction, -1):
        return 0
    conn.unrecognised += length if length > 512 else 512
    if conn.unrecognised >= OPAQUE_AFTER:
        return become_opaque(state, conn, length)
    state.stats.payload_bytes_opaque += length
    return length


cdef uint32_t become_opaque(EngineState* state, Connection* conn, uint32_t length) noexcept nogil:
    conn.protocol = PROTOCOL_OPAQUE
    state.stats.connections_opaque += 1
    state.stats.payload_bytes_opaque += length
    return length


cdef void deliver_gap(
    EngineState* state, Connection* conn, int direction, uint64_t size, int64_t time_ns
) noexcept nogil:
    """*size* octets of a direction were never captured. Advances the stream's offset."""
    state.stats.gaps += 1
    state.stats.gap_bytes += size
    if conn.encrypted or conn.protocol == PROTOCOL_TLS:
        tls_gap(state, conn, direction, size, time_ns, gap_on)
        conn.streams[direction].offset += <int64_t>size
    else:
        gap_on(state, conn, direction, size, time_ns)


cdef void gap_on(
    EngineState* state, Connection* conn, int direction, uint64_t size, int64_t time_ns
) noexcept nogil:
    # A hole in the clear, or in what TLS held.
    if conn.protocol == PROTOCOL_HTTP1:
        http1_gap(state, conn, direction, size, time_ns)
    elif conn.protocol == PROTOCOL_HTTP2:
        http2_gap(state, conn, direction, size, time_ns)
    elif conn.protocol == PROTOCOL_WEBSOCKET and conn.extension != NULL:
        websocket_gap(state, conn, direction, size)
    elif conn.protocol == PROTOCOL_UNKNOWN:
        conn.tainted = 1
        conn.streams[direction].parser.gap_before = 1
    conn.streams[direction].offset += <int64_t>size


cdef void deliver_end(
    EngineState* state, Connection* conn, int direction, int64_t time_ns, int how
) noexcept nogil:
    """No more octets of a direction will come; *how* is one of ENDED_*."""
    if how == 0 and tls_waits(conn):
        # What came before is not read yet.
        (<Tls*>conn.tls).late_ends |= <uint8_t>(1 << direction)
        conn.waiting |= 2
        return
    if conn.protocol == PROTOCOL_HTTP1:
        http1_end(state, conn, direction, time_ns, how)
    elif conn.protocol == PROTOCOL_HTTP2:
        http2_end(state, conn, direction, time_ns, how)
    elif conn.protocol == PROTOCOL_WEBSOCKET and (conn.streams[1 - direction].ended or how):
        websocket_end(state, conn, time_ns, how)
    if conn.tls != NULL:
        tls_end(state, conn, direction)


cdef bint deliver_late(EngineState* state, Connection* conn, int64_t now_ns, bint last) noexcept nogil:
    """Deliver what waited for keys of TLS and may be read now. True while something waits; not after the *last* time."""
    cdef uint8_t ends
    cdef int side = 1 if conn.client == 1 else 0
    cdef int i
    if conn.tls == NULL:
        return False
    if tls_look(state, conn, now_ns, last, read_on, gap_on):
        return True
    ends = (<Tls*>conn.tls).late_ends
    (<Tls*>conn.tls).late_ends = 0
    for i in range(2):
        if ends >> side & 1:
            deliver_end(state, conn, side, now_ns, 0)
        side = 1 - side
    return False


cdef void rest(EngineState* state, Connection* conn) noexcept nogil:
    """Nothing has come for a while: return buffers that are empty. What was read so far stays."""
    cdef int side
    for side in range(2):
        if conn.streams[side].parser.head.length == 0:
            buffer_free(&state.budget, &conn.streams[side].parser.head)
    tls_rest(state, conn)


cdef void abandon(EngineState* state, Connection* conn) noexcept nogil:
    """Give up everything *conn* holds above the byte streams, for memory; it goes on as opaque."""
    cdef int side
    cdef Exchange* exchange
    while conn.pending_first != NULL:
        drop_exchange(state, conn, conn.pending_first, DROP_EVICTED)
    drop_streams(state, conn, DROP_EVICTED)
    if conn.protocol == PROTOCOL_WEBSOCKET:
        websocket_abandon(state, conn)
    for side in range(2):
        exchange = conn.streams[side].parser.current
        if exchange != NULL:
            drop_exchange(state, conn, exchange, DROP_EVICTED)
        buffer_free(&state.budget, &conn.streams[side].parser.head)
        conn.streams[side].parser.state = 0
        conn.streams[side].parser.current = NULL
    tls_abandon(state, conn)
    conn.protocol = PROTOCOL_OPAQUE if conn.tls == NULL else PROTOCOL_TLS
    conn.mid_stream = conn.tls == NULL
    conn.tainted = 1


cdef int64_t footprint(Connection* conn) noexcept nogil:
    """Octets of the budget that *conn* holds, its structure aside (an estimate: bodies and heads)."""
    cdef int side
    cdef int64_t total = http2_footprint(conn) + tls_footprint(conn)
    cdef Exchange* exchange = conn.pending_first
    while exchange != NULL:
        total += exchange.request.head.allocated + exchange.request.body.capacity
        total += exchange.response.head.allocated + exchange.response.body.capacity
        total += <int64_t>sizeof(Exchange)
        exchange = exchange.next
    for side in range(2):
        exchange = conn.streams[side].parser.current
        if exchange != NULL and not exchange.request.present:
            total += exchange.response.head.allocated + exchange.response.body.capacity
        total += conn.streams[side].parser.head.capacity + conn.streams[side].held_bytes
    return total
