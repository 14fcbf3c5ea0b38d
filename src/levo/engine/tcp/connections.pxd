from libc.stdint cimport int64_t

from levo.engine.core.state cimport Connection, EngineState
from levo.engine.core.types cimport Packet


cdef bint table_init(EngineState* state) noexcept nogil
cdef void table_free(EngineState* state) noexcept nogil
cdef void take_packet(EngineState* state, const Packet* packet) noexcept nogil
cdef void connections_tick(EngineState* state, int64_t now_ns) noexcept nogil
cdef void connections_finish(EngineState* state) noexcept nogil
