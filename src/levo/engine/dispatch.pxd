from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from levo.engine.state cimport Connection, EngineState


cdef void deliver(
    EngineState* state, Connection* conn, int direction,
    const uint8_t* data, uint32_t length, int64_t time_ns, int64_t ack) noexcept nogil
cdef void deliver_gap(
    EngineState* state, Connection* conn, int direction, uint64_t size, int64_t time_ns) noexcept nogil
cdef void deliver_end(
    EngineState* state, Connection* conn, int direction, int64_t time_ns, int how) noexcept nogil
cdef bint deliver_late(EngineState* state, Connection* conn, int64_t now_ns, bint last) noexcept nogil
cdef void rest(EngineState* state, Connection* conn) noexcept nogil
cdef void abandon(EngineState* state, Connection* conn) noexcept nogil
cdef int64_t footprint(Connection* conn) noexcept nogil
