from libc.stdint cimport int64_t, uint8_t, uint32_t

from levo.engine.core.state cimport Connection, EngineState
from levo.engine.core.types cimport Exchange, Section


cdef void end_heads(EngineState* state, Connection* conn) noexcept nogil
cdef bint is_preface(const uint8_t* line, uint32_t length) noexcept nogil
cdef bint says_upgrade(const Section* head, const char* protocol, uint32_t length) noexcept nogil
cdef void leave_http1(EngineState* state, Connection* conn, Exchange* exchange) noexcept nogil
cdef void note_event_stream(const EngineState* state, Connection* conn, const Section* head) noexcept nogil
cdef bint http1_tick(EngineState* state, Connection* conn, int64_t now_ns, bint last) noexcept nogil
