from levo.engine.exchange.sampling cimport Sampler
from levo.engine.core.state cimport EngineState


cdef class Engine:
    cdef EngineState state
    cdef Sampler sampler
    cdef object rules
    cdef object key_source
