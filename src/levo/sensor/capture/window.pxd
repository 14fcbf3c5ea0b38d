# The octets of a file as a window that a parser walks over.
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint64_t

from levo.engine.core.source cimport FrameSource

cdef extern from "zlib.h" nogil:
    ctypedef struct z_stream:
        const uint8_t* next_in
        unsigned int avail_in
        uint8_t* next_out
        unsigned int avail_out

cdef enum Filled:
    FILL_ERROR = -2
    FILL_LATER = -1
    FILL_END = 0
    FILL_GOT = 1


cdef class Window(FrameSource):
    cdef const uint8_t* _data       # the window's memory: the mapping, or _buffer
    cdef size_t _at
    cdef size_t _end
    cdef size_t _wanted             # octets from _at that the record at _at needs
    cdef bint _complete             # the window ends where the file ends
    cdef uint64_t _skip             # octets of an oversized block still to pass over
    cdef uint64_t _streams_cut      # gzip streams that end early or are damaged

    cdef readonly str path

    cdef int _fd
    cdef bint _own_fd
    cdef void* _mapping
    cdef size_t _mapped
    cdef size_t _released
    cdef uint8_t* _buffer
    cdef size_t _capacity
    cdef uint8_t* _input            # compressed octets
    cdef z_stream _inflater
    cdef bint _gzip
    cdef bint _gzip_open            # inside a member: the end of the file would cut it
    cdef bint _input_ended
    cdef int _error                 # errno of a failed read

    cdef _open(self)
    cdef _map(self, size_t size)
    cdef _become_stream(self)
    cdef _become_gzip(self)
    cdef _need(self, size_t size)
    cdef _read_error(self)
    cdef int _fill(self, int timeout_ms) noexcept nogil
    cdef bint _skip_buffered(self) noexcept nogil
    cdef bint _grow(self, size_t capacity) noexcept nogil
    cdef int _read(self, uint8_t* into, size_t size, int timeout_ms) noexcept nogil
    cdef int _inflate(self, int timeout_ms) noexcept nogil
    cdef bint _mark_damaged(self) noexcept nogil
    cdef int _end_damaged(self) noexcept nogil
    cdef void _follow_size(self) noexcept nogil
    cdef void _give_back_pages(self) noexcept nogil
    cdef void _release(self) noexcept
