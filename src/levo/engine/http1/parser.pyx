"""HTTP/1.0 and 1.1, one direction of one connection at a time (RFC 9112).

The states of a direction, and what moves it on, are the table in ``states.h``.

A hole (``http1_gap``) inside a body of known length is counted and framing goes on; anywhere else the
message it hit is reported with what was seen, and the direction goes to LOST.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memset

from levo.engine.http1.head cimport (
    Framing,
    begins_known_method,
    find_head_end,
    first_line_length,
    needs_normalizing,
    next_line,
    normalize_head,
    read_request_line,
    read_section,
    read_status_line,
)
from levo.engine.http1.head_map cimport HeadMap, map_head
from levo.engine.http1.partial cimport (
    abandon_heads,
    answers_cut_head,
    may_have_content,
    take_cut_head,
)
from levo.engine.http1.scan cimport (
    find_request,
    find_response,
    http1_looks,
    is_simple_request,
    plausible_start,
)
from levo.engine.http1.states cimport (
    CHUNK_BEGINS,
    CHUNK_DATA,
    CHUNK_END,
    CHUNK_ENDS,
    CHUNK_SIZE,
    CHUNKS_FOLLOW,
    CLOSE,
    CLOSE_FOLLOWS,
    FOUND,
    FRAMING_LOST,
    HEAD,
    HEAD_BEGINS,
    HEAD_REFUSED,
    HOLE,
    LAST_CHUNK,
    LEFT,
    LENGTH,
    LENGTH_FOLLOWS,
    LINE_ENDS,
    LOST,
    MESSAGE_ENDS,
    START,
    TRAILERS,
    move,
)
from levo.engine.http1.switch cimport end_heads, http1_tick, is_preface, leave_http1, note_event_stream, says_upgrade
from levo.engine.core.memory cimport buffer_append, buffer_free, buffer_reserve, clear, give_back, section_free, take
from levo.engine.exchange.pairing cimport (
    BARE_CONTINUE,
    LEAST_REQUEST,
    begin_exchange,
    enqueue_request,
    finish_exchange,
    finish_pending,
    lose_order,
    may_answer,
    may_begin_request,
    may_begin_response,
    next_request_after,
    note_interim,
    pair_response,
    request_ended,
    response_ended,
    trust_order,
)
from levo.engine.exchange.sampling cimport sample_request, sample_response
from levo.engine.core.state cimport ASKED, CONTINUED, Connection, EngineState, Parser, Stream
from levo.engine.core.ports cimport NAMED_NOTHING
from levo.engine.proto.banner cimport named_by, note_banner
from levo.engine.proto.dispatch cimport agree_on, begin_protocol
from levo.engine.proto.layers cimport doubt, learn_client, speak, speaks, start_anew, watch_stream, whole
from levo.engine.proto.protocol cimport (
    ENDED_FIN,
    ENDED_GIVEN_UP,
    LOOKS_MAYBE,
    LOOKS_NO,
    LOOKS_REQUEST,
    LOOKS_RESPONSE,
    Protocol,
)
from levo.engine.core.types cimport (
    AMBIGUOUS,
    BODY_CHUNKED,
    BODY_CLOSE,
    BODY_LENGTH,
    BODY_TUNNEL,
    COMPLETE,
    ANOMALY_BAD_CHUNK,
    ANOMALY_BAD_LENGTH,
    ANOMALY_BAD_STATUS,
    ANOMALY_LENGTH_AND_CHUNKED,
    ANOMALY_LENGTHS_DIFFER,
    NO_REQUEST,
    NO_RESPONSE,
    PROTOCOL_HTTP1,
    PROTOCOL_HTTP2,
    PROTOCOL_OPAQUE,
    PROTOCOL_UNKNOWN,
    PROTOCOL_WEBSOCKET,
    REQUEST_CUT,
    REQUEST_GAP,
    RESPONSE_CUT,
    RESPONSE_GAP,
    STILL_OPEN,
    Buffer,
    Exchange,
    Message,
)

cdef enum:
    CHUNK_DIGITS = 1
    CHUNK_EXTENSION = 2
    CHUNK_BAD = 4
    CHUNK_FIRST = 8             # the first line: it decides whether the content is chunked at all

cdef enum:
    SMALL_GAP = 2               # of Parser.gap_before

cdef enum:
    MAX_TRAILERS = 65536
    FIRST_BODY_BLOCK = 16384
    FIRST_CHUNK_LINE = 1024


cdef inline Message* message_of(Connection* conn, int direction, Exchange* exchange) noexcept nogil:
    return &exchange.request if direction == conn.client else &exchange.response


cdef uint32_t http1_data(
    EngineState* state, Connection* conn, int direction,
    const uint8_t* data, uint32_t length, int64_t time_ns, int64_t ack,
) noexcept nogil:
    """Read *length* octets in order; *ack* is the other direction's offset they acknowledge, or -1.

    Returns the octets consumed: all of them unless the connection changed its protocol on the way.
    """
    cdef Parser* parser = &conn.streams[direction].parser
    cdef int64_t base = conn.streams[direction].offset
    cdef uint32_t at = 0, taken
    while at < length and speaks(conn) == PROTOCOL_HTTP1:
        if parser.state == HEAD:
            taken = take_head_octets(state, conn, direction, data + at, length - at, time_ns, base + at)
            if taken == 0 and parser.state == LOST:
                # No head begins here, whatever the search would say.
                taken = search_message(state, conn, direction, data + at, length - at, time_ns, base + at, ack, True)
            at += taken
        elif parser.state == START:
            at += begin_head(conn, direction, data + at, length - at, time_ns, base + at, ack)
        elif parser.expects and leaves_out_content(conn, direction, data + at, length - at, ack):
            end_message(state, conn, direction, time_ns, base + at)
        elif parser.state == LENGTH or parser.state == CHUNK_DATA:
            at += take_counted(state, conn, direction, data + at, length - at, time_ns, base + at)
        elif parser.state == CHUNK_SIZE:
            at += take_chunk_size(state, conn, direction, data + at, length - at, time_ns, base + at)
        elif parser.state == CHUNK_END:
            if data[at] == 10:
                move(parser, LINE_ENDS)
                parser.remaining = 0
                parser.chunk_flags = 0
                at += 1
            elif data[at] == 13:
                at += 1
            else:
                lose_framing(state, conn, direction, time_ns, base + at, ANOMALY_BAD_CHUNK)
        elif parser.state == TRAILERS:
            at += take_trailers(state, conn, direction, data + at, length - at, time_ns, base + at)
        elif parser.state == CLOSE:
            keep_body(state, conn, direction, data + at, length - at, time_ns)
            at = length
        else:
            at += search_message(state, conn, direction, data + at, length - at, time_ns, base + at, ack, False)
    return at


cdef uint32_t begin_head(
    Connection* conn, int direction, const uint8_t* data, uint32_t length, int64_t time_ns, int64_t offset, int64_t ack
) noexcept nogil:
    """Pass over line ends, up to where a message begins; returns how many octets they are."""
    cdef Parser* parser = &conn.streams[direction].parser
    cdef uint32_t at = 0
    while at < length and (data[at] == 13 or data[at] == 10):
        at += 1
    if at == length:
        return at
    if parser.gap_before and direction == conn.client and is_content(conn, parser, data + at, length - at, ack):
        move(parser, HOLE)                        # content of a request whose head was lost
        return at
    parser.start_ns = time_ns
    parser.start_offset = offset + at
    parser.start_ack = ack
    parser.searched = 0
    move(parser, HEAD_BEGINS)
    return at


cdef bint cut_head(
    EngineState* state, Connection* conn, int direction, int64_t resumes, int reason
) noexcept nogil:
    """The head in the buffer will not become whole: ``take_cut_head``."""
    cdef bint good = take_cut_head(state, conn, direction, resumes, reason)
    if good:
        conn.found = speaks(conn) == PROTOCOL_HTTP1
    return good


cdef uint32_t take_head_octets(
    EngineState* state, Connection* conn, int direction,
    const uint8_t* data, uint32_t length, int64_t time_ns, int64_t offset,
) noexcept nogil:
    cdef Parser* parser = &conn.streams[direction].parser
    cdef uint32_t lines = 0
    cdef uint32_t end, before
    cdef HeadMap map
    if parser.head.length == 0:
        end = map_head(data, length, &map)
        if end:
            if not take_plain_head(state, conn, direction, data, end, map.count, &map, 0, time_ns, offset + end):
                return after_rejection(state, conn, direction, data, length, time_ns)
            return end
        end = find_head_end(data, length, 0, &lines)
        if end:
            if not take_head(state, conn, direction, data, end, lines, time_ns, offset + end):
                return after_rejection(state, conn, direction, data, length, time_ns)
            return end
        if not plausible_start(direction == conn.client, data, length):
            reject_head(state, conn, direction)
            return after_rejection(state, conn, direction, data, length, time_ns)
        if direction == conn.client and is_simple_request(data, length):
            take_head(state, conn, direction, data, length, 1, time_ns, offset + length)
            return length
    before = parser.head.length
    if before + length > state.settings.max_head_bytes or not buffer_append(
        &state.budget, &parser.head, data, length
    ):
        cut_large_head(state, conn, direction, data, length, offset)
        return length
    end = find_head_end(parser.head.data, parser.head.length, parser.searched, &lines)
    while 0 < end < before:
        # A line of white space behind which the head seemed to go on: it was read as part of it, and stays so.
        end = find_head_end(parser.head.data, parser.head.length, end - 1, &lines)
    if end == 0:
        # The empty line may begin a few octets before the end.
        parser.searched = parser.head.length - 8 if parser.head.length > 8 else 0
        if before < 32 and not plausible_start(direction == conn.client, parser.head.data, parser.head.length):
            reject_head(state, conn, direction)
        return length
    find_head_end(parser.head.data, end, 0, &lines)
    take_head(state, conn, direction, parser.head.data, end, lines, time_ns, offset + end - before)
    return end - before


cdef uint32_t after_rejection(
    EngineState* state, Connection* conn, int direction, const uint8_t* data, uint32_t length, int64_t time_ns
) noexcept nogil:
    """What *data* begins with is no head. Returns octets consumed (none: they are looked at again)."""
    cdef Parser* parser = &conn.streams[direction].parser
    cdef Exchange* exchange
    cdef Message* message
    if speaks(conn) != PROTOCOL_HTTP1:
        return length
    if direction == conn.client or parser.start_offset != 0 or parser.gap_before or not (
        conn.streams[direction].syn
    ) or find_response(data, length) >= 0:
        return 0
    if named_by(data, length) != NAMED_NOTHING:
        note_banner(state, conn, direction, data, length)
        return 0                                  # another protocol's greeting, whatever the client took it for
    # The very first octets a server sends, and no status line anywhere: an HTTP/0.9 answer (RFC 1945
    # section 4.1), which is content up to the close.
    exchange = pair_response(state, conn, parser.start_offset, parser.start_ack)
    if exchange == NULL:
        return 0
    trust_order(conn)
    message = &exchange.response
    message.present = 1
    message.status = 0
    message.version_minor = 9
    message.start_ns = message.head_ns = message.end_ns = time_ns
    message.stream_start = parser.start_offset
    message.peer_ack = parser.start_ack
    message.body_framing = BODY_CLOSE
    state.stats.responses_seen += 1
    parser.current = exchange
    move(parser, CLOSE_FOLLOWS)
    sample_response(state, exchange)
    return 0


cdef void cut_large_head(
    EngineState* state, Connection* conn, int direction, const uint8_t* data, uint32_t length, int64_t offset
) noexcept nogil:
    """The head passes a bound with *data*, which begins at *offset*: report the lines that fit."""
    cdef Parser* parser = &conn.streams[direction].parser
    cdef uint32_t room = state.settings.max_head_bytes - parser.head.length
    buffer_append(&state.budget, &parser.head, data, room if room < length else length)
    if not cut_head(
        state, conn, direction, offset + length, REQUEST_CUT if direction == conn.client else RESPONSE_CUT
    ):
        reject_head(state, conn, direction)
    elif speaks(conn) == PROTOCOL_HTTP1:
        state.stats.heads_rejected += 1
        give_up_framing(conn, direction, offset + length)


cdef inline void give_up_framing(Connection* conn, int direction, int64_t resumes) noexcept nogil:
    """Look for the next message from *resumes* on. A client's mistake leaves the order of messages as it is."""
    cdef Parser* parser = &conn.streams[direction].parser
    move(parser, FRAMING_LOST)
    if direction == conn.client:
        parser.start_offset = resumes
    else:
        lose_order(conn)


cdef void reject_head(EngineState* state, Connection* conn, int direction) noexcept nogil:
    # What began here is no message: the connection is something else, or framing was lost.
    cdef Parser* parser = &conn.streams[direction].parser
    state.stats.heads_rejected += 1
    buffer_free(&state.budget, &parser.head)
    if conn.found:
        give_up_framing(conn, direction, parser.start_offset)
    else:
        move(parser, HEAD_REFUSED)
        doubt(conn, 4096)


cdef bint take_head(
    EngineState* state, Connection* conn, int direction,
    const uint8_t* data, uint32_t length, uint32_t lines, int64_t time_ns, int64_t end_offset,
) noexcept nogil:
    """A whole head: make or find its exchange and decide what follows. False when it is none."""
    cdef uint8_t* plain
    cdef uint16_t anomalies = 0
    cdef uint32_t size, i
    cdef bint good
    if not needs_normalizing(data, length, lines):
        return take_plain_head(state, conn, direction, data, length, lines, NULL, 0, time_ns, end_offset)
    plain = <uint8_t*>take(&state.budget, 2 * length)
    if plain == NULL:
        reject_head(state, conn, direction)
        return False
    size = normalize_head(data, length, plain, &anomalies)
    lines = 0
    for i in range(size):
        lines += plain[i] == 10
    good = take_plain_head(state, conn, direction, plain, size, lines, NULL, anomalies, time_ns, end_offset)
    give_back(&state.budget, plain, 2 * length)
    return good


cdef bint take_plain_head(
    EngineState* state, Connection* conn, int direction, const uint8_t* data, uint32_t length,
    uint32_t lines, const HeadMap* map, uint16_t anomalies, int64_t time_ns, int64_t end_offset,
) noexcept nogil:
    cdef Parser* parser = &conn.streams[direction].parser
    cdef uint32_t line = first_line_length(data, length) if map == NULL else map.end[0] - 1
    cdef Message message
    cdef Framing framing
    cdef bint good
    clear(&message, sizeof(Message))
    framing.content_length = -1
    framing.transfer_coding = framing.chunked = framing.close = framing.upgrade = framing.expects = 0
    framing.anomalies = anomalies
    if direction == conn.client:
        good = read_request_line(data, line, &message) != 0
    else:
        good = read_status_line(data, line, &message)
        if not message.status:
            framing.anomalies |= ANOMALY_BAD_STATUS
    if not good:
        reject_head(state, conn, direction)
        return False
    conn.found = 1
    if message.version_major == 2 and direction == conn.client and is_preface(data, line):
        leave_http1(state, conn, NULL)
        if not begin_protocol(state, conn, PROTOCOL_HTTP2, direction, 18, time_ns):
            speak(conn, PROTOCOL_OPAQUE, NULL)
        return True
    if direction != conn.client and 100 <= message.status < 200 and message.status != 101:
        note_interim(conn, parser.start_offset, parser.start_ack, end_offset, message.status)
        end_head(state, parser)
        move(parser, MESSAGE_ENDS)
        return True
    if not read_section(&state.budget, &message.head, data, length, lines,
                        next_line(data, line, length), map, &framing):
        reject_head(state, conn, direction)
        return True
    message.present = 1
    message.anomalies = framing.anomalies
    message.start_ns = parser.start_ns
    message.head_ns = time_ns
    message.end_ns = time_ns
    message.stream_start = parser.start_offset
    message.peer_ack = parser.start_ack
    end_head(state, parser)
    if direction == conn.client:
        take_request(state, conn, direction, &message, &framing, time_ns, end_offset)
    else:
        take_response(state, conn, direction, &message, &framing, time_ns, end_offset)
    return True


cdef inline void end_head(EngineState* state, Parser* parser) noexcept nogil:
    if parser.head.capacity:
        buffer_free(&state.budget, &parser.head)
    parser.searched = 0


cdef void take_request(
    EngineState* state, Connection* conn, int direction,
    Message* message, Framing* framing, int64_t time_ns, int64_t end_offset,
) noexcept nogil:
    cdef Parser* parser = &conn.streams[direction].parser
    cdef Exchange* exchange = begin_exchange(state, conn)
    if exchange == NULL:
        section_free(&state.budget, &message.head)
        move(parser, FRAMING_LOST)
        lose_order(conn)
        return
    state.stats.requests_seen += 1
    exchange.request = message[0]
    exchange.after_gap = parser.gap_before
    parser.gap_before = 0
    parser.current = exchange
    enqueue_request(state, conn, exchange)
    sample_request(state, exchange)
    if framing.transfer_coding and framing.content_length >= 0:
        exchange.request.anomalies |= ANOMALY_LENGTH_AND_CHUNKED
    if framing.chunked:
        exchange.request.body_framing = BODY_CHUNKED
        begin_chunks(parser, framing.content_length)
    elif framing.content_length > 0:
        exchange.request.body_framing = BODY_LENGTH
        move(parser, LENGTH_FOLLOWS)
        parser.remaining = <uint64_t>framing.content_length
    else:
        end_message(state, conn, direction, time_ns, end_offset)
        return
    parser.expects = ASKED if framing.expects else 0


cdef bint leaves_out_content(
    Connection* conn, int direction, const uint8_t* data, uint32_t length, int64_t ack
) noexcept nogil:
    """Whether the client that asked for 100 (Continue) goes on with another request (RFC 9110 section 10.1.1).

    It does when a final response came instead, or a hole in which one may have been, and nothing else since. Where
    the server's direction is not captured, all of it is such a hole.
    """
    cdef Parser* parser = &conn.streams[direction].parser
    cdef const Parser* server = &conn.streams[1 - direction].parser
    cdef Exchange* exchange = parser.current
    cdef bint continued = parser.expects == CONTINUED
    parser.expects = 0
    if direction != conn.client or exchange == NULL or exchange.request.wire_body_size or (
        parser.state == CHUNK_SIZE and parser.head.length
    ):
        return False
    if exchange.response.present:
        if 0 <= ack <= exchange.response.stream_start:
            return False
        if parser.remaining != length and begins_known_method(data, length):
            return True                           # so few octets that they could be anything
    elif continued or ack <= exchange.request.peer_ack + BARE_CONTINUE:
        return False
    elif ack <= conn.streams[1 - direction].offset and (server.state != LOST or not server.gap_before):
        return False                              # nothing that the client has received is missing
    return http1_looks(data, length) == LOOKS_REQUEST


cdef void take_response(
    EngineState* state, Connection* conn, int direction,
    Message* message, Framing* framing, int64_t time_ns, int64_t end_offset,
) noexcept nogil:
    cdef Parser* parser = &conn.streams[direction].parser
    cdef Exchange* exchange = pair_response(state, conn, message.stream_start, message.peer_ack)
    cdef Message* request
    cdef bint head_only = False
    cdef bint connect = False
    cdef bint message_is_upgrade
    cdef bint websocket
    if exchange == NULL and answers_cut_head(conn, message.peer_ack) and cut_head(
        state, conn, conn.client, conn.streams[conn.client].offset, REQUEST_CUT
    ):
        give_up_framing(conn, conn.client, conn.streams[conn.client].offset)
        exchange = pair_response(state, conn, message.stream_start, message.peer_ack)
    if exchange == NULL:
        exchange = begin_exchange(state, conn)
        if exchange == NULL:
            section_free(&state.budget, &message.head)
            move(parser, FRAMING_LOST)
            lose_order(conn)
            return
        exchange.incomplete = AMBIGUOUS if may_answer(conn, message.peer_ack) else NO_REQUEST
        lose_order(conn)
    else:
        request = &exchange.request
        head_only = request.method.length == 4 and memcmp(request.head.text, b"HEAD", 4) == 0
        connect = request.method.length == 7 and memcmp(request.head.text, b"CONNECT", 7) == 0
        parser.gap_before = 0
    if message.status == 101 and says_upgrade(&message.head, b"h2c", 3):
        section_free(&state.budget, &message.head)
        leave_http1(state, conn, exchange)
        return
    state.stats.responses_seen += 1
    exchange.response = message[0]
    parser.current = exchange
    message = &exchange.response
    sample_response(state, exchange)
    if (message.status == 101 and not framing.close) or (connect and 200 <= message.status < 300):
        message.body_framing = BODY_TUNNEL
        message_is_upgrade = message.status == 101
        websocket = message_is_upgrade and exchange.request.present and says_upgrade(&message.head, b"websocket", 9)
        websocket = websocket and agree_on(state, conn, PROTOCOL_WEBSOCKET, exchange)
        end_message(state, conn, direction, time_ns, end_offset)
        if websocket:
            whole(conn)
        elif message_is_upgrade:
            speak(conn, PROTOCOL_OPAQUE, NULL)
            whole(conn)
        else:
            start_anew(conn)
        end_heads(state, conn)
        conn.found = 0
        return
    if framing.transfer_coding and framing.content_length >= 0:
        message.anomalies |= ANOMALY_LENGTH_AND_CHUNKED
    # A status that allows no content although some is announced: whether it comes shows before the close.
    parser.optional = message.status == 204 or message.status == 101
    if head_only or message.status == 304 or (parser.optional and not framing.close):
        end_message(state, conn, direction, time_ns, end_offset)
    elif framing.chunked:
        message.body_framing = BODY_CHUNKED
        begin_chunks(
            parser, framing.content_length if framing.content_length >= 0
            else -2 if framing.close or framing.chunked == 2 or message.version_minor == 0 or (
                message.version_major == 0) else -1)
    elif framing.content_length >= 0 and not (
        framing.close and framing.anomalies & (ANOMALY_BAD_LENGTH | ANOMALY_LENGTHS_DIFFER)
    ):
        message.body_framing = BODY_LENGTH
        parser.remaining = <uint64_t>framing.content_length
        move(parser, LENGTH_FOLLOWS)
        if framing.content_length == 0:
            end_message(state, conn, direction, time_ns, end_offset)
    elif parser.optional:
        end_message(state, conn, direction, time_ns, end_offset)
    else:
        message.body_framing = BODY_CLOSE
        move(parser, CLOSE_FOLLOWS)
    if parser.state == CLOSE or parser.state == CHUNK_SIZE:
        note_event_stream(state, conn, &message.head)


cdef inline void begin_chunks(Parser* parser, int64_t fallback) noexcept nogil:
    move(parser, CHUNKS_FOLLOW)
    parser.remaining = 0
    parser.chunk_flags = CHUNK_FIRST
    parser.fallback = fallback


cdef void end_message(
    EngineState* state, Connection* conn, int direction, int64_t time_ns, int64_t end_offset
) noexcept nogil:
    """The message being read has ended as its framing says."""
    cdef Parser* parser = &conn.streams[direction].parser
    cdef Exchange* exchange = parser.current
    cdef Message* message
    move(parser, MESSAGE_ENDS)
    parser.current = NULL
    if exchange == NULL:
        return
    message = message_of(conn, direction, exchange)
    message.complete = 1
    message.end_ns = time_ns
    message.stream_end = end_offset
    if direction == conn.client:
        request_ended(state, conn, exchange)
    else:
        response_ended(state, conn, exchange)


cdef void keep_body(
    EngineState* state, Connection* conn, int direction,
    const uint8_t* data, uint32_t length, int64_t time_ns,
) noexcept nogil:
    cdef Parser* parser = &conn.streams[direction].parser
    cdef Exchange* exchange = parser.current
    cdef Message* message
    cdef uint32_t room, block
    if exchange == NULL:
        return
    message = message_of(conn, direction, exchange)
    message.wire_body_size += length
    message.end_ns = time_ns
    if message.truncated or not exchange.sampled or not state.settings.keep_bodies:
        return
    room = state.settings.max_message_bytes - message.body.length
    if length > room:
        length = room
        message.truncated = 1
        state.stats.bodies_truncated += 1
        if conn.streaming_ns and direction != conn.client:
            watch_stream(conn, 1)                 # more of an event stream is not kept: it is reported now
    if message.body.capacity == 0:
        block = length
        if message.body_framing == BODY_LENGTH and parser.remaining > length:
            block = FIRST_BODY_BLOCK if parser.remaining > FIRST_BODY_BLOCK else <uint32_t>parser.remaining
            if block < length:
                block = length
        if not buffer_reserve(&state.budget, &message.body, block):
            message.truncated = 1
            return
    if not buffer_append(&state.budget, &message.body, data, length):
        message.truncated = 1
        state.stats.bodies_truncated += 1


cdef uint32_t take_counted(
    EngineState* state, Connection* conn, int direction,
    const uint8_t* data, uint32_t length, int64_t time_ns, int64_t offset,
) noexcept nogil:
    cdef Parser* parser = &conn.streams[direction].parser
    cdef uint32_t mine = length if parser.remaining > length else <uint32_t>parser.remaining
    keep_body(state, conn, direction, data, mine, time_ns)
    parser.remaining -= mine
    if parser.remaining == 0:
        if parser.state == LENGTH:
            end_message(state, conn, direction, time_ns, offset + mine)
        else:
            move(parser, CHUNK_ENDS)
    return mine


cdef uint32_t take_chunk_size(
    EngineState* state, Connection* conn, int direction,
    const uint8_t* data, uint32_t length, int64_t time_ns, int64_t offset,
) noexcept nogil:
    """The chunk-size line: hexadecimal digits, then anything (extensions) to the line end.

    Empty lines and white space before the digits are passed over. The first line of a content is read
    strictly: where it is no chunk-size line, the content is not chunked, whatever the head claims.
    """
    cdef Parser* parser = &conn.streams[direction].parser
    cdef uint32_t at = 0
    cdef uint8_t octet
    cdef int digit
    while at < length:
        octet = data[at]
        at += 1
        if octet == 10:
            if not parser.chunk_flags & (CHUNK_DIGITS | CHUNK_BAD | CHUNK_EXTENSION):
                continue
            if not parser.chunk_flags & CHUNK_DIGITS or parser.chunk_flags & CHUNK_BAD:
                lose_framing(state, conn, direction, time_ns, offset + at, ANOMALY_BAD_CHUNK)
                return at
            if parser.chunk_flags & CHUNK_FIRST and parser.head.capacity:
                buffer_free(&state.budget, &parser.head)
            move(parser, CHUNK_BEGINS if parser.remaining else LAST_CHUNK)
            parser.line = 0
            return at
        if parser.chunk_flags & CHUNK_EXTENSION:
            continue
        if 48 <= octet <= 57:
            digit = octet - 48
        elif 97 <= octet <= 102:
            digit = octet - 87
        elif 65 <= octet <= 70:
            digit = octet - 55
        elif octet <= 32 or (parser.chunk_flags & CHUNK_DIGITS and (octet == 59 or octet == 44)):
            if parser.chunk_flags & CHUNK_DIGITS and octet != 13:
                parser.chunk_flags |= CHUNK_EXTENSION
            continue
        else:
            if parser.chunk_flags & CHUNK_FIRST:
                not_chunked(state, conn, direction, time_ns, offset)
                return 0
            if not parser.chunk_flags & CHUNK_DIGITS:
                parser.chunk_flags |= CHUNK_BAD
            parser.chunk_flags |= CHUNK_EXTENSION
            continue
        parser.chunk_flags |= CHUNK_DIGITS
        if parser.remaining >> 56:
            if parser.chunk_flags & CHUNK_FIRST:
                not_chunked(state, conn, direction, time_ns, offset)
                return 0
            parser.chunk_flags |= CHUNK_BAD
        else:
            parser.remaining = parser.remaining * 16 + digit
    if parser.chunk_flags & CHUNK_FIRST and (
        parser.head.length + at > FIRST_CHUNK_LINE or not buffer_append(&state.budget, &parser.head, data, at)
    ):
        lose_framing(state, conn, direction, time_ns, offset + at, ANOMALY_BAD_CHUNK)
    return at


cdef void not_chunked(
    EngineState* state, Connection* conn, int direction, int64_t time_ns, int64_t offset
) noexcept nogil:
    """The content does not begin with a chunk: believe the octets, not the Transfer-Encoding field."""
    cdef Parser* parser = &conn.streams[direction].parser
    cdef Buffer seen = parser.head
    cdef Message* message
    if parser.fallback == -1 or parser.current == NULL:
        lose_framing(state, conn, direction, time_ns, offset, ANOMALY_BAD_CHUNK)
        return
    message = message_of(conn, direction, parser.current)
    message.anomalies |= ANOMALY_BAD_CHUNK
    memset(&parser.head, 0, sizeof(Buffer))
    if parser.fallback == -2:
        message.body_framing = BODY_CLOSE
        move(parser, CLOSE_FOLLOWS)
        keep_body(state, conn, direction, seen.data, seen.length, time_ns)
    else:
        message.body_framing = BODY_LENGTH
        move(parser, LENGTH_FOLLOWS)
        parser.remaining = <uint64_t>parser.fallback
        if parser.remaining == 0:
            end_message(state, conn, direction, time_ns, offset)
        elif seen.length:
            take_counted(state, conn, direction, seen.data, seen.length, time_ns, offset - seen.length)
    buffer_free(&state.budget, &seen)


cdef uint32_t take_trailers(
    EngineState* state, Connection* conn, int direction,
    const uint8_t* data, uint32_t length, int64_t time_ns, int64_t offset,
) noexcept nogil:
    cdef Parser* parser = &conn.streams[direction].parser
    cdef Exchange* exchange = parser.current
    cdef uint32_t at = 0
    cdef uint32_t lines = 0
    cdef uint32_t i
    cdef uint8_t octet
    cdef Framing framing
    cdef bint ended = False
    while at < length and not ended:
        octet = data[at]
        at += 1
        if octet == 10:
            ended = parser.line == 0
            parser.line = 0
        elif octet != 13:
            parser.line += 1
    if ended and parser.head.length == 0 and at <= 2:
        end_message(state, conn, direction, time_ns, offset + at)
        return at
    if parser.head.length + at > MAX_TRAILERS or not buffer_append(
        &state.budget, &parser.head, data, at
    ):
        lose_framing(state, conn, direction, time_ns, offset + at, ANOMALY_BAD_CHUNK)
        return at
    if ended:
        if exchange != NULL:
            for i in range(parser.head.length):
                lines += parser.head.data[i] == 10
            memset(&framing, 0, sizeof(Framing))
            read_section(
                &state.budget, &message_of(conn, direction, exchange).trailers,
                parser.head.data, parser.head.length, lines, 0, NULL, &framing)
        end_head(state, parser)
        end_message(state, conn, direction, time_ns, offset + at)
    return at


cdef void lose_framing(
    EngineState* state, Connection* conn, int direction, int64_t time_ns, int64_t offset, int anomaly
) noexcept nogil:
    """Nobody can say where the message being read ends: report what was seen, look for the next."""
    cdef Parser* parser = &conn.streams[direction].parser
    cdef Exchange* exchange = parser.current
    cdef Message* message
    end_head(state, parser)
    parser.current = NULL
    give_up_framing(conn, direction, offset)
    if not anomaly:
        lose_order(conn)
    if exchange == NULL:
        return
    message = message_of(conn, direction, exchange)
    message.anomalies |= <uint16_t>anomaly
    message.end_ns = time_ns
    message.complete = 1
    if direction == conn.client:
        if exchange.incomplete == COMPLETE:
            exchange.incomplete = REQUEST_CUT if anomaly else REQUEST_GAP
        request_ended(state, conn, exchange)
    else:
        if exchange.incomplete == COMPLETE:
            exchange.incomplete = RESPONSE_CUT if anomaly else RESPONSE_GAP
        message.stream_end = offset
        finish_exchange(state, conn, exchange, RESPONSE_GAP)


cdef void count_missing(Connection* conn, int direction, uint64_t size) noexcept nogil:
    """*size* octets of the body at hand were never captured."""
    cdef Exchange* exchange = conn.streams[direction].parser.current
    cdef Message* message
    if exchange == NULL:
        return
    message = message_of(conn, direction, exchange)
    if message.missing_bytes == 0:
        message.body_gap_at = message.body.length
    message.missing_bytes += size
    message.wire_body_size += size


cdef bint passes_body(
    EngineState* state, Connection* conn, int direction, uint64_t size, int64_t time_ns
) noexcept nogil:
    """Take a hole of *size* octets that begins in a body of known length; whether a message may be lost after it."""
    cdef Parser* parser = &conn.streams[direction].parser
    cdef int64_t offset = conn.streams[direction].offset
    cdef uint64_t mine = size if size < parser.remaining else parser.remaining
    count_missing(conn, direction, mine)
    if parser.current != NULL:
        message_of(conn, direction, parser.current).end_ns = time_ns
    parser.remaining -= mine
    if parser.remaining:
        return False
    if parser.state == CHUNK_DATA:
        move(parser, CHUNK_ENDS)
        return False
    end_message(state, conn, direction, time_ns, offset + <int64_t>mine)
    if size - mine >= LEAST_REQUEST:
        return True
    # Too little for a message: line ends, or the beginning of one that goes on behind the hole.
    if mine < size:
        move(parser, HOLE)
        parser.start_offset = offset + <int64_t>size
    return False


cdef void http1_gap(
    EngineState* state, Connection* conn, int direction, uint64_t size, int64_t time_ns
) noexcept nogil:
    """*size* octets of this direction were never captured; the stream's offset is still before them."""
    cdef Parser* parser = &conn.streams[direction].parser
    cdef int64_t offset = conn.streams[direction].offset
    if parser.expects and parser.current != NULL and parser.current.response.present:
        # Answered before any of its content, which may not have been sent: a request may be lost as well.
        lose_framing(state, conn, direction, time_ns, offset, 0)
    elif parser.state == LENGTH or (parser.state == CHUNK_DATA and size <= parser.remaining):
        if not passes_body(state, conn, direction, size, time_ns):
            return
    elif parser.state == CLOSE:
        count_missing(conn, direction, size)
        return
    elif parser.state == HEAD:
        state.stats.heads_incomplete += 1
        cut_head(
            state, conn, direction, offset + <int64_t>size, REQUEST_GAP if direction == conn.client else RESPONSE_GAP)
        if speaks(conn) != PROTOCOL_HTTP1:
            return
    elif parser.state != START and parser.state != LOST:
        lose_framing(state, conn, direction, time_ns, offset, 0)
    elif parser.state == START and direction == conn.client and size < LEAST_REQUEST and not parser.gap_before:
        # Too little for a request: line ends, if one begins where it resumes (``search_message``).
        move(parser, HOLE)
        parser.start_offset = offset + <int64_t>size
        parser.gap_before = SMALL_GAP
        return
    end_head(state, parser)
    if direction == conn.client and (parser.state != LOST or parser.gap_before):
        parser.start_offset = offset + <int64_t>size
    move(parser, HOLE)
    parser.gap_before = 1
    lose_order(conn)


cdef uint32_t search_message(
    EngineState* state, Connection* conn, int direction,
    const uint8_t* data, uint32_t length, int64_t time_ns, int64_t offset, int64_t ack, bint rejected,
) noexcept nogil:
    """Pass over octets until a believable message begins; returns how many were passed over.

    *rejected*: what begins at the first octet was looked at and is none; then at least one is passed over.
    """
    cdef Parser* parser = &conn.streams[direction].parser
    cdef int64_t known = -1, found = -1
    cdef uint32_t first
    if direction == conn.client:
        if is_content(conn, parser, data, length, ack):
            known = -2
    else:
        known = next_request_after(conn, offset)
        if known == -1 and not may_begin_response(conn, ack):
            known = -2
    if rejected and known == offset:
        known = -1
    if known == -2 or known - offset > <int64_t>length:
        found = <int64_t>length + 1
    elif known >= 0:
        # The client told where the response it got ended: no octet before that starts the next one.
        found = known - offset
        if found < <int64_t>length and not plausible_start(False, data + found, length - <uint32_t>found):
            found = -1
    if found < 0:
        first = rejected
        if direction == conn.client:
            found = find_request(data + first, length - first)
        else:
            found = find_response(data + first, length - first)
        found = found + first if found >= 0 else -1
    if parser.gap_before == SMALL_GAP:
        parser.gap_before = found != 0
        if found:
            lose_order(conn)                      # the hole took the beginning of a request
    if found < 0 or found >= <int64_t>length:
        state.stats.payload_bytes_skipped += length
        state.stats.payload_bytes_parsed -= length
        if found == <int64_t>length:
            move(parser, FOUND)
        return length
    state.stats.payload_bytes_skipped += <uint64_t>found
    state.stats.payload_bytes_parsed -= <uint64_t>found
    move(parser, FOUND)
    return <uint32_t>found


cdef bint is_content(
    Connection* conn, const Parser* parser, const uint8_t* data, uint32_t length, int64_t ack
) noexcept nogil:
    """Whether octets of the client, which lost its framing, belong to the last request, whatever they look like."""
    cdef Exchange* last = conn.pending_last
    if may_begin_request(conn, parser.start_offset, ack):
        return False
    if last == NULL or last.response.present or not parser.gap_before:
        return True
    # The last request is not answered. If its end is known, what was lost after it began the next one: the client
    # sends requests without waiting. So it does where a segment begins with one, after a head that announces none.
    if 0 < last.request.stream_end < parser.start_offset:
        return False
    return may_have_content(conn) or find_request(data, length) != 0


cdef void http1_end(
    EngineState* state, Connection* conn, int direction, int64_t time_ns, int how
) noexcept nogil:
    """No octet of this direction will follow (FIN, RST, or the connection was given up)."""
    cdef Parser* parser = &conn.streams[direction].parser
    cdef Exchange* exchange = parser.current
    cdef Message* message
    cdef int reason
    cdef bint lost = parser.state == LOST and parser.gap_before
    if parser.state == HEAD:
        state.stats.heads_incomplete += 1
        if how == ENDED_GIVEN_UP:
            reason = STILL_OPEN
        else:
            reason = REQUEST_CUT if direction == conn.client else RESPONSE_CUT
        cut_head(state, conn, direction, conn.streams[direction].offset, reason)
        if speaks(conn) != PROTOCOL_HTTP1:
            return
    end_head(state, parser)
    parser.current = NULL
    if exchange != NULL:
        message = message_of(conn, direction, exchange)
        if parser.state == CLOSE and how == ENDED_FIN or (
            parser.optional and direction != conn.client and message.wire_body_size == 0
        ):
            parser.current = exchange
            end_message(state, conn, direction, time_ns, conn.streams[direction].offset)
        elif direction == conn.client:
            if exchange.incomplete == COMPLETE:
                exchange.incomplete = STILL_OPEN if how == ENDED_GIVEN_UP else REQUEST_CUT
            message.complete = 1
            request_ended(state, conn, exchange)
        else:
            reason = STILL_OPEN if how == ENDED_GIVEN_UP else RESPONSE_CUT
            finish_exchange(state, conn, exchange, reason)
    move(parser, LEFT)
    if direction != conn.client:
        finish_pending(state, conn, RESPONSE_GAP if lost else NO_RESPONSE)


cdef int looks(const Connection* conn, int direction, const uint8_t* data, uint32_t length) noexcept nogil:
    cdef int seen = http1_looks(data, length)
    if seen == LOOKS_MAYBE:
        # Only at the very beginning; what it would be depends on whose direction it is.
        if speaks(conn) != PROTOCOL_UNKNOWN or conn.layers[conn.top].unrecognized:
            return LOOKS_NO
        return LOOKS_RESPONSE if conn.client == 1 - direction else LOOKS_REQUEST
    if seen == LOOKS_RESPONSE and conn.client == direction and conn.streams[direction].parser.gap_before:
        return LOOKS_NO                           # content of a request whose head was lost
    return seen


cdef bint begin(
    EngineState* state, Connection* conn, int direction, int seen, uint32_t consumed, int64_t time_ns
) noexcept nogil:
    cdef Stream* client
    learn_client(conn, direction if seen == LOOKS_REQUEST else 1 - direction)
    client = &conn.streams[conn.client]
    if client.parser.gap_before:
        client.parser.start_offset = client.offset          # a hole at the beginning ends here (``begin_head``)
    speak(conn, PROTOCOL_HTTP1, NULL)
    state.stats.connections_http1 += 1
    return True


cdef void rest(EngineState* state, Connection* conn) noexcept nogil:
    cdef int side
    for side in range(2):
        if conn.streams[side].parser.head.length == 0:
            buffer_free(&state.budget, &conn.streams[side].parser.head)


cdef Protocol row
row.number = PROTOCOL_HTTP1
row.parses = 1
row.joins = 1
row.looks = looks
row.begin = begin
row.data = http1_data
row.gap = http1_gap
row.end = http1_end
row.tick = http1_tick
row.rest = rest
row.abandon = abandon_heads


cdef const Protocol* http1_protocol() noexcept nogil:
    """The row of HTTP/1 in the table of protocols."""
    return &row
