from libc.stdint cimport int64_t

from levo.engine.exchange.sampling cimport Sampler
from levo.engine.core.state cimport EngineState
from levo.engine.net.frame cimport Decoder


ctypedef struct Intake:
    # Where frames go.
    Decoder decoder
    EngineState* state
    int64_t jump_ns[2]        # times of the last frames, which were all far from the clock
    int jumps
    bint forward              # ... and ahead of it


cdef class Engine:
    cdef EngineState state
    cdef Intake intake
    cdef int stride           # frames that are asked for at once
    cdef Sampler sampler
    cdef object rules
    cdef object key_source
    cdef bytes hosts
