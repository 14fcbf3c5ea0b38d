from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from levo.engine.core.state cimport Connection, EngineState
from levo.engine.core.types cimport Exchange


cdef bint http2_looks(const Connection* conn, int direction, const uint8_t* data, uint32_t length) noexcept nogil
cdef bint http2_begin(EngineState* state, Connection* conn, int direction, int preface) noexcept nogil
cdef bint http2_upgrade(EngineState* state, Connection* conn, Exchange* exchange) noexcept nogil
cdef uint32_t http2_data(
    EngineState* state, Connection* conn, int direction,
    const uint8_t* data, uint32_t length, int64_t time_ns, int64_t ack) noexcept nogil
cdef void http2_gap(
    EngineState* state, Connection* conn, int direction, uint64_t size, int64_t time_ns) noexcept nogil
cdef void http2_end(
    EngineState* state, Connection* conn, int direction, int64_t time_ns, int how) noexcept nogil
