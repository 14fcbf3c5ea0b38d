# gRPC-Web: what the body of a call says (grpc_web.pyx).
from libc.stdint cimport uint8_t

from levo.engine.core.types cimport Budget, Buffer, Exchange


cdef inline bint may_be_grpc_web(const Buffer* body) noexcept nogil:
    """Whether *body* begins as a frame of gRPC-Web does, in octets or in base64; most others begin with text."""
    cdef uint8_t first
    if body.length < 5:
        return False
    first = body.data[0]
    return first < 2 or first == c"A" or first == c"g" or first & 0xFE == 0x80


cdef void read_grpc_web(Budget* budget, Exchange* exchange) noexcept nogil
