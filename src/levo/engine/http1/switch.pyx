"""What a head says beyond its own message: tunnels, Upgrade, HTTP/2's preface, event streams."""

from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcmp

from levo.engine.core.exchange cimport section_find, section_text
from levo.engine.core.memory cimport buffer_free
from levo.engine.core.output cimport Text, equals_lower
from levo.engine.exchange.pairing cimport finish_exchange, finish_pending
from levo.engine.core.state cimport Connection, EngineState
from levo.engine.http1.states cimport LEFT, move
from levo.engine.proto.dispatch cimport agree_on
from levo.engine.proto.layers cimport look_again, speak, watch_stream
from levo.engine.core.types cimport (
    NO_RESPONSE,
    PROTOCOL_HTTP2,
    PROTOCOL_OPAQUE,
    RESPONSE_CUT,
    STILL_OPEN,
    Exchange,
    Field,
    Section,
)


cdef void end_heads(EngineState* state, Connection* conn) noexcept nogil:
    # After 101 or CONNECT both directions speak something else (RFC 9110 sections 7.8, 9.3.6):
    # what an Upgrade names, or anything at all, HTTP included, in a tunnel.
    finish_pending(state, conn, NO_RESPONSE)
    buffer_free(&state.budget, &conn.streams[0].parser.head)
    buffer_free(&state.budget, &conn.streams[1].parser.head)
    move(&conn.streams[0].parser, LEFT)
    move(&conn.streams[1].parser, LEFT)


cdef bint is_preface(const uint8_t* line, uint32_t length) noexcept nogil:
    # The beginning of HTTP/2's preface, in pieces too small to be recognized, or behind a 101 that was lost.
    return length == 14 and memcmp(line, b"PRI * HTTP/2.0", 14) == 0


cdef bint says_upgrade(const Section* head, const char* protocol, uint32_t length) noexcept nogil:
    cdef Field* field = section_find(head, b"upgrade", 7)
    cdef Text text
    if field == NULL:
        return False
    text = section_text(head, field.value)
    return text.length == length and equals_lower(text.data, <const uint8_t*>protocol, length)


cdef void leave_http1(EngineState* state, Connection* conn, Exchange* exchange) noexcept nogil:
    # HTTP/2 follows; *exchange*, if any, becomes its stream 1.
    cdef int side
    if exchange != NULL and not agree_on(state, conn, PROTOCOL_HTTP2, exchange):
        speak(conn, PROTOCOL_OPAQUE, NULL)
    for side in range(2):
        buffer_free(&state.budget, &conn.streams[side].parser.head)
        move(&conn.streams[side].parser, LEFT)
        if conn.streams[side].parser.current == exchange:
            conn.streams[side].parser.current = NULL
    finish_pending(state, conn, NO_RESPONSE)
    for side in range(2):
        if conn.streams[side].parser.current != NULL:
            # A response without a request: its end cannot be told any more.
            finish_exchange(state, conn, conn.streams[side].parser.current, RESPONSE_CUT)


cdef bint says_events(const Section* head) noexcept nogil:
    cdef Field* field = section_find(head, b"content-type", 12)
    cdef Text text
    if field == NULL:
        return False
    text = section_text(head, field.value)
    return text.length >= 17 and equals_lower(text.data, <const uint8_t*>b"text/event-stream", 17)


cdef void note_event_stream(const EngineState* state, Connection* conn, const Section* head) noexcept nogil:
    # Server-sent events last as long as somebody listens: they are reported while they do.
    if says_events(head):
        watch_stream(conn, state.elapsed_ns)
        look_again(conn)


cdef bint http1_tick(EngineState* state, Connection* conn, int64_t now_ns, bint last) noexcept nogil:
    """Time has passed: report an event stream that lasts too long. True while there is one to look at."""
    cdef Exchange* exchange = conn.streams[0 if conn.client == 1 else 1].parser.current
    if last or conn.streaming_ns == 0:
        return False
    if exchange == NULL or not says_events(&exchange.response.head):
        watch_stream(conn, 0)                     # it has ended in the meantime
        return False
    if state.elapsed_ns - conn.streaming_ns < state.settings.stream_timeout_ns:
        return True
    watch_stream(conn, 0)
    # Framing goes on without it: nothing more is kept, the next response is read as ever.
    finish_exchange(state, conn, exchange, STILL_OPEN)
    return False
