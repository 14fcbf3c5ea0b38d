"""HTTP/2 streams to exchanges (RFC 9113 section 8), and the messages of gRPC inside them.

A stream is one exchange: request and response pair by its identifier, never by order. Each side of it ends by
itself; when both have, or the stream is reset, the exchange is finished.

What a loss means: a hole inside the payload of a DATA frame is counted as missing octets of its message. A hole
that hid frame boundaries may have hit any stream whose side was still open; each is *suspect* until its
``content-length`` proves that nothing is missing, or its head arrives behind the hole. A suspect message that ends
unproven is reported as hit (``request_gap``, ``response_gap``) with the octets before the hole only: behind it the
place of an octet is not known. Fields whose HPACK entries were lost are left out (``mid_stream``).

gRPC: a message is a flag octet (compressed or not), four octets of length, and that many octets. Bodies keep these
prefixes, so message boundaries survive; the counters of the exchange come from reading them as they pass.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from levo.engine.core.exchange cimport is_status, section_allocate, section_find, section_text
from levo.engine.http2.hpack cimport hpack_footprint, hpack_free, hpack_init
from levo.engine.proto.layers cimport forget_state, learn_client, look_again, speak, state_of, watch_stream
from levo.engine.proto.protocol cimport ENDED_GIVEN_UP
from levo.engine.core.memory cimport buffer_append, buffer_free, clear, give_back, section_free, take
from levo.engine.core.output cimport Text, equals_lower
from levo.engine.exchange.pairing cimport begin_exchange, drop_exchange, finish_exchange
from levo.engine.exchange.sampling cimport sample_request, sample_response
from levo.engine.core.types cimport (
    BODY_FRAMES,
    BODY_NONE,
    COMPLETE,
    DROP_EVICTED,
    EVICTED,
    ANOMALY_BAD_STATUS,
    ANOMALY_HEAD_CUT,
    GRPC_ASKED_COMPRESSED,
    GRPC_CALL,
    GRPC_CLIENT_STREAMS,
    MID_STREAM,
    NO_REQUEST,
    NO_RESPONSE,
    PROTOCOL_HTTP2,
    REQUEST_CUT,
    REQUEST_GAP,
    RESET_STREAM,
    RESPONSE_CUT,
    RESPONSE_GAP,
    STILL_OPEN,
    Field,
    Message,
    Section,
)

cdef enum:
    OVERTAKEN = 1024            # a suspect stream this far behind the newest identifier is over
    PSEUDO_METHOD = 1
    PSEUDO_PATH = 2
    PSEUDO_SCHEME = 4
    PSEUDO_AUTHORITY = 8
    PSEUDO_STATUS = 16


cdef Http2* http2_new(EngineState* state, Connection* conn) noexcept nogil:
    """State for *conn*, without any stream; NULL when memory is refused. Both tables start exact."""
    cdef Http2* h2 = <Http2*>take(&state.budget, sizeof(Http2))
    cdef int side
    if h2 == NULL:
        return NULL
    memset(h2, 0, sizeof(Http2))
    for side in range(2):
        hpack_init(&h2.sides[side].hpack, True)
        h2.ended |= <unsigned char>(conn.streams[side].ended << side)
        h2.sides[side].max_frame = 16384
    speak(conn, PROTOCOL_HTTP2, h2)
    return h2


cdef void http2_free(EngineState* state, Connection* conn) noexcept nogil:
    """Free the state of *conn*; its streams have been finished or dropped."""
    cdef Http2* h2 = <Http2*>state_of(conn, PROTOCOL_HTTP2)
    cdef int side
    if h2 == NULL:
        return
    for side in range(2):
        hpack_free(&state.budget, &h2.sides[side].hpack)
        buffer_free(&state.budget, &h2.sides[side].partial)
        buffer_free(&state.budget, &h2.sides[side].block)
    give_back(&state.budget, h2, sizeof(Http2))
    forget_state(conn, PROTOCOL_HTTP2)


cdef int64_t http2_footprint(const Connection* conn) noexcept nogil:
    """Octets of the budget that streams, tables and buffers of *conn* hold."""
    cdef const Http2* h2 = <const Http2*>state_of(conn, PROTOCOL_HTTP2)
    cdef const Http2Stream* stream
    cdef int side
    cdef int64_t total = sizeof(Http2)
    if h2 == NULL:
        return 0
    for side in range(2):
        total += hpack_footprint(&h2.sides[side].hpack)
        total += h2.sides[side].partial.capacity + h2.sides[side].block.capacity
    stream = h2.oldest
    while stream != NULL:
        total += <int64_t>(sizeof(Http2Stream) + sizeof(stream.exchange[0]))
        total += stream.exchange.request.head.allocated + stream.exchange.request.body.capacity
        total += stream.exchange.response.head.allocated + stream.exchange.response.body.capacity
        stream = stream.newer
    return total


# The table of streams.

cdef inline uint32_t bucket(uint32_t id) noexcept nogil:
    return (id >> 1) & (STREAM_BUCKETS - 1)


cdef Http2Stream* find_stream(const Http2* h2, uint32_t id) noexcept nogil:
    cdef Http2Stream* stream = h2.buckets[bucket(id)]
    while stream != NULL and stream.id != id:
        stream = stream.hash_next
    return stream


cdef Http2Stream* adopt_stream(
    EngineState* state, Connection* conn, Exchange* exchange, uint32_t id
) noexcept nogil:
    """A new stream for *exchange*, which belongs to it from now on. NULL when memory is refused."""
    cdef Http2* h2 = <Http2*>state_of(conn, PROTOCOL_HTTP2)
    cdef Http2Stream* stream = <Http2Stream*>take(&state.budget, sizeof(Http2Stream))
    if stream == NULL:
        return NULL
    clear(stream, sizeof(Http2Stream))
    stream.id = id
    stream.exchange = exchange
    stream.parts[0].content_length = stream.parts[1].content_length = -1
    exchange.stream_id = id
    exchange.protocol = PROTOCOL_HTTP2
    stream.hash_next = h2.buckets[bucket(id)]
    h2.buckets[bucket(id)] = stream
    stream.older = h2.newest
    if h2.newest != NULL:
        h2.newest.newer = stream
    else:
        h2.oldest = stream
    h2.newest = stream
    h2.stream_count += 1
    return stream


cdef Http2Stream* open_stream(EngineState* state, Connection* conn, uint32_t id, int64_t time_ns) noexcept nogil:
    cdef Http2* h2 = <Http2*>state_of(conn, PROTOCOL_HTTP2)
    cdef Exchange* exchange
    cdef Http2Stream* stream
    while h2.oldest != NULL:
        stream = h2.oldest
        if h2.stream_count >= state.settings.max_pending:
            # A bound with a reason, as for pipelined requests.
            finish_stream(state, conn, stream, STILL_OPEN if stream.exchange.response.present else NO_RESPONSE)
        elif is_overdue(state, h2, stream, time_ns):
            finish_stream(state, conn, stream, COMPLETE)
        else:
            break
    exchange = begin_exchange(state, conn)
    if exchange == NULL:
        return NULL
    stream = adopt_stream(state, conn, exchange, id)
    if stream == NULL:
        drop_exchange(state, conn, exchange, DROP_EVICTED)
    return stream


cdef bint is_overdue(
    const EngineState* state, const Http2* h2, const Http2Stream* stream, int64_t time_ns
) noexcept nogil:
    # Its end was probably in the hole: nothing has come since, or many newer streams have.
    cdef const Http2Part* part
    cdef int k
    for k in range(2):
        part = &stream.parts[k]
        if part.suspect_ns and not part.ended and (
            state.elapsed_ns - part.suspect_ns >= state.settings.stream_timeout_ns
            or (h2.last_stream > stream.id + OVERTAKEN and not stream.id & 1 == 0)
        ):
            return True
    return False


cdef void remove_stream(EngineState* state, Connection* conn, Http2Stream* stream) noexcept nogil:
    cdef Http2* h2 = <Http2*>state_of(conn, PROTOCOL_HTTP2)
    cdef Http2Stream** at = &h2.buckets[bucket(stream.id)]
    while at[0] != stream:
        at = &at[0].hash_next
    at[0] = stream.hash_next
    if stream.older != NULL:
        stream.older.newer = stream.newer
    else:
        h2.oldest = stream.newer
    if stream.newer != NULL:
        stream.newer.older = stream.older
    else:
        h2.newest = stream.older
    h2.stream_count -= 1
    # Frames may still be under way for it; they must not look like a response to a lost request.
    h2.reset[h2.reset_at & (RESET_RING - 1)] = stream.id
    h2.reset_at += 1
    give_back(&state.budget, stream, sizeof(Http2Stream))


cdef bint was_removed(const Http2* h2, uint32_t id) noexcept nogil:
    cdef int i
    for i in range(RESET_RING):
        if h2.reset[i] == id:
            return True
    return False


cdef void settle_part(EngineState* state, Http2Stream* stream, int k) noexcept nogil:
    """The side is over: was it hit by the loss it was suspected of?"""
    cdef Http2Part* part = &stream.parts[k]
    cdef Message* message = &stream.exchange.request if k == OF_REQUEST else &stream.exchange.response
    cdef uint64_t expected = <uint64_t>part.content_length
    if not message.present:
        return
    if part.suspect_ns == 0:
        return
    part.suspect_ns = 0
    if part.content_length >= 0:
        if message.wire_body_size == expected:
            part.ended = 1
            message.complete = 1
            return
        if message.wire_body_size < expected:
            message.missing_bytes += expected - message.wire_body_size
            message.wire_body_size = expected
    if stream.exchange.incomplete == COMPLETE or stream.exchange.incomplete == MID_STREAM:
        stream.exchange.incomplete = REQUEST_GAP if k == OF_REQUEST else RESPONSE_GAP
    if message.body.length > part.kept:
        message.body.length = part.kept
        message.truncated = 1
    part.grpc.broken = 1


cdef void finish_stream(EngineState* state, Connection* conn, Http2Stream* stream, int reason) noexcept nogil:
    """Report the exchange of *stream*; *reason* says why it is not whole, unless it already knows better."""
    cdef Exchange* exchange = stream.exchange
    cdef Message* message
    cdef int k
    if stream.doubtful:
        section_free(&state.budget, &exchange.response.head)
        exchange.response.present = 0             # nothing is known of it, not even that it was final
    for k in range(2):
        settle_part(state, stream, k)
        message = &exchange.request if k == OF_REQUEST else &exchange.response
        if exchange.grpc and message.present:
            message.data_messages = stream.parts[k].grpc.messages
            message.data_message_bytes = stream.parts[k].grpc.octets
            if stream.parts[k].grpc.messages > 1:
                exchange.grpc |= <uint8_t>(GRPC_CLIENT_STREAMS << k)
            if stream.parts[k].grpc.compressed:
                exchange.grpc |= <uint8_t>(GRPC_ASKED_COMPRESSED << k)
    remove_stream(state, conn, stream)
    if not exchange.request.present and exchange.incomplete == COMPLETE:
        exchange.incomplete = NO_REQUEST
    if not exchange.response.present and reason == COMPLETE:
        reason = RESPONSE_GAP
    finish_exchange(state, conn, exchange, reason)


cdef void finish_if_over(EngineState* state, Connection* conn, Http2Stream* stream) noexcept nogil:
    if not stream.parts[OF_RESPONSE].ended:
        return
    if stream.parts[OF_REQUEST].ended or not stream.exchange.request.present or (
        stream.parts[OF_REQUEST].suspect_ns
    ):
        finish_stream(state, conn, stream, COMPLETE)


# Header sections.

cdef uint8_t pseudo_of(const uint8_t* name, uint32_t length) noexcept nogil:
    """Which pseudo-header field *name*, which begins with a colon, is (RFC 9113 section 8.3); 0: an unknown one."""
    if length == 7:
        if memcmp(name, b":method", 7) == 0:
            return PSEUDO_METHOD
        if memcmp(name, b":scheme", 7) == 0:
            return PSEUDO_SCHEME
        if memcmp(name, b":status", 7) == 0:
            return PSEUDO_STATUS
    elif length == 5:
        if memcmp(name, b":path", 5) == 0:
            return PSEUDO_PATH
    elif length == 10:
        if memcmp(name, b":authority", 10) == 0:
            return PSEUDO_AUTHORITY
    return 0


cdef uint8_t pseudo_fields(const HeaderList* fields) noexcept nogil:
    cdef uint8_t found = 0
    cdef uint32_t i
    for i in range(fields.count):
        if fields.fields[i].name.length and fields.text[fields.fields[i].name.at] == c":":
            found |= pseudo_of(fields.text + fields.fields[i].name.at, fields.fields[i].name.length)
    return found


cdef bint store_section(
    EngineState* state, Section* section, const HeaderList* fields, Message* message
) noexcept nogil:
    """Make a section of the list; with *message*, pseudo-header fields become its spans. False: no memory."""
    cdef uint32_t i, kept = 0
    cdef uint8_t pseudo
    cdef const Field* field
    cdef Section made
    memset(&made, 0, sizeof(Section))
    if not section_allocate(&state.budget, &made, fields.length, fields.count):
        return False
    memcpy(made.text, fields.text, fields.length)
    for i in range(fields.count):
        field = &fields.fields[i]
        if message != NULL and field.name.length and made.text[field.name.at] == c":":
            pseudo = pseudo_of(made.text + field.name.at, field.name.length)
            if pseudo == PSEUDO_METHOD:
                message.method = field.value
            elif pseudo == PSEUDO_PATH:
                message.target = field.value
            elif pseudo == PSEUDO_SCHEME:
                message.scheme = field.value
            elif pseudo == PSEUDO_AUTHORITY:
                message.authority = field.value
            elif pseudo == PSEUDO_STATUS:
                message.status = status_of(made.text + field.value.at, field.value.length)
                if not message.status:
                    message.reason = field.value              # what stands there instead, as in HTTP/1
            if pseudo:
                continue
        elif message == NULL and field.name.length and made.text[field.name.at] == c":":
            continue                              # none in trailers (RFC 9113 section 8.1)
        made.fields[kept] = field[0]
        kept += 1
    made.field_count = kept
    section[0] = made
    return True


cdef uint16_t status_of(const uint8_t* text, uint32_t length) noexcept nogil:
    cdef uint32_t i
    cdef uint16_t status = 0
    if length != 3:
        return 0
    for i in range(3):
        if not c"0" <= text[i] <= c"9":
            return 0
        status = status * 10 + text[i] - c"0"
    return status if is_status(status) else 0


cdef int64_t content_length(const Section* head) noexcept nogil:
    """The value of a Content-Length field, -1 without one, or when it is none."""
    cdef Field* field = section_find(head, b"content-length", 14)
    cdef Text text
    cdef int64_t number = 0
    cdef uint32_t i
    if field == NULL:
        return -1
    text = section_text(head, field.value)
    if not 1 <= text.length <= 17:
        return -1
    for i in range(text.length):
        if not c"0" <= text.data[i] <= c"9":
            return -1
        number = number * 10 + text.data[i] - c"0"
    return number


cdef bint says(const Section* head, const char* content_type, uint32_t length) noexcept nogil:
    """Whether Content-Type begins with *content_type*: gRPC's may go on with ``+`` and a message format."""
    cdef Field* field = section_find(head, b"content-type", 12)
    cdef Text text
    if field == NULL:
        return False
    text = section_text(head, field.value)
    return text.length >= length and equals_lower(text.data, <const uint8_t*>content_type, length)


cdef void fill_head(
    EngineState* state, Connection* conn, int direction, Message* message, Http2Stream* stream, int k,
    const HeaderList* fields, bint ends, int64_t time_ns
) noexcept nogil:
    cdef Http2* h2 = <Http2*>state_of(conn, PROTOCOL_HTTP2)
    cdef Http2Side* side = &h2.sides[direction]
    cdef Exchange* exchange = stream.exchange
    if not store_section(state, &message.head, fields, message):
        if exchange.incomplete == COMPLETE:
            exchange.incomplete = MID_STREAM
        message.truncated = 1
    message.present = 1
    message.version_major = 2
    message.version_minor = 0
    message.start_ns = side.start_ns
    message.head_ns = time_ns
    message.end_ns = time_ns
    message.stream_start = side.start_offset
    message.peer_ack = side.start_ack
    message.body_framing = BODY_NONE if ends else BODY_FRAMES
    stream.parts[k].content_length = content_length(&message.head)
    stream.parts[k].suspect_ns = 0
    if fields.cut:
        message.anomalies |= ANOMALY_HEAD_CUT
    note_unknown(exchange, fields)
    if not exchange.grpc and says(&message.head, b"application/grpc", 16):
        exchange.grpc = GRPC_CALL
    if not ends and stream.lasting_ns == 0 and (
        exchange.grpc or k == OF_RESPONSE and says(&message.head, b"text/event-stream", 17)
    ):
        stream.lasting_ns = state.elapsed_ns
        if conn.streaming_ns == 0:
            watch_stream(conn, stream.lasting_ns)
        look_again(conn)


cdef inline void note_unknown(Exchange* exchange, const HeaderList* fields) noexcept nogil:
    if exchange.incomplete == COMPLETE and fields.cut:
        exchange.incomplete = fields.cut
    elif exchange.incomplete == COMPLETE and (fields.unknown or fields.overflow):
        exchange.incomplete = MID_STREAM


cdef bint take_cut_section(
    EngineState* state, Connection* conn, int direction, uint32_t id, HeaderList* fields, bint ends,
    bint pushed, int64_t time_ns, int64_t end_offset,
) noexcept nogil:
    """The same for the beginning of a section. False when that says neither what is asked for nor a status."""
    cdef Http2* h2 = <Http2*>state_of(conn, PROTOCOL_HTTP2)
    cdef uint8_t pseudo = pseudo_fields(fields)
    h2.lost = 1
    if pseudo & ~PSEUDO_STATUS and (pseudo & (PSEUDO_METHOD | PSEUDO_PATH)) != PSEUDO_METHOD | PSEUDO_PATH:
        return False
    if pseudo == 0 and (fields.count == 0 or fields.first_unknown):
        return False
    return take_section(state, conn, direction, id, fields, ends, pushed, time_ns, end_offset)


cdef bint take_section(
    EngineState* state, Connection* conn, int direction, uint32_t id, HeaderList* fields, bint ends,
    bint pushed, int64_t time_ns, int64_t end_offset,
) noexcept nogil:
    """A whole header section on stream *id*: a head or trailers. False when it can be neither (framing is wrong)."""
    cdef Http2* h2 = <Http2*>state_of(conn, PROTOCOL_HTTP2)
    cdef uint8_t pseudo = pseudo_fields(fields)
    if pseudo & PSEUDO_STATUS and pseudo & ~PSEUDO_STATUS:
        return False
    if conn.client < 0:
        if pseudo == 0:
            return True                           # learned for its table; whose it is shows later
        learn_client(conn, 1 - direction if pseudo & PSEUDO_STATUS or pushed else direction)
    if pseudo:
        if (pseudo & PSEUDO_STATUS == 0) != (direction == conn.client or pushed):
            if h2.proven:
                return False
            learn_client(conn, 1 - conn.client)
        h2.proven = 1
    if direction == conn.client or pushed:
        take_request(state, conn, direction, id, fields, pseudo, ends, pushed, time_ns)
    else:
        take_response(state, conn, direction, id, fields, pseudo, ends, time_ns)
    if ends:
        end_part(state, conn, direction, id, time_ns, end_offset)
    return True


cdef void take_request(
    EngineState* state, Connection* conn, int direction, uint32_t id, HeaderList* fields, uint8_t pseudo,
    bint ends, bint pushed, int64_t time_ns,
) noexcept nogil:
    cdef Http2* h2 = <Http2*>state_of(conn, PROTOCOL_HTTP2)
    cdef Http2Stream* stream = find_stream(h2, id)
    cdef Exchange* exchange
    if stream != NULL and stream.exchange.request.present:
        exchange = stream.exchange
        if not stream.parts[OF_REQUEST].ended and exchange.request.trailers.text == NULL:
            store_section(state, &exchange.request.trailers, fields, NULL)
            note_unknown(exchange, fields)
        return
    if pseudo == 0:
        return                                    # trailers; a head has a :scheme, which every table knows
    if stream == NULL:
        if not pushed:
            if id <= h2.last_stream and (not h2.lost or was_removed(h2, id)):
                return
            if id > h2.last_stream:
                h2.last_stream = id
        stream = open_stream(state, conn, id, time_ns)
        if stream == NULL:
            return
    exchange = stream.exchange
    stream.pushed = pushed
    if exchange.incomplete == NO_REQUEST:
        exchange.incomplete = COMPLETE
    fill_head(state, conn, direction, &exchange.request, stream, OF_REQUEST, fields, ends or pushed, time_ns)
    if pushed:
        stream.parts[OF_REQUEST].ended = 1
        exchange.request.complete = 1
    state.stats.requests_seen += 1
    sample_request(state, exchange)


cdef void take_response(
    EngineState* state, Connection* conn, int direction, uint32_t id, HeaderList* fields, uint8_t pseudo,
    bint ends, int64_t time_ns,
) noexcept nogil:
    cdef Http2* h2 = <Http2*>state_of(conn, PROTOCOL_HTTP2)
    cdef Http2Stream* stream = find_stream(h2, id)
    cdef Exchange* exchange
    cdef uint16_t status = 0
    cdef uint32_t i
    cdef bint again = False
    if stream != NULL and stream.exchange.response.present:
        exchange = stream.exchange
        again = stream.doubtful and (pseudo != 0 or fields.first_unknown)
        if not again:
            if not stream.parts[OF_RESPONSE].ended and exchange.response.trailers.text == NULL:
                store_section(state, &exchange.response.trailers, fields, NULL)
                note_unknown(exchange, fields)
            return
        # The section before had an unknown status: an interim one after all, unless this is a trailer section.
        section_free(&state.budget, &exchange.response.head)
        if pseudo == 0 and ends:
            note_unknown(exchange, fields)
            return                                # head or trailers? nothing says which
        if exchange.interim < 255:
            exchange.interim += 1
    if pseudo == 0 and not fields.first_unknown:
        return                                    # trailers of a response whose head was lost
    for i in range(fields.count):
        if fields.fields[i].name.length == 7 and memcmp(
            fields.text + fields.fields[i].name.at, b":status", 7
        ) == 0:
            status = status_of(fields.text + fields.fields[i].value.at, fields.fields[i].value.length)
    if stream == NULL:
        if not h2.lost or was_removed(h2, id) or id & 1 == 0 or (pseudo == 0 and ends):
            return
        stream = open_stream(state, conn, id, time_ns)
        if stream == NULL:
            return
        stream.exchange.incomplete = NO_REQUEST
        if id > h2.last_stream:
            h2.last_stream = id
    exchange = stream.exchange
    if 100 <= status < 200 and not ends:
        if exchange.interim < 255:
            exchange.interim += 1
        return
    if pseudo == 0 and stream.parts[OF_RESPONSE].suspect_ns and ends:
        return                                    # head or trailers? nothing says which
    fill_head(state, conn, direction, &exchange.response, stream, OF_RESPONSE, fields, ends, time_ns)
    if pseudo & PSEUDO_STATUS and not status:
        exchange.response.anomalies |= ANOMALY_BAD_STATUS
    stream.doubtful = not pseudo & PSEUDO_STATUS and not ends
    if not again:
        state.stats.responses_seen += 1
    if not again or exchange.request.present:
        sample_response(state, exchange)


cdef void section_lost(
    EngineState* state, Connection* conn, int direction, uint32_t id, bint ends, int reason, int64_t time_ns
) noexcept nogil:
    """A header section of stream *id* could not be read, or octets of it were never captured (*reason*: why)."""
    cdef Http2* h2 = <Http2*>state_of(conn, PROTOCOL_HTTP2)
    cdef Http2Stream* stream = find_stream(h2, id)
    cdef int k
    h2.lost = 1
    if stream == NULL or conn.client < 0:
        return
    k = OF_REQUEST if direction == conn.client else OF_RESPONSE
    if stream.exchange.incomplete == COMPLETE:
        stream.exchange.incomplete = <uint8_t>reason if reason else REQUEST_GAP if k == OF_REQUEST else RESPONSE_GAP
    if ends:
        end_part(state, conn, direction, id, time_ns, conn.streams[direction].offset)


# Content.

cdef void count_messages(Grpc* grpc, const uint8_t* data, uint32_t length) noexcept nogil:
    cdef uint32_t mine
    while length and not grpc.broken:
        if grpc.left:
            mine = grpc.left if grpc.left < length else length
            grpc.left -= mine
            data += mine
            length -= mine
            continue
        grpc.prefix[grpc.have] = data[0]
        grpc.have += 1
        data += 1
        length -= 1
        if grpc.prefix[0] & 0x7E:
            grpc.broken = 1                       # 0x80 marks the trailers of gRPC-Web
        elif grpc.have == 5:
            grpc.have = 0
            grpc.left = (<uint32_t>grpc.prefix[1] << 24 | <uint32_t>grpc.prefix[2] << 16
                         | <uint32_t>grpc.prefix[3] << 8 | grpc.prefix[4])
            if grpc.prefix[0] & 0x80 == 0:
                grpc.messages += 1
                grpc.octets += grpc.left
                grpc.compressed |= grpc.prefix[0]


cdef inline Http2Part* part_of(
    Connection* conn, int direction, uint32_t id, Http2Stream** stream, Message** message
) noexcept nogil:
    """The open side of stream *id* that *direction* carries, or NULL."""
    cdef Http2* h2 = <Http2*>state_of(conn, PROTOCOL_HTTP2)
    cdef int k
    if conn.client < 0:
        return NULL
    stream[0] = find_stream(h2, id)
    if stream[0] == NULL:
        return NULL
    k = OF_REQUEST if direction == conn.client else OF_RESPONSE
    message[0] = &stream[0].exchange.request if k == OF_REQUEST else &stream[0].exchange.response
    return &stream[0].parts[k]


cdef void believe_head(EngineState* state, Http2Stream* stream, Http2Part* part) noexcept nogil:
    # Content follows only the final head; a loss in between may have taken that one.
    if stream.doubtful and part.suspect_ns:
        section_free(&state.budget, &stream.exchange.response.head)
    stream.doubtful = 0


cdef void take_data(
    EngineState* state, Connection* conn, int direction, uint32_t id,
    const uint8_t* data, uint32_t length, int64_t time_ns,
) noexcept nogil:
    """Octets of content on stream *id*, padding left out."""
    cdef Http2Stream* stream = NULL
    cdef Message* message = NULL
    cdef Http2Part* part = part_of(conn, direction, id, &stream, &message)
    cdef uint32_t room
    if part == NULL or part.ended or length == 0:
        return
    if direction != conn.client:
        believe_head(state, stream, part)
    message.wire_body_size += length
    message.end_ns = time_ns
    count_messages(&part.grpc, data, length)
    if message.truncated or not stream.exchange.sampled or not state.settings.keep_bodies or not message.present:
        return
    room = state.settings.max_message_bytes - message.body.length
    if length > room:
        length = room
        message.truncated = 1
        state.stats.bodies_truncated += 1
        if stream.lasting_ns and (not stream.exchange.grpc or part.grpc.messages > 1):
            stream.lasting_ns = 1                 # more of it is not kept: it is reported now
            watch_stream(conn, 1)
    if not buffer_append(&state.budget, &message.body, data, length):
        message.truncated = 1
        state.stats.bodies_truncated += 1


cdef void data_lost(
    EngineState* state, Connection* conn, int direction, uint32_t id, uint64_t length, int64_t time_ns
) noexcept nogil:
    """*length* octets of content on stream *id* were never captured."""
    cdef Http2Stream* stream = NULL
    cdef Message* message = NULL
    cdef Http2Part* part = part_of(conn, direction, id, &stream, &message)
    if part == NULL or part.ended:
        return
    if message.missing_bytes == 0:
        message.body_gap_at = message.body.length
    if direction != conn.client:
        believe_head(state, stream, part)
    message.missing_bytes += length
    message.wire_body_size += length
    message.end_ns = time_ns
    if part.grpc.left >= length:
        part.grpc.left -= <uint32_t>length
    else:
        part.grpc.broken = 1


cdef void end_part(
    EngineState* state, Connection* conn, int direction, uint32_t id, int64_t time_ns, int64_t end_offset
) noexcept nogil:
    """END_STREAM was seen in *direction*."""
    cdef Http2Stream* stream = NULL
    cdef Message* message = NULL
    cdef Http2Part* part = part_of(conn, direction, id, &stream, &message)
    if part == NULL or part.ended:
        return
    part.ended = 1
    message.complete = 1
    message.end_ns = time_ns
    message.stream_end = end_offset
    settle_part(state, stream, OF_REQUEST if direction == conn.client else OF_RESPONSE)
    finish_if_over(state, conn, stream)


cdef void take_reset(
    EngineState* state, Connection* conn, int direction, uint32_t id, uint32_t code, int64_t time_ns
) noexcept nogil:
    """RST_STREAM. Behind a whole response it only says that the rest of the request is not wanted."""
    cdef Http2* h2 = <Http2*>state_of(conn, PROTOCOL_HTTP2)
    cdef Http2Stream* stream = find_stream(h2, id)
    if stream == NULL:
        return
    if stream.parts[OF_RESPONSE].ended and stream.exchange.response.present:
        stream.exchange.request.end_ns = time_ns
        finish_stream(state, conn, stream, COMPLETE)
        return
    stream.exchange.response.end_ns = time_ns
    finish_stream(state, conn, stream, RESET_STREAM)


cdef void take_goaway(EngineState* state, Connection* conn, int direction, uint32_t last) noexcept nogil:
    """GOAWAY: the requests above *last* were not, and will not be, processed."""
    cdef Http2* h2 = <Http2*>state_of(conn, PROTOCOL_HTTP2)
    cdef Http2Stream* stream = h2.oldest
    cdef Http2Stream* following
    if direction == conn.client or conn.client < 0:
        return
    while stream != NULL:
        following = stream.newer
        if stream.id & 1 and stream.id > last and not stream.exchange.response.present:
            finish_stream(state, conn, stream, NO_RESPONSE)
        stream = following


cdef void suspect_all(EngineState* state, Connection* conn, int direction, int64_t time_ns) noexcept nogil:
    """Frames of *direction* were lost, nobody knows whose."""
    cdef Http2* h2 = <Http2*>state_of(conn, PROTOCOL_HTTP2)
    cdef Http2Stream* stream = h2.oldest
    cdef int k = OF_REQUEST if direction == conn.client else OF_RESPONSE
    h2.lost = 1
    while stream != NULL:
        if not stream.parts[k].ended:
            if stream.parts[k].suspect_ns == 0:
                stream.parts[k].kept = (
                    stream.exchange.request.body.length if k == OF_REQUEST else stream.exchange.response.body.length)
            stream.parts[k].suspect_ns = state.elapsed_ns
            stream.parts[k].grpc.broken = 1
        stream = stream.newer


cdef void finish_streams(EngineState* state, Connection* conn, int direction, int how, int64_t time_ns) noexcept nogil:
    """*direction* has ended (ENDED_*): what can no longer become whole is reported."""
    cdef Http2* h2 = <Http2*>state_of(conn, PROTOCOL_HTTP2)
    cdef Http2Stream* stream = h2.oldest
    cdef Http2Stream* following
    cdef int reason
    cdef bint client = direction == conn.client
    while stream != NULL:
        following = stream.newer
        if not client:
            if how == ENDED_GIVEN_UP:
                reason = STILL_OPEN if stream.exchange.response.present else NO_RESPONSE
            elif not stream.parts[OF_REQUEST].ended and not stream.exchange.response.present:
                reason = REQUEST_CUT
            else:
                reason = RESPONSE_CUT if stream.exchange.response.present else NO_RESPONSE
            if stream.parts[OF_RESPONSE].suspect_ns and not stream.exchange.response.present:
                reason = RESPONSE_GAP
            if stream.parts[OF_RESPONSE].ended and stream.exchange.response.present:
                reason = COMPLETE if stream.parts[OF_REQUEST].ended else (
                    STILL_OPEN if how == ENDED_GIVEN_UP else REQUEST_CUT)
            finish_stream(state, conn, stream, reason)
        elif not stream.parts[OF_REQUEST].ended and stream.exchange.request.present:
            if stream.exchange.incomplete == COMPLETE and not stream.parts[OF_REQUEST].suspect_ns:
                stream.exchange.incomplete = STILL_OPEN if how == ENDED_GIVEN_UP else REQUEST_CUT
            stream.parts[OF_REQUEST].ended = 1
            finish_if_over(state, conn, stream)
        stream = following


cdef void give_up_streams(EngineState* state, Connection* conn) noexcept nogil:
    """Give up every exchange of *conn* for memory, and its state."""
    cdef Http2* h2 = <Http2*>state_of(conn, PROTOCOL_HTTP2)
    while h2.oldest != NULL:
        finish_stream(state, conn, h2.oldest, EVICTED)
    http2_free(state, conn)
