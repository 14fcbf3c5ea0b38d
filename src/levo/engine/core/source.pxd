from libc.stdint cimport uint8_t, uint32_t

from levo.engine.core.types cimport FrameSink

# Takes one secret of one connection over; *kind* is a ``SecretKind`` of ``levo.engine.tls.keys``, *process* the id
# of the process that has it; 0: not known.
ctypedef void (*KeySink)(
    void* context, const uint8_t* client_random, int kind, const uint8_t* secret, uint32_t length,
    uint32_t process) noexcept nogil

# Passes the secrets that have come up since to *sink*, in their order, and returns how many. Never waits.
ctypedef int (*TakeKeys)(void* source, KeySink sink, void* context) noexcept nogil


cdef class FrameSource:
    cdef int pump(self, FrameSink sink, void* context, int limit, int timeout_ms) except -2 nogil


cdef class KeySource:
    cdef TakeKeys take          # called with *source*, as long as this object lives
    cdef void* source
