# Where the lines of an HTTP/1 head end and where their colons are, found in one pass of 64 octets at a time. Only for
# heads that are whole and plain, which nearly all are: every other one is read the general way (``http1_head``).
from libc.stdint cimport uint8_t, uint32_t

cdef extern from "levo/engine/http1/head_map.h":
    ctypedef struct HeadMap "levo_head_map":
        # Where the lines of a plain head end (at their LF) and have their first colon; the empty line left out.
        uint32_t count
        uint32_t* end
        uint32_t* colon
    uint32_t NO_COLON "LEVO_NO_COLON"

    # The length of the head at *data*, its lines in *map*; 0 when it is not whole, or not plain: lines end with CRLF,
    # there is no other CR, no NUL and no folded line, and the map has room. A plain head ends where ``find_head_end``
    # says, and ``normalize_head`` would change nothing in it.
    uint32_t map_head "levo_map_head"(const uint8_t* data, uint32_t length, HeadMap* map) nogil
