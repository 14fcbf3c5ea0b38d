from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from levo.engine.core.state cimport Connection, EngineState


cdef uint32_t http1_data(
    EngineState* state, Connection* conn, int direction,
    const uint8_t* data, uint32_t length, int64_t time_ns, int64_t ack) noexcept nogil
cdef void http1_gap(
    EngineState* state, Connection* conn, int direction, uint64_t size, int64_t time_ns) noexcept nogil
cdef void http1_end(
    EngineState* state, Connection* conn, int direction, int64_t time_ns, int how) noexcept nogil

# how a direction ended
cdef enum:
    ENDED_FIN = 0
    ENDED_RESET = 1
    ENDED_GIVEN_UP = 2      # idle, evicted, or the capture ended
