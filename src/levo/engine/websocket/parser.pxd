from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from levo.engine.core.state cimport Connection, EngineState
from levo.engine.core.types cimport Exchange


cdef bint websocket_begin(EngineState* state, Connection* conn, const Exchange* upgrade) noexcept nogil
cdef void websocket_data(
    EngineState* state, Connection* conn, int direction, const uint8_t* data, uint32_t length, int64_t time_ns
) noexcept nogil
cdef void websocket_gap(EngineState* state, Connection* conn, int direction, uint64_t size) noexcept nogil
cdef void websocket_end(EngineState* state, Connection* conn, int64_t time_ns, int how) noexcept nogil
cdef void websocket_abandon(EngineState* state, Connection* conn) noexcept nogil
