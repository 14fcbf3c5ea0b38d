"""TLS as a bystander sees it (RFC 8446, RFC 5246): the handshake is read, then the connection is only counted.

Stages of a connection::

    HELLO   records are taken apart, handshake messages put together (they may be spread over records and
            segments) until the server encrypts                                  -> SHUT
    SHUT    everything is known that can be: a segment costs one addition

The connection joins the table of encrypted endpoints when HELLO ends, whatever ended it: the last message in
the clear, a hole, the end of the connection.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from levo.engine.memory cimport buffer_append, buffer_free, give_back, take
from levo.engine.state cimport Connection, EngineState
from levo.engine.tls_endpoints cimport endpoint_names, endpoints_find, endpoints_free, endpoints_new
from levo.engine.tls_hello cimport (
    SEEN_SERVER_HELLO,
    TLS_1_3,
    TlsFacts,
    read_certificate,
    read_client_hello,
    read_server_hello,
)
from levo.engine.types cimport PROTOCOL_TLS, Budget

cdef enum:
    RECORD_CCS = 20
    RECORD_HANDSHAKE = 22
    RECORD_DATA = 23
    RECORD_LAST = 24
    RECORD_HEADER = 5
    MOST_RECORD = 16384 + 2048  # RFC 5246 section 6.2.3

cdef enum:
    CLIENT_HELLO = 1
    SERVER_HELLO = 2
    CERTIFICATE = 11
    SERVER_HELLO_DONE = 14

cdef enum:
    MESSAGE_KEPT = 16384        # octets of a handshake message that are read


cdef TlsTable* tls_new() noexcept nogil:
    """What an engine knows of TLS, empty; NULL when memory is refused."""
    cdef TlsTable* table = <TlsTable*>calloc(1, sizeof(TlsTable))
    if table == NULL:
        return NULL
    table.endpoints = endpoints_new()
    if table.endpoints == NULL:
        free(table)
        return NULL
    return table


cdef void tls_delete(TlsTable* table, Budget* budget) noexcept nogil:
    if table == NULL:
        return
    endpoints_free(table.endpoints, budget)
    free(table)


cdef inline uint32_t record_length(const uint8_t* header) noexcept nogil:
    return <uint32_t>header[3] << 8 | header[4]


cdef inline bint possible_record(const uint8_t* header) noexcept nogil:
    return RECORD_CCS <= header[0] <= RECORD_LAST and header[1] == 3 and header[2] <= 4 and (
        0 < record_length(header) <= MOST_RECORD)


cdef bint tls_looks(const Connection* conn, int direction, const uint8_t* data, uint32_t length) noexcept nogil:
    """Whether a direction's first octets begin a TLS handshake; joined late, also whether records follow each other."""
    cdef uint32_t at = 0
    if length < 6:
        return data[0] == RECORD_HANDSHAKE and (length < 2 or data[1] == 3) and (
            conn.streams[direction].syn and conn.streams[direction].offset == 0)
    if not possible_record(data):
        return False
    if data[0] == RECORD_HANDSHAKE and data[5] <= 2:
        return True
    if not (conn.mid_stream or conn.tainted) or data[0] != RECORD_DATA or data[2] != 3:
        return False
    while length - at >= RECORD_HEADER:
        if not possible_record(data + at):
            return False
        at += RECORD_HEADER + record_length(data + at)
        if at >= length:
            break
    return True


cdef bint tls_begin(EngineState* state, Connection* conn, int direction, int64_t time_ns) noexcept nogil:
    """*conn* speaks TLS from the next octets of *direction* on. False when memory is refused."""
    cdef Tls* tls
    if state.tls == NULL:
        return False
    tls = <Tls*>take(&state.budget, sizeof(Tls))
    if tls == NULL:
        return False
    memset(tls, 0, sizeof(Tls))
    tls.facts = <TlsFacts*>take(&state.budget, sizeof(TlsFacts))
    if tls.facts == NULL:
        give_back(&state.budget, tls, sizeof(Tls))
        return False
    memset(tls.facts, 0, sizeof(TlsFacts))
    tls.first_ns = time_ns
    conn.tls = tls
    conn.protocol = PROTOCOL_TLS
    conn.mid_stream = 0
    state.stats.connections_tls += 1
    return True


cdef void tls_data(
    EngineState* state, Connection* conn, int direction,
    const uint8_t* data, uint32_t length, int64_t time_ns, int64_t ack,
) noexcept nogil:
    """The next *length* octets of a direction, in order. Consumes and counts them all."""
    cdef Tls* tls = <Tls*>conn.tls
    state.stats.payload_bytes_opaque += length
    if tls == NULL:
        return
    if tls.endpoint != NULL:
        tls.endpoint.octets += length
        if time_ns > tls.endpoint.last_ns:
            tls.endpoint.last_ns = time_ns
    else:
        tls.early += length
    if tls.stage != STAGE_SHUT:
        read_records(state, conn, direction, data, length, time_ns)


cdef void read_records(
    EngineState* state, Connection* conn, int direction, const uint8_t* data, uint32_t length, int64_t time_ns
) noexcept nogil:
    cdef Tls* tls = <Tls*>conn.tls
    cdef TlsSide* side = &tls.sides[direction]
    cdef uint32_t at = 0
    cdef uint32_t mine
    while at < length and tls.stage != STAGE_SHUT:
        if side.have < RECORD_HEADER:
            mine = RECORD_HEADER - side.have
            if mine > length - at:
                mine = length - at
            memcpy(side.header + side.have, data + at, mine)
            side.have += <uint8_t>mine
            at += mine
            if side.have < RECORD_HEADER:
                return
            if not possible_record(side.header):
                shut(state, conn, time_ns)
                return
            side.left = record_length(side.header)
            if side.header[0] == RECORD_DATA:
                seal(state, conn, direction, time_ns)
            continue
        mine = side.left if side.left < length - at else length - at
        if side.header[0] == RECORD_HANDSHAKE and not side.sealed:
            take_handshake(state, conn, direction, data + at, mine, time_ns)
        side.left -= mine
        at += mine
        if side.left == 0:
            side.have = 0
            if side.header[0] == RECORD_CCS and tls.facts.version < TLS_1_3:
                seal(state, conn, direction, time_ns)


cdef void seal(EngineState* state, Connection* conn, int direction, int64_t time_ns) noexcept nogil:
    # Records of this direction are encrypted from here on. Behind the server's first there is nothing to read.
    cdef Tls* tls = <Tls*>conn.tls
    tls.sides[direction].sealed = 1
    if tls.facts.seen & SEEN_SERVER_HELLO or direction != conn.client:
        shut(state, conn, time_ns)


cdef void take_handshake(
    EngineState* state, Connection* conn, int direction, const uint8_t* data, uint32_t length, int64_t time_ns
) noexcept nogil:
    """Octets of handshake messages, wherever records cut them."""
    cdef Tls* tls = <Tls*>conn.tls
    cdef TlsSide* side = &tls.sides[direction]
    cdef uint32_t at = 0
    cdef uint32_t mine, room
    while at < length and tls.stage != STAGE_SHUT:
        if side.message_have < 4:
            if side.message_have == 0:
                side.message_kind = data[at]
                side.message_left = 0
            else:
                side.message_left = side.message_left << 8 | data[at]
            side.message_have += 1
            at += 1
            if side.message_have < 4 or side.message_left:
                continue
        else:
            mine = side.message_left if side.message_left < length - at else length - at
            if side.message_kind in (CLIENT_HELLO, SERVER_HELLO, CERTIFICATE):
                room = MESSAGE_KEPT - side.message.length
                if not buffer_append(&state.budget, &side.message, data + at, mine if mine < room else room):
                    shut(state, conn, time_ns)
                    return
            side.message_left -= mine
            at += mine
            if side.message_left:
                return
        side.message_have = 0
        take_message(state, conn, direction, time_ns)
        side.message.length = 0


cdef void take_message(EngineState* state, Connection* conn, int direction, int64_t time_ns) noexcept nogil:
    """One whole handshake message."""
    cdef Tls* tls = <Tls*>conn.tls
    cdef TlsSide* side = &tls.sides[direction]
    if side.message_kind == CLIENT_HELLO:
        if read_client_hello(tls.facts, side.message.data, side.message.length):
            conn.client = <signed char>direction
    elif side.message_kind == SERVER_HELLO:
        if read_server_hello(tls.facts, side.message.data, side.message.length):
            conn.client = <signed char>(1 - direction)
    elif side.message_kind == CERTIFICATE:
        if direction != conn.client:              # not a client's certificate
            read_certificate(tls.facts, side.message.data, side.message.length)
    elif side.message_kind == SERVER_HELLO_DONE:
        shut(state, conn, time_ns)


cdef void join_endpoint(EngineState* state, Connection* conn, int64_t time_ns) noexcept nogil:
    # Once a connection. The server is who was not the client, else the one with the smaller port.
    cdef Tls* tls = <Tls*>conn.tls
    cdef bint first_serves = conn.client == 1 or conn.client < 0 and conn.a_port < conn.b_port
    if tls.endpoint != NULL:
        return
    tls.endpoint = endpoints_find(
        (<TlsTable*>state.tls).endpoints, &state.budget,
        <const uint8_t*>conn.a if first_serves else <const uint8_t*>conn.b, conn.family,
        conn.a_port if first_serves else conn.b_port, tls.facts)
    tls.endpoint.connections += 1
    tls.endpoint.octets += tls.early
    if tls.endpoint.first_ns == 0 or tls.first_ns < tls.endpoint.first_ns:
        tls.endpoint.first_ns = tls.first_ns
    if time_ns > tls.endpoint.last_ns:
        tls.endpoint.last_ns = time_ns
    endpoint_names(tls.endpoint, tls.facts)


cdef void shut(EngineState* state, Connection* conn, int64_t time_ns) noexcept nogil:
    # Nothing more can be read: what is known joins the table, the rest is given back.
    cdef Tls* tls = <Tls*>conn.tls
    cdef int i
    if tls.facts != NULL:
        join_endpoint(state, conn, time_ns)
        give_back(&state.budget, tls.facts, sizeof(TlsFacts))
        tls.facts = NULL
    for i in range(2):
        buffer_free(&state.budget, &tls.sides[i].message)
    tls.stage = STAGE_SHUT


cdef void tls_gap(EngineState* state, Connection* conn, int direction, uint64_t size, int64_t time_ns) noexcept nogil:
    """*size* octets of a direction were never captured: framing is gone."""
    cdef Tls* tls = <Tls*>conn.tls
    if tls != NULL and tls.stage != STAGE_SHUT:
        shut(state, conn, time_ns)


cdef void tls_end(EngineState* state, Connection* conn, int direction) noexcept nogil:
    """No more octets of a direction will come; behind the second one everything is given back."""
    cdef Tls* tls = <Tls*>conn.tls
    if tls == NULL:
        return
    tls.sides[direction].ended = 1
    if tls.sides[0].ended and tls.sides[1].ended:
        shut(state, conn, conn.last_ns)
        give_back(&state.budget, tls, sizeof(Tls))
        conn.tls = NULL


cdef void tls_abandon(EngineState* state, Connection* conn) noexcept nogil:
    """Give up what *conn* holds for its handshake; its octets go on being counted."""
    if conn.tls != NULL:
        shut(state, conn, conn.last_ns)


cdef int64_t tls_footprint(const Connection* conn) noexcept nogil:
    """Octets of the budget that *conn* holds for TLS."""
    cdef const Tls* tls = <const Tls*>conn.tls
    if tls == NULL:
        return 0
    return sizeof(Tls) + tls.sides[0].message.capacity + tls.sides[1].message.capacity + (
        sizeof(TlsFacts) if tls.facts != NULL else 0)
