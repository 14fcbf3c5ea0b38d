# Trace and span identifiers of an exchange.
from libc.stdint cimport uint8_t, uint64_t

from levo.engine.core.output cimport Text
from levo.engine.core.types cimport Exchange


cdef inline uint64_t mix(uint64_t hash, uint64_t word) noexcept nogil:
    """One step of a fast hash; not for secrets."""
    hash = (hash ^ word) * <uint64_t>0x9E3779B97F4A7C15
    return hash ^ (hash >> 29)


cdef bint read_traceparent(Text text, uint8_t* trace_id, uint8_t* parent_id, uint8_t* flags) noexcept nogil
cdef void derive_ids(const Exchange* exchange, uint8_t* trace_id, uint8_t* span_id) noexcept nogil
