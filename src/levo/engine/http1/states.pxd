# The states of one direction of an HTTP/1 connection, and what moves it on: states.h has the table.
from libc.stdint cimport uint8_t

from levo.engine.core.state cimport Parser


cdef extern from "levo/engine/http1/states.h" nogil:
    cdef enum State "levo_http1_state":
        START "LEVO_HTTP1_START"
        HEAD "LEVO_HTTP1_HEAD"
        LENGTH "LEVO_HTTP1_LENGTH"
        CHUNK_SIZE "LEVO_HTTP1_CHUNK_SIZE"
        CHUNK_DATA "LEVO_HTTP1_CHUNK_DATA"
        CHUNK_END "LEVO_HTTP1_CHUNK_END"
        TRAILERS "LEVO_HTTP1_TRAILERS"
        CLOSE "LEVO_HTTP1_CLOSE"
        LOST "LEVO_HTTP1_LOST"

    cdef enum Event "levo_http1_event":
        HEAD_BEGINS "LEVO_HTTP1_HEAD_BEGINS"
        HEAD_REFUSED "LEVO_HTTP1_HEAD_REFUSED"
        LENGTH_FOLLOWS "LEVO_HTTP1_LENGTH_FOLLOWS"
        CHUNKS_FOLLOW "LEVO_HTTP1_CHUNKS_FOLLOW"
        CLOSE_FOLLOWS "LEVO_HTTP1_CLOSE_FOLLOWS"
        CHUNK_BEGINS "LEVO_HTTP1_CHUNK_BEGINS"
        LAST_CHUNK "LEVO_HTTP1_LAST_CHUNK"
        CHUNK_ENDS "LEVO_HTTP1_CHUNK_ENDS"
        LINE_ENDS "LEVO_HTTP1_LINE_ENDS"
        MESSAGE_ENDS "LEVO_HTTP1_MESSAGE_ENDS"
        FRAMING_LOST "LEVO_HTTP1_FRAMING_LOST"
        HOLE "LEVO_HTTP1_HOLE"
        FOUND "LEVO_HTTP1_FOUND"
        LEFT "LEVO_HTTP1_LEFT"

    uint8_t next_state "levo_http1_move"(uint8_t state, int event)


cdef inline void move(Parser* parser, Event event) noexcept nogil:
    """The one place where a direction changes its state."""
    parser.state = next_state(parser.state, event)
