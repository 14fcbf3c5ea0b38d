# A batch of finished exchanges.
from levo.engine.types cimport Budget, Exchange


cdef class Batch:
    cdef Exchange* first
    cdef Exchange* last
    cdef size_t count
    cdef Budget budget

    cdef void adopt(self, Exchange* first, size_t count)


cdef Batch batch_adopt(Exchange* first, size_t count)
