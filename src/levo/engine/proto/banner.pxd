# Protocols that are not read, by the first octets of a direction: a name for the ports report.
from libc.stdint cimport uint8_t, uint32_t

from levo.engine.core.state cimport Connection, EngineState


cdef int named_by(const uint8_t* data, uint32_t length) noexcept nogil
cdef void note_banner(
    EngineState* state, const Connection* conn, int direction, const uint8_t* data, uint32_t length) noexcept nogil
