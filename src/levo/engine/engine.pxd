from levo.engine.exchange.sampling cimport Sampler
from levo.engine.core.state cimport EngineState
from levo.engine.net.frame cimport Decoder


ctypedef struct Intake:
    # Where frames go.
    Decoder decoder
    EngineState* state


cdef class Engine:
    cdef EngineState state
    cdef Intake intake
    cdef Sampler sampler
    cdef object rules
    cdef object key_source
