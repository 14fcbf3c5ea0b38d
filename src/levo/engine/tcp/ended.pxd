# How far ended connections had come. See ended.pyx.
from libc.stdint cimport int64_t, uint32_t

from levo.engine.core.state cimport EngineState
from levo.engine.tcp.twins cimport Ends


ctypedef struct Grave:
    uint32_t hash
    uint32_t check              # a second hash of the same ends
    int64_t time_ns             # by the engine's own clock; 0: empty
    uint32_t next_a             # the sequence number behind the last octet of each
    uint32_t next_b


cdef void* ended_new(int64_t budget) noexcept nogil
cdef void ended_free(EngineState* state) noexcept nogil
cdef void ended_put(EngineState* state, const Ends* ends, uint32_t next_a, uint32_t next_b) noexcept nogil
cdef bint ended_has(EngineState* state, const Ends* ends, int side, uint32_t end) noexcept nogil
