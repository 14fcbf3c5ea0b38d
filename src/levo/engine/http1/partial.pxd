from libc.stdint cimport int64_t

from levo.engine.core.state cimport Connection, EngineState


cdef bint take_cut_head(
    EngineState* state, Connection* conn, int direction, int64_t resumes, int reason) noexcept nogil
cdef bint answers_cut_head(const Connection* conn, int64_t ack) noexcept nogil
cdef bint may_have_content(const Connection* conn) noexcept nogil
cdef void abandon_heads(EngineState* state, Connection* conn) noexcept nogil
