# Frames in, TCP segments out. See frame.pyx.
from libc.stdint cimport int64_t, uint8_t, uint64_t

from levo.engine.net.fragments cimport FragmentTable
from levo.engine.net.layer cimport Tunnels
from levo.engine.core.types cimport Budget, Frame, Packet, Stats


ctypedef struct Decoder:
    FragmentTable fragments
    Budget* budget
    Stats* stats
    uint64_t seed             # of the hashes that tell networks apart
    Tunnels tunnels
    int outcome               # Layer outcome of the last frame


cdef void decoder_init(Decoder* decoder, Budget* budget, Stats* stats, uint64_t seed) noexcept nogil
cdef void decoder_free(Decoder* decoder) noexcept nogil
cdef int decode_frame(Decoder* decoder, const Frame* frame, Packet* packet) noexcept nogil
cdef void decoder_tick(Decoder* decoder, int64_t now_ns) noexcept nogil
cdef void decoder_finish(Decoder* decoder) noexcept nogil
