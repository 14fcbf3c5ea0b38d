"""Heads that were not captured whole: a message is reported with the start line and field lines that were.

What cut the head (a hole, a snap length, the end of the connection or of the capture, a bound) makes no difference
here. The last line is left out unless its line end was captured. Nothing is known of the content, so framing is lost.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcmp

from levo.engine.core.exchange cimport section_find, section_text
from levo.engine.core.memory cimport buffer_free, clear, give_back, section_free, take
from levo.engine.core.output cimport Text
from levo.engine.core.state cimport Connection, EngineState, Parser
from levo.engine.core.types cimport (
    AMBIGUOUS,
    EVICTED,
    ANOMALY_BAD_STATUS,
    ANOMALY_HEAD_CUT,
    NO_REQUEST,
    PROTOCOL_OPAQUE,
    Buffer,
    Exchange,
    Message,
)
from levo.engine.exchange.evicted cimport trim_cut_head
from levo.engine.exchange.pairing cimport (
    begin_exchange,
    enqueue_request,
    finish_exchange,
    lose_order,
    may_answer,
    note_interim,
    pair_response,
)
from levo.engine.exchange.sampling cimport sample_request, sample_response
from levo.engine.http1.head cimport (
    Framing,
    first_line_length,
    is_known_method,
    next_line,
    normalize_head,
    read_request_line,
    read_section,
    read_status_line,
)
from levo.engine.http1.states cimport HEAD
from levo.engine.http1.switch cimport end_heads, is_preface
from levo.engine.proto.layers cimport speak, start_anew, whole


cdef bint take_cut_head(
    EngineState* state, Connection* conn, int direction, int64_t resumes, int reason
) noexcept nogil:
    """The head in the buffer of *direction* will not become whole: report what there is, and free the buffer.

    *resumes*: the offset of the next octet that can be read; *reason* (Incomplete): what cut the head. False when
    not even the start line is there. The connection may speak another protocol afterward (101, CONNECT).
    """
    cdef Parser* parser = &conn.streams[direction].parser
    cdef Message message
    cdef Exchange* exchange
    cdef bint good
    clear(&message, sizeof(Message))
    good = read_cut_head(state, &parser.head, direction == conn.client, &message)
    buffer_free(&state.budget, &parser.head)
    parser.searched = 0
    if not good and direction != conn.client:
        # A response began; the request that it answers is reported without it.
        exchange = pair_response(state, conn, parser.start_offset, parser.start_ack)
        if exchange != NULL:
            finish_exchange(state, conn, exchange, reason)
    if not good:
        return False
    message.present = 1
    message.anomalies |= ANOMALY_HEAD_CUT
    message.start_ns = message.head_ns = message.end_ns = parser.start_ns
    message.stream_start = parser.start_offset
    message.peer_ack = parser.start_ack
    if direction == conn.client:
        begin_cut_request(state, conn, direction, &message, reason)
    else:
        end_cut_response(state, conn, direction, &message, resumes, reason)
    return True


cdef bint read_cut_head(
    EngineState* state, const Buffer* head, bint from_client, Message* message
) noexcept nogil:
    """Read the whole lines of *head* into *message*; False when the start line is not whole, or not one."""
    cdef uint32_t end = head.length
    cdef uint32_t lines = 0
    cdef uint32_t line, size, i, allocated
    cdef uint16_t anomalies = 0
    cdef uint8_t* plain
    cdef Framing framing
    cdef bint good
    while end and head.data[end - 1] != 10:
        end -= 1
    if end == 0:
        # Only the end of the start line is missing, or part of the reason phrase.
        if head.length == 0 or not (from_client or ends_status(head)):
            return False
        end = head.length
    allocated = 2 * end
    plain = <uint8_t*>take(&state.budget, allocated)
    if plain == NULL:
        return False
    size = normalize_head(head.data, end, plain, &anomalies)
    for i in range(size):
        lines += plain[i] == 10
    line = first_line_length(plain, size)
    clear(&framing, sizeof(Framing))
    framing.anomalies = anomalies
    if from_client:
        # A line without a version is believed where a field line follows, or of a known method.
        i = read_request_line(plain, line, message)
        good = (
            i == 1 or i == 2 and (lines > 1 or lines and is_known_method(plain, message.method.length))
        ) and not is_preface(plain, line)
    else:
        good = read_status_line(plain, line, message)
        if lines == 0:
            message.reason.length = 0             # its end may be missing
        if not message.status:
            framing.anomalies |= ANOMALY_BAD_STATUS
    if good:
        good = read_section(
            &state.budget, &message.head, plain, size, lines, next_line(plain, line, size), NULL, &framing)
        message.anomalies = framing.anomalies
    give_back(&state.budget, plain, allocated)
    return good


cdef bint ends_status(const Buffer* head) noexcept nogil:
    """Whether *head*, a status line without its line end, holds the whole status code."""
    cdef const uint8_t* data = head.data
    return (
        head.length > 12 and memcmp(data, b"HTTP/1.", 7) == 0 and data[8] == 32
        and 48 <= data[9] <= 57 and 48 <= data[10] <= 57 and 48 <= data[11] <= 57 and data[12] <= 32
    )


cdef void begin_cut_request(
    EngineState* state, Connection* conn, int direction, Message* message, int reason
) noexcept nogil:
    cdef Parser* parser = &conn.streams[direction].parser
    cdef Exchange* exchange = begin_exchange(state, conn)
    if exchange == NULL:
        section_free(&state.budget, &message.head)
        return
    state.stats.requests_seen += 1
    exchange.request = message[0]
    exchange.request.complete = 1                 # where it ends is unknown; only its response is waited for
    exchange.incomplete = <uint8_t>reason
    exchange.after_gap = parser.gap_before
    parser.gap_before = 0
    enqueue_request(state, conn, exchange)
    sample_request(state, exchange)


cdef void end_cut_response(
    EngineState* state, Connection* conn, int direction, Message* message, int64_t resumes, int reason
) noexcept nogil:
    cdef Parser* parser = &conn.streams[direction].parser
    cdef Exchange* exchange
    cdef bint connect = False
    cdef uint16_t status = message.status
    if 100 <= status < 200 and status != 101:
        # The final response is still to come, at the earliest where reading goes on.
        note_interim(conn, parser.start_offset, parser.start_ack, resumes, status)
        section_free(&state.budget, &message.head)
        return
    exchange = pair_response(state, conn, parser.start_offset, parser.start_ack)
    if exchange == NULL:
        exchange = begin_exchange(state, conn)
        if exchange == NULL:
            section_free(&state.budget, &message.head)
            return
        exchange.incomplete = AMBIGUOUS if may_answer(conn, parser.start_ack) else NO_REQUEST
        lose_order(conn)
    else:
        connect = exchange.request.method.length == 7 and (
            memcmp(exchange.request.head.text, b"CONNECT", 7) == 0)
    state.stats.responses_seen += 1
    exchange.response = message[0]
    sample_response(state, exchange)
    finish_exchange(state, conn, exchange, reason)
    if reason == EVICTED:
        return                                    # what follows is not read any more
    if status == 101:
        speak(conn, PROTOCOL_OPAQUE, NULL)
        whole(conn)
        end_heads(state, conn)
    elif connect and 200 <= status < 300:
        start_anew(conn)
        end_heads(state, conn)


cdef bint answers_cut_head(const Connection* conn, int64_t ack) noexcept nogil:
    """Whether a response sent with *ack* came before the end of the request's head that is being read.

    Servers do so for a head that is too large or comes too slowly (431, 408). Everything that the server had
    must have been read: a response may also have been captured before the end of its request.
    """
    cdef const Parser* parser = &conn.streams[conn.client].parser
    return (
        conn.pending_first == NULL and parser.state == HEAD and parser.head.length > 0
        and parser.start_offset < ack <= conn.streams[conn.client].offset
    )


cdef bint may_have_content(const Connection* conn) noexcept nogil:
    """Whether content may follow the last request, of whose head only a part was captured."""
    cdef const Exchange* last = conn.pending_last
    cdef Text method
    if last == NULL or not last.request.anomalies & ANOMALY_HEAD_CUT:
        return True
    method = section_text(&last.request.head, last.request.method)
    if not (
        method.length == 3 and memcmp(method.data, b"GET", 3) == 0
        or method.length == 4 and memcmp(method.data, b"HEAD", 4) == 0
        or method.length == 6 and memcmp(method.data, b"DELETE", 6) == 0
        or method.length == 7 and memcmp(method.data, b"OPTIONS", 7) == 0
    ):
        return True
    return (
        section_find(&last.request.head, b"content-length", 14) != NULL
        or section_find(&last.request.head, b"transfer-encoding", 17) != NULL
    )


cdef void abandon_heads(EngineState* state, Connection* conn) noexcept nogil:
    """*conn* is given up for memory: report the heads that were being read, the request's first."""
    cdef Parser* parser
    cdef int each, side
    if conn.client < 0:
        return
    for each in range(2):
        side = conn.client if each == 0 else 1 - conn.client
        parser = &conn.streams[side].parser
        if parser.state == HEAD and parser.head.length:
            state.stats.heads_incomplete += 1
            trim_cut_head(&parser.head)
            take_cut_head(state, conn, side, conn.streams[side].offset, EVICTED)
