"""What is known of the messages of a place, for other compiled modules; see ``messages.pyx``."""

from libc.stdint cimport int64_t

from levo.satellite.learn.schema.node cimport Node


cdef class Body:
    cdef public int64_t seen, learned
    cdef public Node schema

    cdef int take_in(self, Body other) except -1


cdef class Response:
    cdef public int64_t seen
    cdef public Node headers
    cdef dict _bodies

    cdef int take_in(self, Response other) except -1


cdef class Knowledge:
    # A dict is None while there is nothing in it.
    cdef public int64_t accepted, refused, skipped, heads_cut
    cdef public Node query, headers, cookies
    cdef public bint unsettled
    cdef dict _segments, _bodies, _responses, _auth

    cdef list _nodes(self)
    cdef int _absorb_segments(self, dict more) except -1
    cdef int _absorb_responses(self, dict more) except -1
