# A batch of finished exchanges.
from cpython.pythread cimport PyThread_type_lock
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
    cdef object finisher        # what is to be done to exchanges before they are read, or None
    cdef object failure         # ... and what it has raised, or None
    cdef PyThread_type_lock lock  # held while it runs; NULL without one
    cdef unsigned long holder   # ... by this thread, or 0
    cdef size_t processed       # so many at the front are done

    cdef void _free(self, size_t count) noexcept
    cdef const Exchange* _from(self, size_t start) noexcept nogil
    cdef int _process(self, size_t stop) except -1
    cdef int _process_alone(self, size_t stop) except -1
    cdef size_t _bound(self, int64_t limit, size_t max_size) noexcept nogil

cdef enum:
    MARK_EVERY = 256
    PROCESSED_TOGETHER = 256


cdef Exchange* batch_add(Batch batch) except NULL
cdef Batch batch_adopt(Exchange* first, Exchange* last, size_t count, int64_t octets, Pool* pool)
