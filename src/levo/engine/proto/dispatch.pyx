"""The table of protocols: hands the octets of a connection to its layers, and finds out what they speak.

A protocol switch (CONNECT, Upgrade) replaces the top layer; a protocol that carries another one (TLS) puts a layer on
top of itself. What is not recognized within the first kilobytes is opaque and costs a table look-up per packet from
then on; a connection that was picked up in its middle may be opaque only because no message has begun yet, so the
first octets of its segments are still looked at.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from levo.engine.core.state cimport Connection, EngineState
from levo.engine.core.types cimport (
    NO_RESPONSE,
    PROTOCOL_COUNT,
    PROTOCOL_OPAQUE,
    PROTOCOL_UNKNOWN,
    Exchange,
)
from levo.engine.exchange.pairing cimport (
    finish_pending,
    finish_unread,
    give_up_exchanges,
    lose_order,
    pending_footprint,
)
from levo.engine.proto.banner cimport note_banner
from levo.engine.proto.layers cimport doubt, keep_layers, level_of, speak
from levo.engine.proto.protocol cimport LOOKS_NO, LOOKS_REQUEST, Protocol

cdef enum:
    MOST_EMPTY = 64             # octets of empty lines before the first message
    OPAQUE_AFTER = 16384        # octets nobody recognized, a segment counting at least 512


cdef const Protocol* TABLE[PROTOCOL_COUNT]
cdef const Protocol* DETECTED[PROTOCOL_COUNT]    # those that are recognized from octets, in the order of asking
cdef int detected = 0


cdef void add_protocol(const Protocol* row) noexcept nogil:
    """Put *row* into the table, once a process. Of two that may look alike, the one added first is asked first."""
    global detected
    TABLE[row.number] = row
    if row.looks != NULL:
        DETECTED[detected] = row
        detected += 1


cdef void deliver(
    EngineState* state, Connection* conn, int direction,
    const uint8_t* data, uint32_t length, int64_t time_ns, int64_t ack,
) noexcept nogil:
    """The next *length* octets of a direction, in order. Advances the stream's offset."""
    layer_data(state, conn, 0, direction, data, length, time_ns, ack)


cdef void layer_data(
    EngineState* state, Connection* conn, int level, int direction,
    const uint8_t* data, uint32_t length, int64_t time_ns, int64_t ack,
) noexcept nogil:
    """The same for the layer at *level*: what was captured, or what the layer below has unwrapped."""
    cdef const Protocol* row
    cdef uint32_t taken
    while length:
        row = TABLE[conn.layers[level].protocol]
        if row.parses:
            # Counted first: the parser moves what it passes over to ``skipped``.
            state.stats.payload_bytes_parsed += length
            taken = row.data(state, conn, direction, data, length, time_ns, ack)
            state.stats.payload_bytes_parsed -= length - taken
        else:
            taken = row.data(state, conn, direction, data, length, time_ns, ack)
        conn.streams[direction].offset += taken
        data += taken
        length -= taken


# What nobody has recognized yet.

cdef uint32_t unknown_data(
    EngineState* state, Connection* conn, int direction,
    const uint8_t* data, uint32_t length, int64_t time_ns, int64_t ack,
) noexcept nogil:
    """Decide what *conn* speaks from a segment's first octets; returns octets passed over as opaque."""
    cdef const Protocol* row
    cdef int i, looks
    cdef uint32_t empty
    for i in range(detected):
        row = DETECTED[i]
        if row.carries and level_of(conn, row.number) >= 0:
            continue
        looks = row.looks(conn, direction, data, length)
        if looks != LOOKS_NO:
            if row.begin(state, conn, direction, looks, 0, time_ns):
                return 0
            return become_opaque(state, conn, length)
    empty = empty_lines(data, length)
    if empty == length or (empty and detects(conn, direction, data + empty, length - empty)):
        # Before the first request (RFC 9112 section 2.2).
        state.stats.payload_bytes_parsed += empty
        return empty
    if conn.streams[direction].offset == 0 and conn.streams[direction].syn:
        note_banner(state, conn, direction, data, length)
    doubt(conn, length if length > 512 else 512)
    if conn.layers[conn.top].unrecognized >= OPAQUE_AFTER:
        return become_opaque(state, conn, length)
    state.stats.payload_bytes_opaque += length
    return length


cdef uint32_t empty_lines(const uint8_t* data, uint32_t length) noexcept nogil:
    # Octets of the empty lines at the beginning, a few at most.
    cdef uint32_t at = 0
    while at < length and at < MOST_EMPTY and (data[at] == 13 or data[at] == 10):
        at += 1
    return at


cdef bint detects(const Connection* conn, int direction, const uint8_t* data, uint32_t length) noexcept nogil:
    cdef int i
    for i in range(detected):
        if not DETECTED[i].carries and DETECTED[i].looks(conn, direction, data, length) != LOOKS_NO:
            return True
    return False


cdef void unknown_gap(
    EngineState* state, Connection* conn, int direction, uint64_t size, int64_t time_ns
) noexcept nogil:
    lose_order(conn)
    conn.streams[direction].parser.gap_before = 1


# What nobody has recognized at all.

cdef uint32_t become_opaque(EngineState* state, Connection* conn, uint32_t length) noexcept nogil:
    speak(conn, PROTOCOL_OPAQUE, NULL)
    state.stats.connections_opaque += 1
    state.stats.payload_bytes_opaque += length
    return length


cdef uint32_t opaque_data(
    EngineState* state, Connection* conn, int direction,
    const uint8_t* data, uint32_t length, int64_t time_ns, int64_t ack,
) noexcept nogil:
    if conn.mid_stream and (65 <= data[0] <= 90 or data[0] == 0) and wakes(conn, direction, data, length):
        return 0
    state.stats.payload_bytes_opaque += length
    return length


cdef bint wakes(Connection* conn, int direction, const uint8_t* data, uint32_t length) noexcept nogil:
    # An opaque connection joined late: does a message begin here?
    cdef int i
    for i in range(detected):
        if DETECTED[i].joins and DETECTED[i].looks(conn, direction, data, length) != LOOKS_NO:
            doubt(conn, 0)
            return True
    return False


cdef Protocol unknown_row, opaque_row
unknown_row.number = PROTOCOL_UNKNOWN
unknown_row.data = unknown_data
unknown_row.gap = unknown_gap
opaque_row.number = PROTOCOL_OPAQUE
opaque_row.data = opaque_data
add_protocol(&unknown_row)
add_protocol(&opaque_row)


# Switches.

cdef bint begin_protocol(
    EngineState* state, Connection* conn, int protocol, int direction, uint32_t consumed, int64_t time_ns
) noexcept nogil:
    """The top layer speaks *protocol*, which the client in *direction* has begun with *consumed* octets."""
    return TABLE[protocol].begin(state, conn, direction, LOOKS_REQUEST, consumed, time_ns)


cdef bint agree_on(EngineState* state, Connection* conn, int protocol, Exchange* exchange) noexcept nogil:
    """The top layer speaks *protocol*, upon which *exchange* has agreed; False when that cannot be."""
    return TABLE[protocol].agree != NULL and TABLE[protocol].agree(state, conn, exchange)


# Holes, ends, time and memory.

cdef void deliver_gap(
    EngineState* state, Connection* conn, int direction, uint64_t size, int64_t time_ns
) noexcept nogil:
    """*size* octets of a direction were never captured. Advances the stream's offset."""
    state.stats.gaps += 1
    state.stats.gap_bytes += size
    layer_gap(state, conn, 0, direction, size, time_ns)
    conn.streams[direction].offset += <int64_t>size


cdef void layer_gap(
    EngineState* state, Connection* conn, int level, int direction, uint64_t size, int64_t time_ns
) noexcept nogil:
    """A hole in what the layer at *level* reads. The stream's offset stays."""
    cdef const Protocol* row = TABLE[conn.layers[level].protocol]
    if row.gap != NULL:
        row.gap(state, conn, direction, size, time_ns)


cdef void deliver_end(
    EngineState* state, Connection* conn, int direction, int64_t time_ns, int how
) noexcept nogil:
    """No more octets of a direction will come; *how* is an Ending."""
    layer_end(state, conn, 0, direction, time_ns, how)


cdef void layer_end(
    EngineState* state, Connection* conn, int level, int direction, int64_t time_ns, int how
) noexcept nogil:
    """The same for the layer at *level*."""
    cdef const Protocol* row = TABLE[conn.layers[level].protocol]
    if row.end != NULL:
        row.end(state, conn, direction, time_ns, how)


cdef bint tick_layers(EngineState* state, Connection* conn, int64_t now_ns, bint last) noexcept nogil:
    """Time has passed. True while there is something to look at again; *last*: decide it now."""
    cdef const Protocol* row
    cdef int level = 0
    cdef bint still = False
    while level <= conn.top:
        row = TABLE[conn.layers[level].protocol]
        if row.tick != NULL and row.tick(state, conn, now_ns, last):
            still = True
        level += 1
    return still


cdef bint layers_wait(const Connection* conn) noexcept nogil:
    """Whether octets wait inside a layer, so that *conn* cannot be closed yet."""
    cdef int level
    for level in range(conn.top + 1):
        if TABLE[conn.layers[level].protocol].waits != NULL and TABLE[conn.layers[level].protocol].waits(conn):
            return True
    return False


cdef void rest_layers(EngineState* state, Connection* conn) noexcept nogil:
    """Nothing has come for a while: return buffers that are empty. What was read so far stays."""
    cdef int level
    for level in range(conn.top + 1):
        if TABLE[conn.layers[level].protocol].rest != NULL:
            TABLE[conn.layers[level].protocol].rest(state, conn)


cdef void close_layers(EngineState* state, Connection* conn, int64_t now_ns, int how) noexcept nogil:
    """Both directions have ended: report and free whatever is left."""
    cdef int level = conn.top
    while level >= 0:
        if TABLE[conn.layers[level].protocol].close != NULL:
            TABLE[conn.layers[level].protocol].close(state, conn, now_ns, how)
        level -= 1
    finish_pending(state, conn, NO_RESPONSE)
    finish_unread(state, conn)


cdef void abandon(EngineState* state, Connection* conn) noexcept nogil:
    """Give up everything *conn* holds above the byte streams, for memory; what it carries goes on as opaque.

    Exchanges whose start line was read are reported (``exchange/evicted.pyx``).
    """
    cdef const Protocol* row
    cdef int level = conn.top
    cdef int kept = -1
    while level >= 0:
        row = TABLE[conn.layers[level].protocol]
        if row.abandon != NULL:
            row.abandon(state, conn)
        if row.carries:
            if kept < 0:
                kept = level
        else:
            kept = -1
        level -= 1
    give_up_exchanges(state, conn)
    keep_layers(conn, kept if kept >= 0 else 0, kept < 0)
    if kept < 0:
        speak(conn, PROTOCOL_OPAQUE, NULL)
    lose_order(conn)


cdef int64_t footprint(const Connection* conn) noexcept nogil:
    """Octets of the budget that *conn* holds, its structure aside (an estimate: bodies and heads)."""
    cdef int side, level
    cdef int64_t total = pending_footprint(conn)
    for level in range(conn.top + 1):
        if TABLE[conn.layers[level].protocol].footprint != NULL:
            total += TABLE[conn.layers[level].protocol].footprint(conn)
    for side in range(2):
        total += conn.streams[side].held_bytes
    return total
