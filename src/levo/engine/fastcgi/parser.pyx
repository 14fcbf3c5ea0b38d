"""FastCGI 1.0: a web server (nginx, Apache) hands HTTP requests to an application (PHP-FPM) in records.

A request is BEGIN_REQUEST, then PARAMS and STDIN, each up to an empty record; its response is STDOUT up to an empty
record, and END_REQUEST. Requests have identifiers; several may be under way on one connection. States of a direction::

    HEADER -> CONTENT -> PADDING -> HEADER
    any of them -> LOST             a hole that goes beyond the content of a record
    LOST -> HEADER                  a segment that begins with a record that begins a request, or that is of one

A hole inside of STDIN or STDOUT is counted as missing content; any other ends the requests it may have hit.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from levo.engine.core.memory cimport buffer_append, buffer_free, collect, give_back, take
from levo.engine.core.network_order cimport be16
from levo.engine.core.state cimport Connection, EngineState
from levo.engine.core.types cimport (
    ANOMALY_HEAD_CUT,
    BODY_FRAMES,
    COMPLETE,
    EVICTED,
    NO_RESPONSE,
    PROTOCOL_FASTCGI,
    REQUEST_CUT,
    REQUEST_GAP,
    RESPONSE_CUT,
    RESPONSE_GAP,
    STILL_OPEN,
    Buffer,
    Exchange,
    Message,
)
from levo.engine.exchange.pairing cimport begin_exchange, finish_exchange
from levo.engine.exchange.sampling cimport sample_request, sample_response
from levo.engine.fastcgi.message cimport head_length, names_request, read_cgi_head, read_parameters
from levo.engine.proto.layers cimport doubt, forget_state, learn_client, speak, state_of
from levo.engine.proto.protocol cimport ENDED_GIVEN_UP, LOOKS_NO, LOOKS_REQUEST, Protocol

cdef enum:
    MOST_REQUESTS = 32          # under way on one connection; web servers send one at a time
    HEADER_LENGTH = 8
    BEGIN_LENGTH = 16           # a header and the content of BEGIN_REQUEST


cdef int64_t LAST_OFFSET = 0x7FFFFFFFFFFFFFFF


cdef enum RecordType:
    BEGIN_REQUEST = 1
    END_REQUEST = 3
    PARAMS = 4
    STDIN = 5
    STDOUT = 6
    STDERR = 7
    LAST_TYPE = 11


ctypedef struct Side:
    uint8_t header[8]
    uint8_t have
    uint8_t type                # of the record under way
    uint8_t lost
    uint32_t id
    uint32_t content            # octets left of it
    uint32_t padding


ctypedef struct Request:
    Exchange* exchange
    Buffer head                 # parameters, then the head of the response
    int64_t start_ns
    int64_t start_offset
    int64_t start_ack           # how far its client had received responses then; -1 unknown
    uint32_t id                 # 0: free
    uint8_t asked               # all parameters were read, or as many as there will be
    uint8_t answered            # the head of the response was read


ctypedef struct FastCgi:
    Side sides[2]
    Request requests[32]        # MOST_REQUESTS
    uint8_t believed            # a record was read that nothing else looks like


# What begins a connection, or a request.

cdef bint begins_request(const uint8_t* data, uint32_t length) noexcept nogil:
    """Whether the octets, of which 16 are looked at, are those of BEGIN_REQUEST."""
    cdef uint32_t i
    for i in range(length if length < BEGIN_LENGTH else BEGIN_LENGTH):
        if i < 2:                                 # version and type
            if data[i] != 1:
                return False
        elif i == 5:
            if data[i] != 8:
                return False
        elif i == 9:
            if not 1 <= data[i] <= 3:             # role
                return False
        elif i == 10:
            if data[i] > 1:                       # whether the connection stays open
                return False
        elif i == 4 or i > 6:
            if data[i]:
                return False
    return length < 4 or be16(data + 2) != 0


cdef int looks(const Connection* conn, int direction, const uint8_t* data, uint32_t length) noexcept nogil:
    if not begins_request(data, length) or conn.client == 1 - direction:
        return LOOKS_NO
    if length < BEGIN_LENGTH and (
        conn.mid_stream or conn.streams[direction].offset or conn.layers[conn.top].unrecognized
    ):
        return LOOKS_NO
    return LOOKS_REQUEST


cdef bint begin(
    EngineState* state, Connection* conn, int direction, int looks, uint32_t consumed, int64_t time_ns
) noexcept nogil:
    cdef FastCgi* fcgi = <FastCgi*>take(&state.budget, sizeof(FastCgi))
    if fcgi == NULL:
        return False
    memset(fcgi, 0, sizeof(FastCgi))
    fcgi.sides[1 - direction].lost = conn.mid_stream
    learn_client(conn, direction)
    speak(conn, PROTOCOL_FASTCGI, fcgi)
    return True


# Requests.

cdef Request* find_request(FastCgi* fcgi, uint32_t id, bint newest) noexcept nogil:
    """The request of that identifier; with 0, a free place. While a hole in the responses is waited for, the client
    may go on: then the *newest* of several is the one it is sending, and the oldest is answered next."""
    cdef Request* found = NULL
    cdef int i
    for i in range(MOST_REQUESTS):
        if fcgi.requests[i].id == id and (
            found == NULL or (fcgi.requests[i].start_offset > found.start_offset) == newest
        ):
            found = &fcgi.requests[i]
    return found


cdef void close_request(
    EngineState* state, Connection* conn, FastCgi* fcgi, Request* request, int reason
) noexcept nogil:
    """Report *request*, or what is known of it; *reason* says why it is not whole, unless something else was."""
    cdef Exchange* exchange = request.exchange
    if request.asked == 0:
        take_request(state, conn, fcgi, request, True)
        exchange = request.exchange
    elif request.answered == 0 and exchange != NULL and request.head.length:
        take_response(state, request, True)
    buffer_free(&state.budget, &request.head)
    request.id = 0
    if exchange == NULL:
        return
    if reason == COMPLETE and not exchange.response.present:
        reason = NO_RESPONSE
    exchange.request.complete = 1
    exchange.response.complete = exchange.response.present
    finish_exchange(state, conn, exchange, reason)


cdef void open_request(
    EngineState* state, Connection* conn, FastCgi* fcgi, uint32_t id, int64_t time_ns, int64_t offset, int64_t ack
) noexcept nogil:
    cdef Request* request = find_request(fcgi, 0, False)
    if request == NULL:                           # a bound: the next to come is not read
        state.stats.heads_rejected += 1
        return
    memset(request, 0, sizeof(Request))
    request.id = id
    request.start_ns = time_ns
    request.start_offset = offset
    request.start_ack = ack


cdef void take_request(
    EngineState* state, Connection* conn, FastCgi* fcgi, Request* request, bint cut
) noexcept nogil:
    """Its parameters were read: begin the exchange. *cut*: those that are whole."""
    cdef Exchange* exchange
    request.asked = 1
    if cut:
        state.stats.heads_incomplete += 1
    if not names_request(request.head.data, request.head.length):
        state.stats.heads_rejected += 1
        buffer_free(&state.budget, &request.head)
        return
    exchange = begin_exchange(state, conn)
    if exchange != NULL:
        read_parameters(&state.budget, exchange, request.head.data, request.head.length)
    buffer_free(&state.budget, &request.head)
    if exchange == NULL:
        return
    state.stats.requests_seen += 1
    request.exchange = exchange
    exchange.request.body_framing = BODY_FRAMES
    exchange.request.start_ns = request.start_ns
    exchange.request.head_ns = exchange.request.end_ns = request.start_ns
    exchange.request.stream_start = request.start_offset
    if cut:
        exchange.request.anomalies |= ANOMALY_HEAD_CUT
    sample_request(state, exchange)


cdef void take_response(EngineState* state, Request* request, bint cut) noexcept nogil:
    """The head of its response was read. *cut*: without its end."""
    cdef Exchange* exchange = request.exchange
    request.answered = 1
    if not read_cgi_head(&state.budget, exchange, request.head.data, request.head.length):
        return
    state.stats.responses_seen += 1
    if cut:
        state.stats.heads_incomplete += 1
        exchange.response.anomalies |= ANOMALY_HEAD_CUT
    exchange.response.body_framing = BODY_FRAMES
    sample_response(state, exchange)


# Content of records.

cdef void keep_body(
    EngineState* state, const Exchange* exchange, Message* message, const uint8_t* data, uint32_t length,
    int64_t time_ns,
) noexcept nogil:
    cdef uint32_t room = state.settings.max_message_bytes - message.body.length
    message.wire_body_size += length
    message.end_ns = time_ns
    if message.truncated or not exchange.sampled or not state.settings.keep_bodies:
        return
    if length > room:
        length = room
        message.truncated = 1
    if not buffer_append(&state.budget, &message.body, data, length):
        message.truncated = 1
    state.stats.bodies_truncated += message.truncated


cdef void take_head(
    EngineState* state, Connection* conn, FastCgi* fcgi, Request* request, const uint8_t* data, uint32_t length
) noexcept nogil:
    """More parameters, or more of a response's head, of which a bound is kept."""
    cdef uint32_t room = state.settings.max_head_bytes - request.head.length
    if not buffer_append(&state.budget, &request.head, data, length if length < room else room) or length > room:
        state.stats.heads_rejected += 1
        if not request.asked:
            take_request(state, conn, fcgi, request, True)
        else:
            take_response(state, request, True)


cdef void take_output(
    EngineState* state, Connection* conn, FastCgi* fcgi, Request* request,
    const uint8_t* data, uint32_t length, int64_t time_ns,
) noexcept nogil:
    """Of STDOUT: a head, and content after it."""
    cdef Exchange* exchange = request.exchange
    cdef uint32_t before = request.head.length, end = 0
    if exchange == NULL:
        return
    if not request.answered:
        if before == 0:
            exchange.response.start_ns = exchange.response.head_ns = time_ns
        take_head(state, conn, fcgi, request, data, length)
        if not request.answered:
            end = head_length(request.head.data, request.head.length)
            exchange.response.head_ns = exchange.response.end_ns = time_ns
            if end == 0:
                return
            end -= before
            request.head.length = before + end
            take_response(state, request, False)
            buffer_free(&state.budget, &request.head)
        else:
            return
    if end < length:
        keep_body(state, exchange, &exchange.response, data + end, length - end, time_ns)


cdef void take_content(
    EngineState* state, Connection* conn, FastCgi* fcgi, int direction,
    const uint8_t* data, uint32_t length, int64_t time_ns,
) noexcept nogil:
    """Octets of the record under way."""
    cdef Side* side = &fcgi.sides[direction]
    cdef Request* request
    if side.id == 0 or length == 0:
        return
    request = find_request(fcgi, side.id, direction == conn.client)
    if request == NULL:
        return
    if direction == conn.client:
        if side.type == PARAMS and not request.asked:
            take_head(state, conn, fcgi, request, data, length)
        elif side.type == STDIN and request.exchange != NULL:
            keep_body(state, request.exchange, &request.exchange.request, data, length, time_ns)
    elif side.type == STDOUT:
        take_output(state, conn, fcgi, request, data, length, time_ns)


cdef void begin_record(
    EngineState* state, Connection* conn, FastCgi* fcgi, int direction, int64_t time_ns, int64_t offset, int64_t ack
) noexcept nogil:
    """A header was read; an empty record ends a stream."""
    cdef Side* side = &fcgi.sides[direction]
    cdef Request* request
    side.type = side.header[1]
    side.id = be16(side.header + 2)
    side.content = be16(side.header + 4)
    side.padding = side.header[6]
    if side.type == BEGIN_REQUEST and direction == conn.client and side.id:
        open_request(state, conn, fcgi, side.id, time_ns, offset, ack)
        return
    request = find_request(fcgi, side.id, True) if side.id and direction == conn.client else NULL
    if request == NULL or side.content:
        return
    if side.type == PARAMS and not request.asked:
        take_request(state, conn, fcgi, request, False)
    elif side.type == STDIN and request.exchange != NULL:
        request.exchange.request.complete = 1
        request.exchange.request.stream_end = offset + HEADER_LENGTH


cdef void end_record(
    EngineState* state, Connection* conn, FastCgi* fcgi, int direction, int64_t time_ns, int64_t offset
) noexcept nogil:
    cdef Side* side = &fcgi.sides[direction]
    cdef Request* request
    side.have = 0
    if side.type != END_REQUEST or direction == conn.client or side.id == 0:
        return
    request = find_request(fcgi, side.id, False)
    if request == NULL:
        return
    if request.exchange != NULL:
        request.exchange.response.stream_end = offset
        request.exchange.response.end_ns = time_ns
    close_request(state, conn, fcgi, request, COMPLETE)


# The functions of the row.

cdef bint resumes(const Connection* conn, FastCgi* fcgi, int direction, const uint8_t* data, uint32_t length) noexcept nogil:  # no-cython-lint
    """Whether a segment of a lost direction begins with a record: one that begins a request, or is of an open one."""
    if direction == conn.client:
        return length >= BEGIN_LENGTH and begins_request(data, length)
    if length < HEADER_LENGTH or data[0] != 1 or data[7] or not END_REQUEST <= data[1] <= STDERR:
        return False
    return be16(data + 2) != 0 and find_request(fcgi, be16(data + 2), False) != NULL


cdef bint is_header(const Side* side, bint believed) noexcept nogil:
    return side.header[0] == 1 and 1 <= side.header[1] <= LAST_TYPE and (
        believed or begins_request(side.header, HEADER_LENGTH)
    )


cdef uint32_t fastcgi_data(
    EngineState* state, Connection* conn, int direction,
    const uint8_t* data, uint32_t length, int64_t time_ns, int64_t ack,
) noexcept nogil:
    cdef FastCgi* fcgi = <FastCgi*>state_of(conn, PROTOCOL_FASTCGI)
    cdef Side* side
    cdef uint32_t at = 0, mine
    cdef int64_t base = conn.streams[direction].offset
    if fcgi == NULL:
        return length
    side = &fcgi.sides[direction]
    if side.lost and resumes(conn, fcgi, direction, data, length):
        memset(side, 0, sizeof(Side))
    while at < length and not side.lost:
        if side.have < HEADER_LENGTH:
            at += collect(side.header, &side.have, HEADER_LENGTH, data + at, length - at)
            if side.have < HEADER_LENGTH:
                break
            if not is_header(side, fcgi.believed or direction != conn.client):
                if not fcgi.believed and direction == conn.client:
                    forget(state, conn, fcgi)
                    doubt(conn, at)
                    return at
                if direction == conn.client:
                    lose_requests(state, conn, fcgi, REQUEST_CUT)
                else:
                    lose_responses(state, conn, fcgi, base + at, RESPONSE_CUT)
                break
            fcgi.believed = 1
            begin_record(state, conn, fcgi, direction, time_ns, base + at - HEADER_LENGTH, ack)
        mine = side.content if side.content < length - at else length - at
        take_content(state, conn, fcgi, direction, data + at, mine, time_ns)
        side.content -= mine
        at += mine
        if side.content:
            break
        mine = side.padding if side.padding < length - at else length - at
        side.padding -= mine
        at += mine
        if side.padding == 0:
            end_record(state, conn, fcgi, direction, time_ns, base + at)
    if at < length:
        state.stats.payload_bytes_skipped += length - at
        state.stats.payload_bytes_parsed -= length - at
    return length


cdef void lose_requests(EngineState* state, Connection* conn, FastCgi* fcgi, int reason) noexcept nogil:
    """Nobody knows where the client's next record begins: requests that are not whole wait for their responses."""
    cdef Request* request
    cdef int i
    fcgi.sides[conn.client].lost = 1
    for i in range(MOST_REQUESTS):
        request = &fcgi.requests[i]
        if request.id == 0:
            continue
        if not request.asked:
            take_request(state, conn, fcgi, request, True)
        if request.exchange != NULL and not request.exchange.request.complete and (
            request.exchange.incomplete == COMPLETE
        ):
            request.exchange.incomplete = <uint8_t>reason


cdef void lose_responses(
    EngineState* state, Connection* conn, FastCgi* fcgi, int64_t resumes, int reason
) noexcept nogil:
    """Nobody knows where the server's next record, at *resumes* or later, begins: responses under way are over.

    A request that its client began after it had received what is missing is not one of them.
    """
    cdef int i
    fcgi.sides[1 - conn.client].lost = 1
    for i in range(MOST_REQUESTS):
        if fcgi.requests[i].id and fcgi.requests[i].start_ack < resumes:
            close_request(state, conn, fcgi, &fcgi.requests[i], reason)


cdef void fastcgi_gap(
    EngineState* state, Connection* conn, int direction, uint64_t size, int64_t time_ns
) noexcept nogil:
    cdef FastCgi* fcgi = <FastCgi*>state_of(conn, PROTOCOL_FASTCGI)
    cdef Side* side
    cdef Request* request = NULL
    cdef Message* message = NULL
    if fcgi == NULL:
        return
    side = &fcgi.sides[direction]
    if side.have == HEADER_LENGTH and size < side.content and side.id:
        request = find_request(fcgi, side.id, direction == conn.client)
        if request != NULL and request.exchange != NULL:
            if side.type == STDIN and direction == conn.client:
                message = &request.exchange.request
            elif side.type == STDOUT and direction != conn.client and request.answered:
                message = &request.exchange.response
    if message == NULL:
        if direction == conn.client:
            lose_requests(state, conn, fcgi, REQUEST_GAP)
        else:
            lose_responses(state, conn, fcgi, conn.streams[direction].offset + <int64_t>size, RESPONSE_GAP)
        return
    if message.missing_bytes == 0:
        message.body_gap_at = message.body.length
    message.missing_bytes += size
    message.wire_body_size += size
    side.content -= <uint32_t>size


cdef void fastcgi_end(
    EngineState* state, Connection* conn, int direction, int64_t time_ns, int how
) noexcept nogil:
    """A server that closes without END_REQUEST has ended its responses."""
    cdef FastCgi* fcgi = <FastCgi*>state_of(conn, PROTOCOL_FASTCGI)
    if fcgi != NULL and direction != conn.client:
        lose_responses(state, conn, fcgi, LAST_OFFSET, STILL_OPEN if how == ENDED_GIVEN_UP else RESPONSE_CUT)


cdef void forget(EngineState* state, Connection* conn, FastCgi* fcgi) noexcept nogil:
    forget_state(conn, PROTOCOL_FASTCGI)
    give_back(&state.budget, fcgi, sizeof(FastCgi))


cdef void fastcgi_close(EngineState* state, Connection* conn, int64_t time_ns, int how) noexcept nogil:
    cdef FastCgi* fcgi = <FastCgi*>state_of(conn, PROTOCOL_FASTCGI)
    if fcgi == NULL:
        return
    lose_responses(state, conn, fcgi, LAST_OFFSET, STILL_OPEN if how == ENDED_GIVEN_UP else RESPONSE_CUT)
    forget(state, conn, fcgi)


cdef void fastcgi_abandon(EngineState* state, Connection* conn) noexcept nogil:
    """Give everything up, for memory."""
    cdef FastCgi* fcgi = <FastCgi*>state_of(conn, PROTOCOL_FASTCGI)
    cdef int i
    if fcgi == NULL:
        return
    for i in range(MOST_REQUESTS):
        if fcgi.requests[i].id:
            close_request(state, conn, fcgi, &fcgi.requests[i], EVICTED)
    forget(state, conn, fcgi)


cdef int64_t fastcgi_footprint(const Connection* conn) noexcept nogil:
    cdef const FastCgi* fcgi = <const FastCgi*>state_of(conn, PROTOCOL_FASTCGI)
    cdef const Exchange* exchange
    cdef int64_t total = sizeof(FastCgi)
    cdef int i
    if fcgi == NULL:
        return 0
    for i in range(MOST_REQUESTS):
        if fcgi.requests[i].id == 0:
            continue
        total += fcgi.requests[i].head.capacity
        exchange = fcgi.requests[i].exchange
        if exchange != NULL:
            total += sizeof(Exchange) + exchange.request.head.allocated + exchange.response.head.allocated
            total += exchange.request.body.capacity + exchange.response.body.capacity
    return total


cdef Protocol row
row.number = PROTOCOL_FASTCGI
row.parses = 1
row.joins = 1
row.looks = looks
row.begin = begin
row.data = fastcgi_data
row.gap = fastcgi_gap
row.end = fastcgi_end
row.close = fastcgi_close
row.footprint = fastcgi_footprint
row.abandon = fastcgi_abandon


cdef const Protocol* fastcgi_protocol() noexcept nogil:
    """The row of FastCGI in the table of protocols."""
    return &row
