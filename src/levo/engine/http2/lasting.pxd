from libc.stdint cimport int64_t

from levo.engine.core.state cimport Connection, EngineState


cdef bint http2_tick(EngineState* state, Connection* conn, int64_t now_ns, bint last) noexcept nogil
