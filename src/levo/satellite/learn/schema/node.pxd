"""The fields of schema nodes for other compiled modules; see ``node.pyx`` for what they mean."""

from libc.stdint cimport int64_t, uint8_t

from levo.satellite.learn.schema.names cimport Sightings

cdef enum:
    PLACES = 64
    HIGHEST = 8

cdef extern from "levo/satellite/learn/schema/sum.h":
    int64_t levo_sum(int64_t a, int64_t b) noexcept nogil


cdef class Variant:
    cdef public int64_t objects
    cdef dict _present


cdef class Node:
    # A dict is None while there is nothing in it.
    cdef public int64_t nulls, booleans, integers, numbers, strings, objects, arrays
    cdef public int64_t bits, shortest, longest, keyed, fewest, most, scanned
    cdef public bint negative, open, folded, many_variants, private, crowded, alone
    cdef public int64_t unnamed
    cdef Sightings sightings
    """Of the name that leads here, while that is not proven; None for what needs no proof."""
    cdef str _format
    cdef dict _labels, _children, _finds, _variants
    cdef public Node other, items
    cdef uint8_t* sketch
    """PLACES registers; NULL until something is counted in them."""

    cdef int count_in(self) except -1


cdef inline Node new_node(bint is_open):
    cdef Node node = Node.__new__(Node)
    node.open = is_open
    return node


cdef int add_counts(dict counts, dict more) except -1
cdef dict values_of(object self, dict fields)
cdef str shown(object self, dict fields)
