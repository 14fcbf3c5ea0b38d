from libc.stdint cimport uint32_t

from levo.engine.net.layer cimport Cursor


cdef int tunnel_step(uint32_t protocol, Cursor* cursor) noexcept nogil
