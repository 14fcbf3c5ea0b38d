# A batch of finished exchanges.
from libc.stdint cimport int64_t

from levo.engine.core.types cimport Budget, Exchange, Pool


cdef class Batch:
    cdef Exchange* first
    cdef Exchange* last
    cdef size_t count
    cdef Budget budget
    cdef Exchange** marks       # every MARK_EVERY-th exchange, or NULL
    cdef size_t released        # so many at the front are gone
    cdef bint sole              # one reader, which says what it has done with
    cdef object finisher        # what is still to be done to exchanges before they are read, or None
    cdef size_t finished        # ... and was done to so many at the front

    cdef void _free(self, size_t count) noexcept
    cdef const Exchange* _from(self, size_t start) noexcept nogil
    cdef int _settle(self, size_t stop) except -1
    cdef tuple _finish(
        self, list names, bint decode, size_t max_size, size_t max_growth, size_t start, object stop)
    cdef size_t _bound(self, int64_t limit, size_t max_size) noexcept nogil

cdef enum:
    MARK_EVERY = 256
    SETTLED_TOGETHER = 256


cdef Exchange* batch_add(Batch batch) except NULL
cdef Batch batch_adopt(Exchange* first, Exchange* last, size_t count, int64_t octets, Pool* pool)
