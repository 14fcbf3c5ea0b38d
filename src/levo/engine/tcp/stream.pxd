from libc.stdint cimport int64_t, uint8_t, uint32_t

from levo.engine.core.state cimport Connection, EngineState


cdef void stream_ack(EngineState* state, Connection* conn, int direction, uint32_t ack, int64_t time_ns) noexcept nogil
cdef bint stream_segment(
    EngineState* state, Connection* conn, int direction, uint32_t seq,
    const uint8_t* data, uint32_t length, uint32_t missing,
    bint has_ack, uint32_t ack, int64_t time_ns) noexcept nogil
cdef void stream_padding(
    EngineState* state, Connection* conn, int direction, uint32_t seq,
    const uint8_t* data, uint32_t length, bint has_ack, uint32_t ack, int64_t time_ns) noexcept nogil
cdef void stream_fin(EngineState* state, Connection* conn, int direction, uint32_t seq, int64_t time_ns) noexcept nogil
cdef bint stream_look(EngineState* state, Connection* conn, int64_t now_ns) noexcept nogil
cdef void stream_flush(EngineState* state, Connection* conn, int64_t now_ns) noexcept nogil
cdef void stream_free(EngineState* state, Connection* conn, bint evicted) noexcept nogil
