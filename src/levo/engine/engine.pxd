from libc.stdint cimport int64_t

from levo.engine.exchange.sampling cimport Sampler
from levo.engine.core.source cimport KeySource, TakeKeys
from levo.engine.core.state cimport EngineState
from levo.engine.net.frame cimport Decoder


ctypedef struct Intake:
    # Where frames go.
    Decoder decoder
    EngineState* state
    int64_t jump_ns[2]        # times of the last frames, which were all far from the clock
    int jumps
    bint forward              # ... and ahead of it


ctypedef struct Asking:
    # Whom to ask for secrets.
    TakeKeys take             # NULL: no probe
    void* source
    EngineState* state
    void* engine              # NULL: no key log
    int64_t log_wait_ns       # how late secrets of each may come up
    int64_t probe_wait_ns


cdef class Engine:
    cdef EngineState state
    cdef Intake intake
    cdef int stride           # frames that are asked for at once
    cdef Sampler sampler
    cdef object rules
    cdef Asking asking
    cdef object key_source
    cdef KeySource key_probe
    cdef bytes hosts

    cdef void ask_for_keys(self)
