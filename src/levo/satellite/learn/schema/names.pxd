"""Where names are sighted, for other compiled modules; see ``names.pyx``."""

from libc.stdint cimport int64_t, uint64_t

cdef enum:
    MOST_OBJECTS = 16
    MOST_CALLERS = 8


cdef class Sightings:
    cdef uint64_t[MOST_OBJECTS] _asked
    cdef uint64_t[MOST_OBJECTS] _answered
    cdef uint64_t[MOST_CALLERS] _callers
    cdef int asked_count, answered_count, callers_count
    cdef readonly int64_t first_ns, last_ns
    cdef readonly str mark
    cdef readonly bint proven

    cdef void _at(self, int64_t first_ns, int64_t last_ns) noexcept
    cpdef bint is_proof(self, int min_objects, int min_callers)
    cdef int sight(self, Message message, uint64_t identity) except -1


cdef class Names:
    cdef readonly dict seen
    cdef readonly set callers
    cdef public bint has_operations
    cdef object _known
    cdef readonly bytes key
    cdef readonly int min_objects, min_callers

    cdef Sightings find(self, str name)


cdef class Message:
    cdef Names names
    cdef readonly bint answered
    cdef uint64_t _caller
    cdef int64_t _time_ns
    cdef bytes _salt_octets
    cdef object _whole
    cdef uint64_t _identity
    cdef public bint unsettled
    cdef readonly bint is_one
    cdef str _client

    cdef bytes _salt(self)
    cdef uint64_t caller(self) except? 0
    cdef uint64_t identity_of(self, uint64_t said) except? 0
    cdef uint64_t own_identity(self) except? 0
