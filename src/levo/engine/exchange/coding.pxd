# Content codings undone in place.
from libc.stddef cimport size_t

from levo.engine.core.types cimport Budget, Message


cdef struct Inflater


cdef Inflater* inflater_new() noexcept nogil
cdef void inflater_free(Inflater* inflater) noexcept nogil
cdef bint decode_message(
    Budget* budget, Inflater* inflater, Message* message, size_t max_size) noexcept nogil
