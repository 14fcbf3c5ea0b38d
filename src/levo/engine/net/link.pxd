from libc.stdint cimport uint16_t

from levo.engine.net.layer cimport Cursor


cdef int link_enter(uint16_t link_type, Cursor* cursor) noexcept nogil
cdef int link_step(int layer, Cursor* cursor) noexcept nogil
